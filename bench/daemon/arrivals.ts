import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { BenchError } from '../common/errors.ts'
import { HOST, type StageFolder } from '../common/stage-folder.ts'

const SCRIPT = new URL('./arrival-server.ts', import.meta.url).pathname
/** One that waits for a whole campaign is late, and one that takes longer is lost. */
const ARRIVES_WITHIN_MS = 300_000

/** arrival-server.ts in a process of its own. */
export interface Arrivals {
  readonly url: string
  readonly port: number
  /**
   * When the marked notification `number` arrived, by `process.hrtime.bigint()`; waits for it.
   * @throws {BenchError} it does not arrive
   */
  arrivalOf(number: number): Promise<bigint>
  stop(): Promise<void>
}

/** @param port where to listen; 0: any */
export async function startArrivals(
  { serverKey, serverCertificate }: StageFolder,
  replyTimeMs: number,
  port = 0,
): Promise<Arrivals> {
  const args = [SCRIPT, String(port), serverKey, serverCertificate, String(replyTimeMs)]
  const child = spawn(process.execPath, args, {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, NODE_OPTIONS: '' },
  })
  const ended = once(child, 'close')
  const lines = createInterface(child.stdout)
  const [listensAt] = (await Promise.race([once(lines, 'line'), ended])) as [unknown]
  if (typeof listensAt !== 'string') throw new BenchError('the counterpart did not start')
  const arrived = new ArrivalTimes()
  lines.on('line', (line) => arrived.note(line))
  return {
    url: `https://${HOST}:${listensAt}`,
    port: Number(listensAt),
    arrivalOf: (number) => arrived.of(number),
    stop: async () => {
      child.stdin.end()
      await ended
    },
  }
}

/** The first arrival of each marked notification, and who waits for one. */
class ArrivalTimes {
  readonly #times = new Map<number, bigint>()
  readonly #waiting = new Map<number, (time: bigint) => void>()

  /** @param line `NUMBER NANOSECONDS` */
  note(line: string): void {
    const [number = '', nanoseconds = ''] = line.split(' ')
    const key = Number(number)
    if (this.#times.has(key)) return
    const time = BigInt(nanoseconds)
    this.#times.set(key, time)
    this.#waiting.get(key)?.(time)
    this.#waiting.delete(key)
  }

  of(number: number): Promise<bigint> {
    const time = this.#times.get(number)
    if (time !== undefined) return Promise.resolve(time)
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        reject(new BenchError(`notification ${number} did not arrive`))
      }, ARRIVES_WITHIN_MS)
      late.unref() // who waits for it has a daemon that holds the process
      this.#waiting.set(number, (at) => {
        clearTimeout(late)
        resolve(at)
      })
    })
  }
}
