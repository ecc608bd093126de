import { sign } from 'node:crypto'
import type { SigningKeyCredential } from './signing-key.ts'

/** Apple takes a provider token for an hour from its `iat`. We stop using one ten minutes before. */
const ROTATE_AFTER_MS = 50 * 60_000
/**
 * Apple rejects a connection that changes its provider token twice within 20 minutes. A connection therefore never
 * begins with one that would have to be replaced so soon.
 */
const TOO_OLD_TO_ADOPT_MS = ROTATE_AFTER_MS - 20 * 60_000

/** A provider token, and when it was made. */
export interface ProviderToken {
  /** The value of its header field: `bearer` and the JWT. Made once, for it goes into every request. */
  readonly authorization: string
  /** ms since the epoch; the JWT's own `iat` is in whole seconds. */
  readonly issuedAtMs: number
}

/** Makes the provider tokens of one signing key, and shares each among connections for as long as Apple's rules let it. */
export class ProviderTokenSource {
  readonly #credential: SigningKeyCredential
  readonly #now: () => number
  #latest: ProviderToken | null = null

  constructor(credential: SigningKeyCredential, now: () => number) {
    this.#credential = credential
    this.#now = now
  }

  /** Gives a new connection its first provider token: at least 20 minutes from having to be replaced. */
  adopt(): ProviderToken {
    const now = this.#now()
    if (this.#latest === null || now - this.#latest.issuedAtMs >= TOO_OLD_TO_ADOPT_MS)
      this.#latest = {
        authorization: `bearer ${formatProviderToken(this.#credential, now)}`,
        issuedAtMs: now,
      }
    return this.#latest
  }

  /** Gives a connection the provider token for its next request: the one it has, until that is 50 minutes old. */
  renew(held: ProviderToken): ProviderToken {
    return this.#now() - held.issuedAtMs < ROTATE_AFTER_MS ? held : this.adopt()
  }

  /** Forgets the latest one, after Apple called it stale: the next connection begins with a fresh one. */
  discard(): void {
    this.#latest = null
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
