/** Hands notifications in, as an application does. */
import { percentile } from '../common/statistics.ts'
import { checkXmlRpcAnswer } from './calls.ts'
import { HttpConnection } from './http-connection.ts'

export interface HandIn {
  readonly url: string
  /** Each with a connection of its own, and one call under way. */
  readonly clients: number
  /** Taken in turn, over and over. */
  readonly requests: readonly Buffer[]
  /** How many calls in all. */
  readonly calls: number
  /** Waited for before each call. */
  readonly before?: () => Promise<void>
}

/**
 * Makes calls from several clients side by side until all are answered.
 * @returns how long each took, in ms
 * @throws {BenchError} one was refused
 */
export async function handIn({ url, clients, requests, calls, before }: HandIn): Promise<number[]> {
  const timesMs: number[] = []
  let next = 0
  const connections = await Promise.all(
    Array.from({ length: Math.min(clients, calls) }, () => HttpConnection.open(url)),
  )
  const work = async (connection: HttpConnection): Promise<void> => {
    while (next < calls) {
      const request = requests[next % requests.length]
      next += 1
      if (request === undefined) return
      await before?.()
      const startMs = performance.now()
      checkXmlRpcAnswer(await connection.exchange(request))
      timesMs.push(performance.now() - startMs)
    }
  }
  try {
    await Promise.all(connections.map(work))
  } finally {
    for (const connection of connections) connection.close()
  }
  return timesMs
}

export function percentilesOf(timesMs: readonly number[]): { p50Ms: number; p99Ms: number } {
  return { p50Ms: percentile(timesMs, 50), p99Ms: percentile(timesMs, 99) }
}
