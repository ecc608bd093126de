import type { Credential } from '@apnsd/apns'
import type { InDoubtPolicy } from '../policy/retry.ts'

/** Where Apple delivers: device tokens of one are unknown in the other. */
export const ENVIRONMENTS = ['sandbox', 'production'] as const
export type Environment = (typeof ENVIRONMENTS)[number]

/** How an app wants its notifications treated where more than one way is right. */
export interface AppPolicy {
  /** What is done where it is not known whether Apple took a notification: `resend` unless told otherwise. */
  readonly inDoubt: InDoubtPolicy
  /** Whether what one environment answers with BadDeviceToken is tried in the other, once; false unless told otherwise. */
  readonly tryOtherEnvironment: boolean
  /**
   * Whether the app is paused when Apple rejects nearly all its device tokens, since then its environment or topic is
   * wrong; true unless told otherwise.
   */
  readonly deviceTokenBreaker: boolean
}

export const DEFAULT_POLICY: AppPolicy = {
  inDoubt: 'resend',
  tryOtherEnvironment: false,
  deviceTokenBreaker: true,
}

/** What an application sends under: a name of its own choice, bound to Apple's topic by a credential. */
export interface App {
  /** 1 to 200 characters, chosen by whoever provisions; XML-RPC calls it `app_id`. */
  readonly id: string
  readonly environment: Environment
  /** The bundle identifier, or whatever topic the credential stands for; push types add their suffix when sending. */
  readonly topic: string
  readonly credential: Credential
  /** The file beside the daemon that the credential was read from, an absolute path; absent where it came with the call. */
  readonly credentialFile?: string
  /** How long a call may wait for the first connection with a new credential, in seconds. */
  readonly connectTimeoutS: number
  readonly policy: AppPolicy
  /**
   * When a connection with this very credential first reached Apple, in ms since the epoch; null while none has. From
   * then on an outage is absorbed by the queue and no call waits for Apple any more.
   */
  readonly reachedAtMs: number | null
}

/** True where both say the same to Apple, so that provisioning one after the other changes nothing. */
export function isSameApp(one: App, other: App): boolean {
  return (
    one.id === other.id &&
    one.environment === other.environment &&
    one.topic === other.topic &&
    one.credential.fingerprint === other.credential.fingerprint &&
    one.credentialFile === other.credentialFile &&
    one.connectTimeoutS === other.connectTimeoutS &&
    one.policy.inDoubt === other.policy.inDoubt &&
    one.policy.tryOtherEnvironment === other.policy.tryOtherEnvironment &&
    one.policy.deviceTokenBreaker === other.policy.deviceTokenBreaker
  )
}

/** True where a connection made for one serves the other: same environment, same credential. */
export function sharesConnection(one: App, other: App): boolean {
  return (
    one.environment === other.environment &&
    one.credential.fingerprint === other.credential.fingerprint
  )
}
