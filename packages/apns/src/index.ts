export {
  ApnsClient,
  type NotificationSource,
  type NotificationToSend,
} from './client.ts'
export type { ApnsClientOptions, ClientEvent } from './client-options.ts'
export { ConnectLimiter } from './connect-limiter.ts'
export { type ConnectionTimings, DEFAULT_TIMINGS } from './connection.ts'
export {
  type ApnsEnvironment,
  type CertificateCredential,
  readCertificate,
} from './credentials/certificate.ts'
export type { CertificateFiles } from './credentials/certificate-files.ts'
export type { Credential } from './credentials/credential.ts'
export type { CredentialFile } from './credentials/credential-file.ts'
export { readSigningKey, type SigningKeyCredential } from './credentials/signing-key.ts'
export {
  ApnsError,
  ConnectError,
  CredentialError,
  type CredentialErrorCode,
  CredentialRefusedError,
  InDoubtError,
  InvalidNotificationError,
  NotProcessedError,
} from './errors.ts'
export { PUSH_TYPES, type PushType, type PushTypeFacts, topicFor } from './push-types.ts'
export {
  factsOfReason,
  type KnownReason,
  REASONS,
  type ReasonClass,
  type ReasonFacts,
} from './reasons.ts'
export type { ApnsNotification } from './request.ts'
export type {
  Accepted,
  Answer,
  InDoubt,
  Invalid,
  NotProcessed,
  Rejected,
  SendResult,
} from './response.ts'
export type { Lookup } from './tls/addresses.ts'
export { AuthorityError } from './tls/authorities.ts'
export { type Proxy, ProxyAddressError, proxyFor, readProxy } from './tls/proxy.ts'
