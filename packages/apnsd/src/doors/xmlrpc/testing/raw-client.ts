import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

/** An HTTP response as it came over the socket. */
export interface RawResponse {
  status: number
  /** By lower-case name. */
  headers: Map<string, string>
  body: string
}

/** One connection, to write any bytes to and read responses from. Closed by `close`, or by its peer. */
export class RawClient {
  readonly #socket: Socket
  #received: Buffer = Buffer.alloc(0)
  #wake: () => void = () => {}
  /** Resolves once the connection is closed, whoever did it. */
  readonly closed: Promise<void>
  isClosed = false

  private constructor(socket: Socket) {
    this.#socket = socket
    // a reset shows as a closed connection
    socket.on('error', () => {})
    socket.on('data', (bytes: Buffer) => {
      this.#received = Buffer.concat([this.#received, bytes])
      this.#wake()
    })
    this.closed = new Promise((resolve) => {
      socket.on('close', () => {
        this.isClosed = true
        this.#wake()
        resolve()
      })
    })
  }

  static async connect(port: number): Promise<RawClient> {
    const socket = connect(port, '127.0.0.1')
    await once(socket, 'connect')
    return new RawClient(socket)
  }

  /** Writes bytes, and waits while the peer does not take them. */
  async write(bytes: string | Buffer): Promise<void> {
    if (!this.#socket.write(bytes) && !this.isClosed) {
      await Promise.race([once(this.#socket, 'drain').catch(() => {}), this.closed])
    }
  }

  /** Writes a POST with a Content-Length. */
  async post(body: string | Buffer, fields: string[] = [], path = '/'): Promise<void> {
    const bytes = Buffer.from(body)
    const head = [
      `POST ${path} HTTP/1.1`,
      'Host: localhost',
      ...fields,
      `Content-Length: ${bytes.length}`,
    ]
    await this.write(`${head.join('\r\n')}\r\n\r\n`)
    await this.write(bytes)
  }

  /** Reads the next response, whose length must be declared. */
  async readResponse(): Promise<RawResponse> {
    for (;;) {
      const response = this.#takeResponse()
      if (response !== undefined) return response
      if (this.isClosed) throw new Error('the connection closed before a response was complete')
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  close(): void {
    this.#socket.destroy()
  }

  #takeResponse(): RawResponse | undefined {
    const headEnd = this.#received.indexOf('\r\n\r\n')
    if (headEnd === -1) return undefined
    const [statusLine = '', ...lines] = this.#received.toString('latin1', 0, headEnd).split('\r\n')
    const headers = new Map(lines.map(parseField))
    const length = Number(headers.get('content-length'))
    if (Number.isNaN(length)) throw new Error(`no Content-Length: ${statusLine}`)
    const end = headEnd + 4 + length
    if (this.#received.length < end) return undefined
    const body = this.#received.toString('utf8', headEnd + 4, end)
    this.#received = this.#received.subarray(end)
    return { status: Number(statusLine.split(' ')[1]), headers, body }
  }
}

function parseField(line: string): [string, string] {
  const colon = line.indexOf(':')
  return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
}
