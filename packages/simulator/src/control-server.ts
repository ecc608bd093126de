import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { CONTROL_CALLS, type ControlCall, type ControlledSimulator } from './control-calls.ts'
import { SimulatorError } from './errors.ts'
import { urlHost } from './url-host.ts'

/** A script of ten thousand rules fits. */
const MAX_BODY_BYTES = 1024 * 1024

/** Is an answer other than 200, decided before a call runs. */
class Refusal extends Error {
  readonly status: number
  readonly allow: string | null

  constructor(status: number, message: string, allow: string | null = null) {
    super(message)
    this.status = status
    this.allow = allow
  }
}

/** Serves the simulator's control calls: plain HTTP, JSON. For tests only, so without access control. */
export class ControlServer {
  readonly #server: Server
  readonly #host: string
  #simulator: ControlledSimulator | null = null

  private constructor(host: string) {
    this.#host = host
    this.#server = createServer((request, response) => void this.#answer(request, response))
    this.#server.on('clientError', (_error, socket) => socket.destroy())
  }

  /** Starts a server and waits until it listens; port 0 picks a free one. Rejects when the address cannot be had. */
  static async listen(at: { host: string; port: number }): Promise<ControlServer> {
    const control = new ControlServer(at.host)
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    control.#server.once('error', reject)
    control.#server.listen(at, resolve)
    await promise
    control.#server.off('error', reject)
    control.#server.on('error', ignore)
    return control
  }

  get url(): string {
    const { port } = this.#server.address() as AddressInfo
    return `http://${urlHost(this.#host)}:${port}`
  }

  /** Answers for this simulator from now on. */
  serve(simulator: ControlledSimulator): void {
    this.#simulator = simulator
  }

  /** Destroys all connections and stops listening. */
  async close(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#server.close(() => resolve())
    this.#server.closeAllConnections()
    await promise
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on('error', ignore)
    try {
      send(response, 200, await this.#call(request))
    } catch (error) {
      sendError(response, error)
    }
  }

  async #call(request: IncomingMessage): Promise<unknown> {
    if (this.#simulator === null) throw new Refusal(503, 'the simulator is starting')
    const url = new URL(request.url ?? '/', 'http://control')
    const { call, parameter } = findCall(request.method ?? 'GET', url.pathname)
    const input = call.takesBody ? await readJson(request) : {}
    return call.run({ simulator: this.#simulator, parameter, query: url.searchParams, input })
  }
}

function findCall(method: string, path: string): { call: ControlCall; parameter: string } {
  const calls = CONTROL_CALLS.flatMap((call) => {
    const match = call.pattern.exec(path)
    return match === null ? [] : [{ call, parameter: match[1] ?? '' }]
  })
  if (calls.length === 0) throw new Refusal(404, `there is nothing at ${path}; see GET /`)
  const found = calls.find(({ call }) => call.method === method)
  if (found !== undefined) return found
  const allow = calls.map(({ call }) => call.method).join(', ')
  throw new Refusal(405, `${path} takes ${allow}`, allow)
}

/** An empty body counts as `{}`: all the fields of some calls may be left out. */
async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > MAX_BODY_BYTES) throw new Refusal(413, `the body is over ${MAX_BODY_BYTES} bytes`)
    chunks.push(chunk)
  }
  const text = Buffer.concat(chunks).toString('utf8')
  if (text === '') return {}
  try {
    return JSON.parse(text)
  } catch {
    throw new Refusal(400, 'the body is not JSON')
  }
}

function send(response: ServerResponse, status: number, result: unknown): void {
  if (result === undefined) {
    response.writeHead(204).end()
    return
  }
  const isText = typeof result === 'string'
  const type = isText ? 'application/x-pem-file' : 'application/json'
  response.writeHead(status, { 'content-type': type })
  response.end(isText ? result : `${JSON.stringify(result)}\n`)
}

function sendError(response: ServerResponse, error: unknown): void {
  const status = statusOf(error)
  if (error instanceof Refusal && error.allow !== null) response.setHeader('allow', error.allow)
  // What is left of a body that was not read to its end would be taken for the next request.
  if (status === 413) response.setHeader('connection', 'close')
  send(response, status, { error: error instanceof Error ? error.message : String(error) })
}

function statusOf(error: unknown): number {
  if (error instanceof Refusal) return error.status
  if (!(error instanceof SimulatorError)) return 500
  return error.code === 'NOT_FOUND' ? 404 : 400
}

function ignore(): void {}
