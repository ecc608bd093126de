import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { BenchError } from '../common/errors.ts'
import { HOST } from '../common/stage-folder.ts'

/** A process that holds bytes back on their way to the counterpart, and so sets the reply time. */
export interface Relay {
  readonly url: string
  stop(): Promise<void>
}

export async function startRelay(targetPort: number, replyTimeMs: number): Promise<Relay> {
  const script = new URL('./contestants/delay-relay.ts', import.meta.url).pathname
  const child = spawn(process.execPath, [script, String(targetPort), String(replyTimeMs)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const ended = once(child, 'close')
  const [port] = (await Promise.race([once(child.stdout, 'data'), ended])) as [unknown]
  if (!Buffer.isBuffer(port)) throw new BenchError('the relay did not start')
  return {
    url: `https://${HOST}:${Number(port.toString())}`,
    stop: async () => {
      child.stdin.end()
      await ended
    },
  }
}
