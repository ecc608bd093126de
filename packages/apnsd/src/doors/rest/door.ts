import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance } from 'fastify'
import { ApnsdError } from '../../base/errors.ts'
import type { App } from '../../core/apps/app.ts'
import type { AppWarning } from '../../core/apps/expiry.ts'
import type { NotificationRecord } from '../../core/ports.ts'
import type { Provider } from '../../core/provider.ts'
import type { CredentialSource } from '../../core/provider-requests.ts'
import { feedbackRoutes } from './feedback.ts'
import { formatTime } from './format-time.ts'
import { AppPath, type CredentialBody, NotificationPath, PutApp } from './schemas.ts'

/** JSON over HTTP: apps, and what became of a notification. */
export function restDoor(provider: Provider): (server: FastifyInstance) => Promise<void> {
  return async (instance) => {
    const server = instance.withTypeProvider<TypeBoxTypeProvider>()
    const show = (app: App) => formatApp(app, provider.warnings(app))

    server.get('/healthz', async () => ({ status: 'alive' }))

    server.put('/v1/apps/:app', { schema: { params: AppPath, body: PutApp } }, async (request) => {
      const { environment, topic, credential } = request.body
      await provider.provision({
        appId: request.params.app,
        environment,
        credential: toCredentialSource(credential),
        ...(topic === undefined ? {} : { topic }),
      })
      return show(provider.app(request.params.app))
    })

    server.get('/v1/apps', async () => ({ apps: provider.apps().map(show) }))

    server.get('/v1/apps/:app', { schema: { params: AppPath } }, async (request) =>
      show(provider.app(request.params.app)),
    )

    server.delete('/v1/apps/:app', { schema: { params: AppPath } }, async (request, reply) => {
      await provider.removeApp(request.params.app)
      return reply.code(204).send()
    })

    feedbackRoutes(instance, provider)

    server.get('/v1/notifications/:id', { schema: { params: NotificationPath } }, async (request) =>
      formatNotification(await provider.notification(request.params.id)),
    )
  }
}

function toCredentialSource(credential: CredentialBody): CredentialSource {
  if (credential.type === 'token') return credential
  const { pem, key, pkcs12, passphrase } = credential
  const rest = passphrase === undefined ? {} : { passphrase }
  if (pem !== undefined && pkcs12 === undefined)
    return { type: 'certificate', pem, ...(key === undefined ? {} : { key }), ...rest }
  if (pkcs12 !== undefined && pem === undefined && key === undefined)
    return { type: 'certificate', pkcs12, ...rest }
  throw new ApnsdError(
    'invalid-argument',
    'A certificate is given as `pem`, with `key` beside it where the key is apart, or else as `pkcs12`.',
    { place: '/credential' },
  )
}

/** What may be shown of an app: never the secret itself. */
function formatApp(
  { id, environment, topic, credential, credentialFile, reachedAtMs }: App,
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
    warnings,
    reachedAt: reachedAtMs === null ? null : formatTime(reachedAtMs),
  }
}

function formatNotification(record: NotificationRecord) {
  const { apnsId, batchId, appId, deviceToken, state, detail, attempts, enqueuedAtMs } = record
  return {
    apnsId,
    batch: batchId,
    app: appId,
    token: deviceToken,
    state,
    attempts,
    enqueuedAt: formatTime(enqueuedAtMs),
    status: detail?.status ?? null,
    reason: detail?.reason ?? null,
    timestamp: detail?.timestampMs === undefined ? null : formatTime(detail.timestampMs),
  }
}
