/**
 * A TCP relay that holds bytes back: `node delay-relay.ts TARGET_PORT REPLY_TIME_MS`. Each direction waits half of the
 * reply time, and the bandwidth stays what it was, as on a long line. Prints its port; ends when its standard input does.
 */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

const HOST = '127.0.0.1'
/** What lies in one direction of one connection; more is left in the kernel. Some 500 MB/s at 75 ms. */
const MAX_HELD_BYTES = 40 * 1024 * 1024

const [targetPort = 0, replyTimeMs = 0] = process.argv.slice(2).map(Number)
const delayMs = replyTimeMs / 2

interface Held {
  readonly dueMs: number
  readonly bytes: Buffer
}

/** One direction of one connection. */
class Line {
  readonly #from: Socket
  readonly #to: Socket
  /** In the order in which they came, so in the order in which they are due. */
  #held: Held[] = []
  #heldBytes = 0
  #timer: NodeJS.Timeout | undefined

  constructor(from: Socket, to: Socket) {
    this.#from = from
    this.#to = to
  }

  start(): void {
    const from = this.#from
    from.setNoDelay(true)
    from.on('data', (bytes) => this.#take(bytes))
    from.on('error', () => undefined) // 'close' follows
    // what is still held is lost: by then every outcome of a run is known
    from.on('close', () => {
      clearTimeout(this.#timer)
      this.#to.destroy()
    })
  }

  #take(bytes: Buffer): void {
    this.#heldBytes += bytes.length
    if (this.#heldBytes > MAX_HELD_BYTES) this.#from.pause()
    if (delayMs === 0) {
      this.#write(bytes)
      return
    }
    this.#held.push({ dueMs: performance.now() + delayMs, bytes })
    this.#timer ??= setTimeout(() => this.#release(), delayMs)
  }

  /** Writes all that is due, at once. */
  #release(): void {
    this.#timer = undefined
    const now = performance.now()
    const firstLater = this.#held.findIndex(({ dueMs }) => dueMs > now)
    const due = this.#held.splice(0, firstLater === -1 ? this.#held.length : firstLater)
    this.#to.cork()
    for (const { bytes } of due) this.#write(bytes)
    this.#to.uncork()
    const [next] = this.#held
    if (next !== undefined) this.#timer = setTimeout(() => this.#release(), next.dueMs - now)
  }

  #write(bytes: Buffer): void {
    this.#to.write(bytes, () => {
      this.#heldBytes -= bytes.length
      if (this.#heldBytes <= MAX_HELD_BYTES) this.#from.resume()
    })
  }
}

const server = createServer((near) => {
  const far = connect(targetPort, HOST)
  new Line(near, far).start()
  new Line(far, near).start()
})
await once(server.listen(0, HOST), 'listening')
process.stdout.write(`${(server.address() as AddressInfo).port}\n`)
process.stdin.resume().on('end', () => process.exit())
