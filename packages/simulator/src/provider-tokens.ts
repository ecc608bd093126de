import {
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomInt,
  verify,
} from 'node:crypto'
import { BoundedMap } from './bounded-map.ts'
import { ENVIRONMENTS, type Environment } from './environment.ts'
import { SimulatorError } from './errors.ts'

/** Longer than any provider token: Apple's have about 200 characters. */
const MAX_PROVIDER_TOKEN_CHARACTERS = 4096
/** Provider tokens whose signature need not be checked again. One per key is in use at a time; the rest is slack. */
const MAX_CHECKED_PROVIDER_TOKENS = 1000
/** R‖S, 32 bytes each [RFC 7518 §3.4]. A DER signature is refused: that Apple takes it is not documented. */
const ES256_SIGNATURE_BYTES = 64
const ID_CHARACTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789'
const ID_LENGTH = 10

/** Says what a key is to be good for. */
export interface KeyRequest {
  /** Ten characters made up when left out. */
  teamId?: string
  /** Ten characters made up when left out. A key ID issued before now names the new key. */
  keyId?: string
  /** Bundle IDs that the key may push to; all of the team's when left out. */
  topics?: readonly string[]
  /** Both when left out. */
  environments?: readonly Environment[]
  /** Key to use again (PEM, EC P-256), so that it stays good after a restart; a new one when left out. */
  key?: string
}

/** Holds a key as Apple hands it out. */
export interface IssuedKey {
  /** Content of the `.p8` file. */
  key: string
  keyId: string
  teamId: string
}

/** Tells what a provider token with a good signature claims, and what its key is good for. */
export interface ProviderToken {
  keyId: string
  teamId: string
  issuedAtMs: number
  /** Null for all of the team's. */
  topics: readonly string[] | null
  environments: readonly Environment[]
}

interface Key {
  publicKey: KeyObject
  teamId: string
  topics: readonly string[] | null
  environments: readonly Environment[]
}

/** Issues the keys that provider tokens are signed with, and checks the tokens. */
export class ProviderKeys {
  /** Not bounded: a key comes only from whoever runs the simulator. */
  readonly #keys = new Map<string, Key>()
  readonly #checked = new BoundedMap<ProviderToken | 'invalid'>(MAX_CHECKED_PROVIDER_TOKENS)

  /**
   * Issues a key, or takes up the one in the request.
   * @throws {SimulatorError} BAD_INPUT when `key` is no P-256 key in PEM.
   */
  issue(request: KeyRequest = {}): IssuedKey {
    const key = request.key ?? generateKeyPem()
    const keyId = request.keyId ?? makeId()
    const teamId = request.teamId ?? makeId()
    this.#keys.set(keyId, {
      publicKey: readPublicKey(key),
      teamId,
      topics: request.topics ?? null,
      environments: request.environments ?? ENVIRONMENTS,
    })
    this.#checked.clear()
    return { key, keyId, teamId }
  }

  /** Checks all of a provider token that no clock is needed for; null when it is not good. */
  check(providerToken: string): ProviderToken | null {
    if (providerToken.length > MAX_PROVIDER_TOKEN_CHARACTERS) return null
    let checked = this.#checked.get(providerToken)
    if (checked === undefined) {
      checked = this.#checkAnew(providerToken) ?? 'invalid'
      this.#checked.set(providerToken, checked)
    }
    return checked === 'invalid' ? null : checked
  }

  #checkAnew(providerToken: string): ProviderToken | null {
    const [header, claims, signature, ...more] = providerToken.split('.')
    if (header === undefined || claims === undefined || signature === undefined) return null
    if (more.length > 0) return null
    const { alg, kid } = decodeObject(header)
    const { iss, iat } = decodeObject(claims)
    if (alg !== 'ES256' || typeof kid !== 'string') return null
    if (typeof iss !== 'string' || typeof iat !== 'number') return null
    const key = this.#keys.get(kid)
    if (key?.teamId !== iss) return null
    if (!signatureIsGood(`${header}.${claims}`, signature, key.publicKey)) return null
    const { teamId, topics, environments } = key
    return { keyId: kid, teamId, issuedAtMs: iat * 1000, topics, environments }
  }
}

function signatureIsGood(signed: string, signature: string, publicKey: KeyObject): boolean {
  const bytes = Buffer.from(signature, 'base64url')
  if (bytes.length !== ES256_SIGNATURE_BYTES) return false
  const key = { key: publicKey, dsaEncoding: 'ieee-p1363' } as const
  return verify('sha256', Buffer.from(signed), key, bytes)
}

function decodeObject(part: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'))
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}

function generateKeyPem(): string {
  return generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  }).privateKey
}

function readPublicKey(pem: string): KeyObject {
  const key = parseKey(pem)
  if (key?.asymmetricKeyDetails?.namedCurve === 'prime256v1') return key
  throw new SimulatorError('BAD_INPUT', 'key is not a P-256 key in PEM, as in a .p8 file')
}

function parseKey(pem: string): KeyObject | null {
  try {
    return createPublicKey(pem)
  } catch {
    return null
  }
}

function makeId(): string {
  return Array.from({ length: ID_LENGTH }, () => ID_CHARACTERS[randomInt(36)]).join('')
}
