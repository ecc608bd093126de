/** A client talks to one host, perhaps through a proxy: more would be somebody's mistake. */
const MAX_HOSTS = 16

/**
 * The latest TLS session of each host, to resume: it spares a connection the signatures of a whole handshake. It serves
 * until the peer does not take it any more.
 */
export class Sessions {
  /** By host and port; the one that was kept last is last. */
  readonly #latest = new Map<string, Buffer>()

  get(host: string): Buffer | undefined {
    return this.#latest.get(host)
  }

  keep(host: string, session: Buffer): void {
    this.#latest.delete(host)
    this.#latest.set(host, session)
    const [oldest] = this.#latest.keys()
    if (this.#latest.size > MAX_HOSTS && oldest !== undefined) this.#latest.delete(oldest)
  }

  /** Drops a session that was not resumed, unless there is a newer one already. */
  drop(host: string, session: Buffer): void {
    if (this.#latest.get(host) === session) this.#latest.delete(host)
  }
}
