import type { CertificateIdentity } from './client-certificate.ts'
import type { Environment } from './environment.ts'
import type { ProviderToken } from './provider-tokens.ts'
import type { Reason } from './reasons.ts'

/** "The token must be younger than one hour." Apple, "Establishing a token-based connection". */
export const PROVIDER_TOKEN_MAX_AGE_MS = 3_600_000
/** A provider token must not change more than once in this time, on one connection. The same page. */
export const PROVIDER_TOKEN_UPDATE_WINDOW_MS = 1_200_000

const SCHEME = 'bearer '

/** Holds the provider token that a connection goes by: the last good one. */
export interface ProviderTokenBinding {
  /** The text of the token, as it came. */
  text: string
  keyId: string
  teamId: string
  /** Since when it is used on the connection. The first one counts: Apple is said to count from there on. [field] */
  changedAtMs: number
}

/** Holds what a connection has shown of itself so far. A client certificate makes provider tokens count for nothing. */
export interface ConnectionCredentials {
  certificate: CertificateIdentity | null
  binding: ProviderTokenBinding | null
}

/** Says what a request may push to. */
export interface Grant {
  /** Null for every topic. */
  topics: readonly string[] | null
  /** Topic of a request that names none; null when it must name one. */
  defaultTopic: string | null
  by: 'certificate' | 'providerToken'
  /** What the connection goes by from now on. */
  binding: ProviderTokenBinding | null
}

/** Holds what authentication needs of the simulator. */
export interface AuthenticationWorld {
  environment: Environment | 'any'
  /** Checks a provider token's form and signature; null when they are not good. */
  checkProviderToken(providerToken: string): ProviderToken | null
}

/** Decides what a request may push to, or why it may not push at all. Changes nothing. */
export function authenticate(
  authorization: string | undefined,
  connection: ConnectionCredentials,
  world: AuthenticationWorld,
  nowMs: number,
): Grant | Reason {
  return connection.certificate === null
    ? authenticateProviderToken(authorization, connection.binding, world, nowMs)
    : authenticateCertificate(connection.certificate, world, nowMs)
}

function authenticateCertificate(
  certificate: CertificateIdentity,
  world: AuthenticationWorld,
  nowMs: number,
): Grant | Reason {
  const inTime = certificate.notBeforeMs <= nowMs && nowMs <= certificate.notAfterMs
  if (!certificate.trusted || !inTime) return 'BadCertificate'
  if (!covers(certificate.environments, world)) return 'BadCertificateEnvironment'
  const { topics, defaultTopic } = certificate
  return { topics, defaultTopic, by: 'certificate', binding: null }
}

function authenticateProviderToken(
  authorization: string | undefined,
  binding: ProviderTokenBinding | null,
  world: AuthenticationWorld,
  nowMs: number,
): Grant | Reason {
  if (authorization === undefined) return 'MissingProviderToken'
  if (!authorization.startsWith(SCHEME)) return 'InvalidProviderToken'
  const text = authorization.slice(SCHEME.length)
  const token = world.checkProviderToken(text)
  if (token === null) return 'InvalidProviderToken'
  const reason = checkAge(token, nowMs) ?? checkConnection(token, text, binding, nowMs)
  if (reason !== null) return reason
  if (!covers(token.environments, world)) return 'BadEnvironmentKeyInToken'
  return {
    topics: token.topics,
    defaultTopic: null,
    by: 'providerToken',
    binding: binding?.text === text ? binding : bind(token, text, nowMs),
  }
}

/** That a token from over an hour ahead is refused is our inference: Apple names no tolerance. */
function checkAge(token: ProviderToken, nowMs: number): Reason | null {
  const ageMs = nowMs - token.issuedAtMs
  if (ageMs > PROVIDER_TOKEN_MAX_AGE_MS) return 'ExpiredProviderToken'
  return ageMs < -PROVIDER_TOKEN_MAX_AGE_MS ? 'InvalidProviderToken' : null
}

/** The first good token ties the connection to its team and key. Related keys are not modelled. */
function checkConnection(
  token: ProviderToken,
  text: string,
  binding: ProviderTokenBinding | null,
  nowMs: number,
): Reason | null {
  if (binding === null) return null
  if (binding.teamId !== token.teamId) return 'InvalidProviderToken'
  if (binding.keyId !== token.keyId) return 'UnrelatedKeyIdInToken'
  if (binding.text === text) return null
  const changedAgoMs = nowMs - binding.changedAtMs
  return changedAgoMs < PROVIDER_TOKEN_UPDATE_WINDOW_MS ? 'TooManyProviderTokenUpdates' : null
}

function bind({ keyId, teamId }: ProviderToken, text: string, nowMs: number): ProviderTokenBinding {
  return { text, keyId, teamId, changedAtMs: nowMs }
}

function covers(environments: readonly Environment[], world: AuthenticationWorld): boolean {
  return world.environment === 'any' || environments.includes(world.environment)
}
