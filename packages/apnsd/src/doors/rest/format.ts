import type { App } from '../../core/apps/app.ts'
import type { AppWarning } from '../../core/apps/expiry.ts'
import type { Refusal } from '../../core/notifications/refusal.ts'
import type { NotificationRequest } from '../../core/notifications/request.ts'
import type { BatchRecord, DeliveryStatus, NotificationRecord } from '../../core/ports.ts'
import type { Receipt } from '../../core/provider-requests.ts'
import { formatTime } from './format-time.ts'

/** What may be shown of an app: never the secret itself. */
export function formatApp(
  { id, environment, topic, credential, credentialFile, policy, reachedAtMs }: App,
  delivery: DeliveryStatus,
  warnings: readonly AppWarning[],
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
            ...(credentialFile === undefined ? {} : { file: credentialFile }),
          }
        : {
            type: 'token',
            fingerprint: credential.fingerprint,
            keyId: credential.keyId,
            teamId: credential.teamId,
          },
    policy,
    warnings,
    reachedAt: formatTimeOrNull(reachedAtMs),
    delivery: {
      state: delivery.state,
      why: delivery.why,
      since: formatTimeOrNull(delivery.sinceMs),
      nextTryAt: formatTimeOrNull(delivery.nextTryAtMs),
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
    timestamp: formatTimeOrNull(detail?.timestampMs ?? null),
    wrongEnvironment: detail?.isOtherEnvironment === true,
    nextAttempt: next === null ? null : { at: formatTime(next.atMs), reason: next.reason },
  }
}

export function formatBatch({ batchId, appId, options, counts, ...record }: BatchRecord) {
  return {
    batch: batchId,
    app: appId,
    enqueuedAt: formatTime(record.enqueuedAtMs),
    sendAt: formatTimeOrNull(options.sendAtMs === 0 ? null : options.sendAtMs),
    expiresAt: formatTimeOrNull(options.expiresAtMs),
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

const formatTimeOrNull = (ms: number | null): string | null => (ms === null ? null : formatTime(ms))
