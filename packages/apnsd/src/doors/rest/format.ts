import type { App } from '../../core/apps/app.ts'
import type { Refusal } from '../../core/notifications/refusal.ts'
import type { NotificationRequest } from '../../core/notifications/request.ts'
import type { BatchRecord, DeliveryStatus, NotificationRecord } from '../../core/ports.ts'
import type { Receipt } from '../../core/provider-requests.ts'

/** What may be shown of an app: never the secret itself. */
export function formatApp(
  { id, environment, topic, credential, policy, reachedAtMs }: App,
  delivery: DeliveryStatus,
) {
  return {
    app: id,
    environment,
    topic,
    credential:
      credential.type === 'certificate'
        ? {
            type: 'certificate',
            fingerprint: credential.fingerprint,
            topics: credential.topics,
            environments: credential.environments,
            hasAppleExtensions: credential.hasAppleExtensions,
            expiresAt: formatTime(credential.notAfterMs),
          }
        : {
            type: 'token',
            fingerprint: credential.fingerprint,
            keyId: credential.keyId,
            teamId: credential.teamId,
          },
    policy,
    reachedAt: formatTime(reachedAtMs),
    delivery: {
      state: delivery.state,
      why: delivery.why,
      since: formatTime(delivery.sinceMs),
      nextTryAt: formatTime(delivery.nextTryAtMs),
      connections: delivery.connections,
    },
  }
}

export function formatNotification(record: NotificationRecord) {
  const { apnsId, batchId, appId, deviceToken, state, detail, attempts, next } = record
  const reason = detail?.reason ?? ''
  return {
    apnsId,
    batch: batchId,
    app: appId,
    token: deviceToken,
    state,
    attempts,
    enqueuedAt: formatTime(record.enqueuedAtMs),
    status: detail?.status ?? null,
    reason: reason === '' ? null : reason,
    timestamp: formatTime(detail?.timestampMs ?? null),
    wrongEnvironment: detail?.isOtherEnvironment === true,
    nextAttempt: next === null ? null : { at: formatTime(next.atMs), reason: next.reason },
  }
}

export function formatBatch({ batchId, appId, options, counts, ...record }: BatchRecord) {
  return {
    batch: batchId,
    app: appId,
    enqueuedAt: formatTime(record.enqueuedAtMs),
    sendAt: formatTime(options.sendAtMs === 0 ? null : options.sendAtMs),
    expiresAt: formatTime(options.expiresAtMs),
    rate: options.ratePerS,
    cancelled: record.isCancelled,
    counts,
    reasons: Object.fromEntries(record.reasons),
  }
}

export function formatReceipt({ batchId, queued, refused, refusedCount }: Receipt) {
  return { batch: batchId, queued, refused: refused.map(formatRefusal), refusedCount }
}

/** The fields of a notification as this door calls them, where the core has another name. */
const FIELDS: Partial<Record<keyof NotificationRequest, string>> = {
  deviceToken: 'token',
  expirationEpochS: 'expiration',
}

export function formatRefusal({ index, code, detail, field }: Refusal) {
  return { index, code, detail, field: field === null ? null : (FIELDS[field] ?? field) }
}

function formatTime(ms: number): string
function formatTime(ms: number | null): string | null
function formatTime(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString()
}
