/** @apnsd/apns as the benchmark's processes use it. */
import {
  ApnsClient,
  type ApnsClientOptions,
  type ApnsNotification,
  type NotificationSource,
  readSigningKey,
  type SendResult,
} from '@apnsd/apns'
import {
  apnsIdOf,
  deviceTokenOf,
  isApnsIdOf,
  KEY_ID,
  PAYLOAD,
  PRIORITY,
  PUSH_TYPE,
  TEAM_ID,
  TOPIC,
} from '../../common/work.ts'
import type { Fault, Ledger } from '../ledger.ts'
import type { Parts } from './contest.ts'

export const PAYLOAD_OCTETS: Uint8Array = Buffer.from(PAYLOAD)

export async function connectClient(
  { url, authority, signingKey }: Parts,
  options: Partial<ApnsClientOptions>,
): Promise<ApnsClient> {
  const client = new ApnsClient({
    url,
    ca: [authority],
    credential: readSigningKey(signingKey, KEY_ID, TEAM_ID),
    ...options,
  })
  await client.connect()
  return client
}

export function notificationAt(index: number): ApnsNotification {
  return {
    deviceToken: deviceTokenOf(index),
    payload: PAYLOAD_OCTETS,
    topic: TOPIC,
    pushType: PUSH_TYPE,
    priority: PRIORITY,
    apnsId: apnsIdOf(index),
  }
}

/** What is wrong with a result that is not our own notification's acceptance. */
export function faultOf(index: number, result: SendResult): Fault {
  switch (result.type) {
    case 'accepted':
      return isApnsIdOf(result.apnsId, index) ? null : 'an outcome came with another apns-id'
    case 'rejected':
      return `answered ${result.status} ${result.reason}`.trim()
    case 'notProcessed':
    case 'inDoubt':
    case 'invalid':
      return `${result.type}: ${result.cause}`
  }
}

/** The notifications from `start` up to `end` of a ledger. */
export function sourceOf(ledger: Ledger, start: number, end: number): NotificationSource {
  return {
    length: end - start,
    take: (offset) => notificationAt(start + offset),
    settled: (offset, result) => ledger.settle(start + offset, faultOf(start + offset, result)),
  }
}
