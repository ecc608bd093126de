import { sign } from 'node:crypto'
import type { SigningKeyCredential } from './signing-key.ts'

/**
 * Apple takes a provider token for an hour from its `iat`. A connection stops using one ten minutes before, or up to
 * three minutes earlier: not all connections of a process change theirs in the same moment.
 */
const LATEST_ROTATION_MS = 50 * 60_000
const EARLIEST_ROTATION_MS = 47 * 60_000
/** Apple rejects a connection that changes its provider token twice within 20 minutes. */
const MIN_CHANGE_INTERVAL_MS = 20 * 60_000
/** So a connection never begins with one that would have to be replaced so soon. */
const TOO_OLD_TO_ADOPT_MS = EARLIEST_ROTATION_MS - MIN_CHANGE_INTERVAL_MS

interface ProviderToken {
  /** The value of its header field: `bearer` and the JWT. Made once, for it goes into every request. */
  readonly authorization: string
  /** ms since the epoch; the JWT's own `iat` is in whole seconds. */
  readonly issuedAtMs: number
}

/** A provider token as one connection holds it. */
export interface HeldProviderToken extends ProviderToken {
  /** When this connection changes to another, ms since the epoch. */
  readonly rotateAtMs: number
}

/**
 * Makes the provider tokens of one signing key, and shares each among connections for as long as Apple's rules let it:
 * Apple counts changes on each connection, so each holds on to the one it has. [lessons: pushy#931]
 */
export class ProviderTokenSource {
  readonly #credential: SigningKeyCredential
  readonly #now: () => number
  readonly #random: () => number
  #latest: ProviderToken | null = null

  /** @param now ms since the epoch @param random from 0 up to 1 */
  constructor(credential: SigningKeyCredential, now: () => number, random: () => number) {
    this.#credential = credential
    this.#now = now
    this.#random = random
  }

  /** Gives a new connection its first provider token: at least 20 minutes from having to be replaced. */
  adopt(): HeldProviderToken {
    const now = this.#now()
    if (this.#latest === null || now - this.#latest.issuedAtMs >= TOO_OLD_TO_ADOPT_MS)
      this.#latest = {
        authorization: `bearer ${formatProviderToken(this.#credential, now)}`,
        issuedAtMs: now,
      }
    const spread = this.#random() * (LATEST_ROTATION_MS - EARLIEST_ROTATION_MS)
    const rotateAtMs = this.#latest.issuedAtMs + EARLIEST_ROTATION_MS + spread
    return { ...this.#latest, rotateAtMs }
  }

  /** Gives a connection the provider token for its next request: the one it has, until it is time to change. */
  renew(held: HeldProviderToken): HeldProviderToken {
    return this.#now() < held.rotateAtMs ? held : this.adopt()
  }

  /**
   * Forgets the latest one, after Apple called it stale: the next connection begins with a fresh one. A young one is
   * kept: then a clock is wrong, ours or Apple's, and another made by it would be no better, only one too many.
   * @returns whether the next one is a fresh one
   */
  discard(): boolean {
    if (this.#latest === null) return true
    if (this.#now() - this.#latest.issuedAtMs < MIN_CHANGE_INTERVAL_MS) return false
    this.#latest = null
    return true
  }
}

/** Signs a JWT as APNs wants it: ES256, `kid` in the header, `iss` and `iat` as the only claims. [RFC 7515, RFC 7518 §3.4] */
export function formatProviderToken(credential: SigningKeyCredential, nowMs: number): string {
  const header = encodePart({ alg: 'ES256', kid: credential.keyId })
  const claims = encodePart({ iss: credential.teamId, iat: Math.floor(nowMs / 1000) })
  const signature = sign('sha256', Buffer.from(`${header}.${claims}`), {
    key: credential.key,
    // JWS wants R and S side by side, 64 bytes; OpenSSL's own form is DER
    dsaEncoding: 'ieee-p1363',
  })
  return `${header}.${claims}.${signature.toString('base64url')}`
}

const encodePart = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url')
