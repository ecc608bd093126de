import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance } from 'fastify'
import { ApnsdError } from '../../base/errors.ts'
import type { Provider } from '../../core/provider.ts'
import type { CredentialSource } from '../../core/provider-requests.ts'
import { feedbackRoutes } from './feedback.ts'
import { formatApp } from './format.ts'
import { AppPath, type CredentialBody, PutApp } from './schemas.ts'

/** Apps over REST. */
export function restDoor(provider: Provider): (server: FastifyInstance) => Promise<void> {
  return async (instance) => {
    const server = instance.withTypeProvider<TypeBoxTypeProvider>()
    const show = (appId: string) => {
      const app = provider.app(appId)
      return formatApp(app, provider.deliveryStatus(appId), provider.warnings(app))
    }

    server.get('/healthz', async () => ({ status: 'alive' }))

    server.put('/v1/apps/:app', { schema: { params: AppPath, body: PutApp } }, async (request) => {
      const { environment, topic, credential, policy } = request.body
      await provider.provision({
        appId: request.params.app,
        environment,
        credential: toCredentialSource(credential),
        ...(topic === undefined ? {} : { topic }),
        ...(policy === undefined ? {} : { policy }),
      })
      return show(request.params.app)
    })

    server.get('/v1/apps', async () => ({ apps: provider.apps().map(({ id }) => show(id)) }))

    server.get('/v1/apps/:app', { schema: { params: AppPath } }, async (request) =>
      show(request.params.app),
    )

    server.delete('/v1/apps/:app', { schema: { params: AppPath } }, async (request, reply) => {
      await provider.removeApp(request.params.app)
      return reply.code(204).send()
    })

    feedbackRoutes(instance, provider)
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
