import type { LabelledTopic } from './apple-extensions.ts'
import type { KeyedCertificate } from './authority.ts'
import type { Environment } from './environment.ts'
import type { Death } from './validation.ts'

/** Says how to run a simulator; every field may be left out. */
export interface SimulatorOptions {
  /** Where pushes are taken; 127.0.0.1 and a free port when left out. */
  listen?: { host: string; port: number }
  /** Where the control server listens; as above. Null runs none. */
  control?: { host: string; port: number } | null
  /** Which of Apple's services to be: certificates and keys of the other are refused. `any` (default) takes both. */
  environment?: Environment | 'any'
  /** Authority to use again, so that certificates it issued stay good after a restart; a new one when left out. */
  authority?: KeyedCertificate
  /** Folder that keeps the authority and the keys, so that what they are good for outlives a restart; none when left out. */
  folder?: string
  /** Streams that an authenticated connection may have open at once; 1000 when left out. */
  streamLimit?: number
  /** Milliseconds since the epoch; `Date.now` when left out. */
  now?: () => number
}

/** Says what push certificate to issue. */
export interface CertificateOptions {
  /** Main topic, usually the bundle ID. */
  topic: string
  /** Both when left out; one alone makes an old-style certificate. */
  environments?: Environment[]
  /**
   * Topics to list in Apple's extension. When left out: those of a universal certificate (the topic, `.voip` and
   * `.complication`) where it is good for both environments, else no list, and so the main topic alone.
   */
  topics?: LabelledTopic[]
  /** False for a plain certificate with nothing but subject UID and CN; good for production, as Apple's are. */
  appleExtensions?: boolean
  /** A day ago when left out. */
  notBefore?: Date
  /** In a year when left out. */
  notAfter?: Date
}

/** Holds a push certificate and its key; `pem` is both in one text, certificate first. */
export interface IssuedCertificate extends KeyedCertificate {
  pem: string
}

/** Says how a device token died. */
export interface KillOptions {
  /** `Unregistered` when left out. */
  reason?: Death['reason']
  /** Since when; now when left out. Milliseconds since the epoch. */
  timestampMs?: number
}
