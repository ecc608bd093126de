import type { FastifyInstance } from 'fastify'
import type { HealthView } from '../../core/health.ts'

/** `GET /readyz`: 200 where the daemon can take and send, 503 where not, with what is wrong either way. */
export function healthDoor(view: () => HealthView): (server: FastifyInstance) => Promise<void> {
  return async (server) => {
    server.get('/readyz', async (_request, reply) => {
      const { status, problems, facts } = view()
      return reply.code(status === 'ready' ? 200 : 503).send({
        status,
        ...facts,
        problems: problems.map(({ sinceMs, ...problem }) => ({
          ...problem,
          since: new Date(sinceMs).toISOString(),
        })),
      })
    })
  }
}
