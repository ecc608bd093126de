import type { JsonObject } from './payload.ts'

/** One notification as it was handed in. Nothing in it has been checked. */
export interface NotificationRequest {
  deviceToken: string
  /** The whole dictionary, `aps` included. The same object for many notifications is encoded and stored once. */
  payload: JsonObject
  /** Apple's name; where absent, what the topic and the payload tell. */
  pushType?: string | undefined
  /** With or without the push type's suffix; where absent, the app's own. */
  topic?: string | undefined
  /** 10, 5 or 1; where absent, 5 for `background` and 10 for the rest. */
  priority?: number | undefined
  /**
   * UNIX seconds: Apple keeps it no longer for a device that is off, and it is not sent any more after. 0 asks Apple not
   * to keep it at all, and says nothing about how long it may wait here: that is the submission's ttl.
   */
  expirationEpochS?: number | undefined
  /** 1 to 64 bytes: replaces on the device what came before with the same. */
  collapseId?: string | undefined
}
