import { Readable } from 'node:stream'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance } from 'fastify'
import { ApnsdError } from '../../base/errors.ts'
import type { Provider } from '../../core/provider.ts'
import type { Receipt } from '../../core/provider-requests.ts'
import { formatBatch, formatNotification, formatReceipt, formatRefusal } from './format.ts'
import { takeNdjson } from './ndjson-submission.ts'
import {
  BatchPath,
  IdempotencyHeader,
  PageQuery,
  Submission,
  SubmissionQuery,
} from './notification-schemas.ts'
import { readIdempotency, readOptions, readRequests } from './read-submission.ts'
import { AppPath, NotificationPath } from './schemas.ts'

/** As XML-RPC's door takes; what is larger goes as NDJSON. */
const MAX_BODY_BYTES = 32 * 1024 * 1024
const NDJSON = 'application/x-ndjson'
const DEFAULT_PAGE = 100
const LARGEST_PAGE = 1000

/** Notifications over REST: hand them in, follow them, take them back. */
export function notificationsDoor(provider: Provider): (server: FastifyInstance) => Promise<void> {
  return async (instance) => {
    const server = instance.withTypeProvider<TypeBoxTypeProvider>()

    // a stream is left to the route, which reads it as it comes
    server.addContentTypeParser(NDJSON, (_request, stream, done) => done(null, stream))

    server.post(
      '/v1/apps/:app/notifications',
      {
        bodyLimit: MAX_BODY_BYTES,
        schema: {
          params: AppPath,
          querystring: SubmissionQuery,
          headers: IdempotencyHeader,
          body: { content: { 'application/json': { schema: Submission } } },
        },
      },
      async ({ body, params, query, headers }, reply) => {
        const key = headers['idempotency-key']
        const receipt =
          body instanceof Readable
            ? await takeNdjson(
                await provider.openStream(params.app, readOptions(query), key),
                body as AsyncIterable<Uint8Array>,
              )
            : await takeJson(params.app, body as Submission, key)
        return reply.code(202).send(formatReceipt(receipt))
      },
    )

    const takeJson = (appId: string, body: Submission, key: string | undefined): Promise<Receipt> =>
      provider.submit(appId, readRequests(body), {
        ...readOptions(body),
        idempotency: readIdempotency(key, body),
      })

    server.post(
      '/v1/apps/:app/validate',
      { bodyLimit: MAX_BODY_BYTES, schema: { params: AppPath, body: Submission } },
      async ({ body, params }) => ({
        refused: provider.check(params.app, readRequests(body)).map(formatRefusal),
      }),
    )

    server.get('/v1/notifications/:id', { schema: { params: NotificationPath } }, async (request) =>
      formatNotification(await provider.notification(request.params.id)),
    )

    server.get('/v1/batches/:batch', { schema: { params: BatchPath } }, async (request) =>
      formatBatch(await provider.batch(request.params.batch)),
    )

    server.get(
      '/v1/batches/:batch/notifications',
      { schema: { params: BatchPath, querystring: PageQuery } },
      async ({ params, query }) => {
        const limit = Math.min(LARGEST_PAGE, Number(query.limit ?? DEFAULT_PAGE))
        if (limit < 1)
          throw new ApnsdError('invalid-argument', 'The limit is 0.', { place: '/limit' })
        const after = query.after === undefined ? -1 : Number(query.after)
        const records = await provider.batchNotifications(params.batch, after + 1, limit)
        const last = records.at(-1)
        return {
          notifications: records.map((record) => ({
            index: record.index,
            ...formatNotification(record),
          })),
          next: last !== undefined && records.length === limit ? String(last.index) : null,
        }
      },
    )

    server.delete('/v1/batches/:batch', { schema: { params: BatchPath } }, async (request) =>
      formatBatch(await provider.cancelBatch(request.params.batch)),
    )
  }
}
