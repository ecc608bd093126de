import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { ApnsdError, ERRORS, toApnsdError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { refuseBrowsers } from './browser-guard.ts'

/** A request's header and body must be here by then, however slowly they come. */
const REQUEST_TIMEOUT_MS = 60_000
/** Clients that call now and then keep their connection for so long between calls. */
const KEEP_ALIVE_TIMEOUT_MS = 75_000

/** Bytes of a part of a path: the longest name of an app, each character escaped, and some. */
const MAX_PARAM_LENGTH = 4096

/** Makes the HTTP server that all doors share: limits, the guard against browsers, errors as problem details. */
export function createHttpServer(log: Log): FastifyInstance {
  const server = Fastify({
    logger: false,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
    frameworkErrors: (error, request, reply) =>
      void sendProblem(toProblem(error), request, reply, log),
    // say what is wrong with a request rather than bend it until it fits
    ajv: { customOptions: { removeAdditional: false, coerceTypes: false, discriminator: true } },
  })
  // JSON is the one thing that calls take; XML-RPC's door sees to its own
  server.removeContentTypeParser('text/plain')
  server.addHook('onRequest', refuseBrowsers)
  server.setErrorHandler((error, request, reply) =>
    sendProblem(toProblem(error), request, reply, log),
  )
  server.setNotFoundHandler((request, reply) =>
    sendProblem(
      new ApnsdError(
        'unknown-path',
        `There is nothing at ${request.method} ${request.url.slice(0, 200)}.`,
      ),
      request,
      reply,
      log,
    ),
  )
  return server
}

interface FastifyFault {
  readonly code?: string
  readonly statusCode?: number
  readonly message?: string
  /** Where the fault lies: `body`, `querystring`, `params`. */
  readonly validationContext?: string
  readonly validation?: readonly {
    readonly instancePath: string
    readonly message?: string
    readonly params?: { readonly additionalProperty?: string }
  }[]
}

/** What Fastify found wrong with a request, in our words. */
const UNREADABLE: Readonly<Record<string, string>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'The Content-Type is not application/json.',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'There is no body.',
  FST_ERR_CTP_INVALID_JSON_BODY: 'The body is not JSON.',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'The body is not as long as its Content-Length says.',
  FST_ERR_BAD_URL: 'The path is not encoded as a URL is.',
  FST_ERR_MAX_PARAM_LENGTH: 'A part of the path is too long.',
}

/** Gives Fastify's own refusals (a body that is no JSON, one that misses the schema) a code of ours. */
function toProblem(error: unknown): ApnsdError {
  if (error instanceof ApnsdError) return error
  const { validation, validationContext, statusCode, code } = error as FastifyFault
  const [fault] = validation ?? []
  if (fault !== undefined) {
    const name = fault.params?.additionalProperty
    const extra = name === undefined ? '' : `: ${name}`
    const whole = validationContext === 'querystring' ? 'The query' : 'The body'
    const subject = fault.instancePath === '' ? whole : fault.instancePath
    return new ApnsdError(
      'invalid-argument',
      `${subject} ${fault.message ?? 'is wrong'}${extra}.`,
      {
        place: fault.instancePath,
      },
    )
  }
  if (statusCode === 413)
    return new ApnsdError('request-too-large', 'The body is larger than this call takes.')
  if (statusCode !== undefined && statusCode < 500)
    return new ApnsdError('malformed-request', UNREADABLE[code ?? ''] ?? 'It cannot be read.', {
      cause: error,
    })
  return toApnsdError(error)
}

/** Answers with problem details. [RFC 9457] */
function sendProblem(
  error: ApnsdError,
  request: FastifyRequest,
  reply: FastifyReply,
  log: Log,
): FastifyReply {
  const { httpStatus } = ERRORS[error.code]
  // of the storage the log says once what is wrong, not for each call: see core/health.ts
  if (error.code === 'internal')
    log.error(
      { err: error, method: request.method, route: request.routeOptions.url },
      'a call failed',
    )
  if (error.retryAfterS !== undefined) reply.header('retry-after', error.retryAfterS)
  return reply
    .code(httpStatus)
    .type('application/problem+json')
    .send({
      type: `urn:apnsd:error:${error.code}`,
      title: error.code.replaceAll('-', ' '),
      status: httpStatus,
      code: error.code,
      detail: error.message,
      ...(error.place === undefined ? {} : { place: error.place }),
      ...(error.hint === undefined ? {} : { hint: error.hint }),
    })
}
