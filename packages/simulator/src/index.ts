/** A stand-in for Apple Push Notification service: real HTTP/2, real credentials, Apple's own reasons to refuse. */
export type { LabelledTopic } from './apple-extensions.ts'
export { Authority, type KeyedCertificate } from './authority.ts'
export type { ConnectionView } from './connection.ts'
export type { Alert, DeviceScreen, ShownNotification } from './devices.ts'
export type { Environment } from './environment.ts'
export { SimulatorError, type SimulatorErrorCode } from './errors.ts'
export type { Notification } from './notification-log.ts'
export type { IssuedKey, KeyRequest } from './provider-tokens.ts'
export { REASON_STATUS, type Reason } from './reasons.ts'
export type * from './script.ts'
export { Simulator } from './simulator.ts'
export type {
  CertificateOptions,
  IssuedCertificate,
  KillOptions,
  SimulatorOptions,
} from './simulator-options.ts'
export type { Death } from './validation.ts'
