import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance } from 'fastify'
import { MAX_FEEDBACK_PAGE, type Provider } from '../../core/provider.ts'
import type { FeedbackRecord } from '../../core/provider-requests.ts'
import { formatCursor, parseCursor } from './cursor.ts'
import { formatTime } from './format-time.ts'
import { AppPath, FeedbackQuery } from './schemas.ts'

const CURSOR_KIND = 'feedback'

/**
 * `GET /v1/apps/{app}/feedback?after=CURSOR&limit=N`: device tokens that Apple declared dead, and suspects, in the order
 * in which they were recorded. Reading takes nothing away. `next` is where to go on, now or days later; it is null while
 * there has never been an entry.
 */
export function feedbackRoutes(instance: FastifyInstance, provider: Provider): void {
  const server = instance.withTypeProvider<TypeBoxTypeProvider>()
  server.get(
    '/v1/apps/:app/feedback',
    { schema: { params: AppPath, querystring: FeedbackQuery } },
    async ({ params: { app }, query: { after, limit } }) => {
      const { records, next, hasMore } = await provider.readFeedback(
        app,
        after === undefined ? 0 : parseCursor(CURSOR_KIND, app, after),
        limit === undefined ? MAX_FEEDBACK_PAGE : Number(limit),
      )
      return {
        feedback: records.map(formatRecord),
        next: next === 0 ? null : formatCursor(CURSOR_KIND, app, next),
        more: hasMore,
      }
    },
  )
}

const formatRecord = (record: FeedbackRecord) => ({
  token: record.deviceToken,
  reason: record.reason,
  status: record.status,
  timestamp: formatTime(record.timestampMs),
  recordedAt: formatTime(record.recordedAtMs),
  suspect: record.isSuspect,
})
