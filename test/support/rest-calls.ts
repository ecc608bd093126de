import assert from 'node:assert/strict'

export interface RestAnswer {
  readonly status: number
  readonly headers: Headers
  // biome-ignore lint/suspicious/noExplicitAny: what a test looks into is for the test to know
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly body: any
}

/** What the daemon shows of a batch. */
export interface BatchView {
  readonly batch: string
  readonly cancelled: boolean
  readonly counts: Readonly<Record<string, number>>
  readonly reasons: Readonly<Record<string, number>>
}

const POLL_MS = 10

/** Calls a daemon over REST, with `fetch`. */
export class RestCalls {
  readonly #url: () => string

  /** @param url asked for at each call, since a daemon that was started again has another port */
  constructor(url: () => string) {
    this.#url = url
  }

  async call(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<RestAnswer> {
    const response = await fetch(`${this.#url()}${path}`, {
      method,
      headers: {
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined
        ? {}
        : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    const text = await response.text()
    return {
      status: response.status,
      headers: response.headers,
      body: text === '' ? null : JSON.parse(text),
    }
  }

  /** Hands in notifications, and gives the batch's identifier; fails where they are not taken. */
  async submit(app: string, body: object, headers: Record<string, string> = {}): Promise<string> {
    const answer = await this.call('POST', `/v1/apps/${app}/notifications`, body, headers)
    assert.equal(answer.status, 202, JSON.stringify(answer.body))
    return answer.body.batch
  }

  async batch(id: string): Promise<BatchView> {
    const { status, body } = await this.call('GET', `/v1/batches/${id}`)
    assert.equal(status, 200, JSON.stringify(body))
    return body
  }

  /** Asks until nothing of the batch waits any more. */
  async ended(id: string): Promise<BatchView> {
    return this.batchWhen(id, ({ counts }) => counts['waiting'] === 0)
  }

  async batchWhen(id: string, isSo: (batch: BatchView) => boolean): Promise<BatchView> {
    for (;;) {
      const batch = await this.batch(id)
      if (isSo(batch)) return batch
      await new Promise((resolve) => setTimeout(resolve, POLL_MS))
    }
  }
}
