import { Readable } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { ApnsdError, ERRORS } from '../../base/errors.ts'
import type { ProviderCalls } from '../../core/provider-requests.ts'
import { CallReader, type MethodCall } from './call-reader.ts'
import { type Fault, isUnexpected, retryAfterOf, toFault } from './faults.ts'
import { formatFault, formatResponse } from './format-message.ts'
import { createPyapnsMethods, type Method } from './methods.ts'
import { ClientGone, discardBody, readBody } from './request-body.ts'
import { createSystemMethods, findMethod } from './system-methods.ts'
import type { XmlRpcValue } from './values.ts'

/** Where the door writes what it must not answer. pino's loggers are such a log. */
export interface DoorLog {
  error(fields: { err: unknown }, message: string): void
}

/** pyapns answered on every path under plain Twisted, and on `/` alone under its sample `.tac`. */
const PATHS = ['/', '/RPC2']

/** All but POST, which is the one that is answered. OPTIONS without an Origin is no browser's question. */
const OTHER_METHODS = ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']

const XML = 'text/xml; charset=utf-8'
const TEXT = 'text/plain; charset=utf-8'

/** The request's Content-Type, which we keep from Fastify: see {@link hideContentType}. */
const CONTENT_TYPE = 'xmlrpcContentType'

/**
 * Makes the Fastify plugin that answers XML-RPC at `POST /` and `POST /RPC2`, as pyapns 0.4 did, so that its clients run
 * unchanged. Every answer is HTTP 200, faults too, but for what is no XML-RPC at all: 403 to browsers, 405 to GET.
 *
 * Register it without fastify-plugin: it takes bodies of every type, which must stay its own affair. It sets no
 * deadline for a body that never ends: the server's `requestTimeout` does.
 */
export function xmlrpcDoor(
  calls: ProviderCalls,
  log: DoorLog,
): (server: FastifyInstance) => Promise<void> {
  const dispatcher = new Dispatcher(calls, log)
  return async (server) => {
    server.removeAllContentTypeParsers()
    // the route reads the stream itself, and parses while it arrives
    server.addContentTypeParser('*', (_request, _payload, done) => done(null))
    server.decorateRequest(CONTENT_TYPE, '')
    server.addHook('onRequest', async (request) => hideContentType(request))
    server.setErrorHandler((error, _request, reply) => {
      if (isForbidden(error)) return sendForbidden(reply, error)
      return sendThrown(dispatcher, reply, error)
    })
    for (const url of PATHS) {
      server.post(url, (request, reply) => answer(dispatcher, request, reply))
      server.route({
        url,
        method: OTHER_METHODS,
        exposeHeadRoute: false,
        handler: (_request, reply) => refuseMethod(reply),
      })
    }
  }
}

/** The server around this door refuses browsers; see browser-guard.ts. */
function isForbidden(error: unknown): error is ApnsdError {
  return error instanceof ApnsdError && error.code === 'forbidden-origin'
}

/** Answers 403, not a fault: whoever is refused here speaks no XML-RPC. */
function sendForbidden(reply: FastifyReply, error: ApnsdError): FastifyReply {
  return reply
    .code(ERRORS[error.code].httpStatus)
    .header('connection', 'close')
    .type(TEXT)
    .send(`${toFault(error).faultString}\n`)
}

function refuseMethod(reply: FastifyReply): FastifyReply {
  return reply
    .code(405)
    .header('allow', 'POST')
    .type(TEXT)
    .send('This is XML-RPC: POST a <methodCall> here, for example of system.listMethods.\n')
}

/** Keeps Fastify from answering 415 to a Content-Type that it cannot read: pyapns never looked at it. */
function hideContentType(request: FastifyRequest): void {
  const { headers } = request.raw
  request.setDecorator(CONTENT_TYPE, headers['content-type'] ?? '')
  delete headers['content-type']
}

async function answer(
  dispatcher: Dispatcher,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  let call: MethodCall
  try {
    call = await readCall(request)
  } catch (thrown) {
    if (thrown instanceof ClientGone) return reply.hijack()
    return refuseBody(request, reply, dispatcher.answerThrown(thrown))
  }
  try {
    const result = await dispatcher.dispatch(call.method, call.params, call.isJson)
    return reply.type(XML).send(formatResponse(result))
  } catch (thrown) {
    return sendThrown(dispatcher, reply, thrown)
  }
}

async function readCall(request: FastifyRequest): Promise<MethodCall> {
  const coding = request.headers['content-encoding'] ?? 'identity'
  if (coding.trim().toLowerCase() !== 'identity') {
    throw new ApnsdError('malformed-request', 'The body has a Content-Encoding.', {
      hint: 'Send it as it is, not compressed.',
    })
  }
  const reader = new CallReader(request.getDecorator<string>(CONTENT_TYPE))
  await readBody(request.raw, (chunk) => reader.write(chunk))
  return reader.end()
}

/** Answers with the fault for what a call threw. Whoever reads no fault texts finds the time to wait in the header. */
function sendThrown(dispatcher: Dispatcher, reply: FastifyReply, thrown: unknown): FastifyReply {
  const retryAfterS = retryAfterOf(thrown)
  if (retryAfterS !== undefined) reply.header('retry-after', retryAfterS)
  return sendFault(reply, dispatcher.answerThrown(thrown))
}

function sendFault(reply: FastifyReply, { faultCode, faultString }: Fault): FastifyReply {
  return reply.code(200).type(XML).send(formatFault(faultCode, faultString))
}

/**
 * Answers a body at once that is refused before its end. The answer is a whole one, but the response ends only when the
 * rest of the body has passed: until then closing the connection could destroy the answer on its way, and afterwards it
 * serves the next request. A body that goes on for too long has its connection closed.
 */
function refuseBody(request: FastifyRequest, reply: FastifyReply, fault: Fault): FastifyReply {
  const { raw } = request
  if (raw.complete) {
    raw.resume()
    return sendFault(reply, fault)
  }
  const body = Buffer.from(formatFault(fault.faultCode, fault.faultString))
  reply.raw.once('finish', () => {
    if (!raw.complete) raw.socket.destroySoon()
  })
  return reply
    .code(200)
    .type(XML)
    .header('content-length', body.length)
    .send(Readable.from(sendThenDiscard(body, request)))
}

async function* sendThenDiscard(body: Buffer, { raw }: FastifyRequest): AsyncGenerator<Buffer> {
  yield body
  await discardBody(raw)
}

/** Runs calls, and turns what they throw into faults. */
class Dispatcher {
  readonly #methods: Map<string, Method>
  readonly #log: DoorLog

  constructor(calls: ProviderCalls, log: DoorLog) {
    this.#log = log
    this.#methods = createPyapnsMethods(calls)
    const system = createSystemMethods(
      this.#methods,
      (method, params, isJson) => this.dispatch(method, params, isJson),
      (thrown) => this.answerThrown(thrown),
    )
    for (const [name, method] of system) this.#methods.set(name, method)
  }

  async dispatch(
    method: string,
    params: readonly XmlRpcValue[],
    isJson: boolean,
  ): Promise<XmlRpcValue> {
    return findMethod(this.#methods, method).run(params, isJson)
  }

  /** The fault for what a call threw; the log gets what the caller must not see. */
  answerThrown(thrown: unknown): Fault {
    if (isUnexpected(thrown)) this.#log.error({ err: thrown }, 'an XML-RPC call failed')
    return toFault(thrown)
  }
}
