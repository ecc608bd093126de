import { type ChildProcess, spawn } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Authority } from '@apnsd/simulator'
import { BenchError } from './errors.ts'
import { DEVICE_TOKENS, FILES, IN_FLIGHT, PAYLOAD } from './work.ts'

/** nghttpd in a process of its own, which answers 200 for each device token, and the folder that all processes share. */
export interface Counterpart {
  readonly port: number
  readonly url: string
  readonly folder: string
  stop(): Promise<void>
}

const HOST = '127.0.0.1'
/** 65 535 bytes: HTTP/2's own start, and what Apple's servers let through. [lessons: pushy#878, sideshow/apns2#163] */
const WINDOW_BITS = 16
const LISTENS_WITHIN_MS = 10_000
const ASK_AGAIN_MS = 20

/** @throws {BenchError} it did not start */
export async function startCounterpart(): Promise<Counterpart> {
  const folder = mkdtempSync(join(tmpdir(), 'apnsd-bench-'))
  try {
    const credential = writeFiles(folder)
    const port = await freePort()
    const child = spawn(
      'nghttpd',
      [
        `--address=${HOST}`,
        `--htdocs=${FILES.documents(folder)}`,
        `--max-concurrent-streams=${IN_FLIGHT}`,
        '--workers=1',
        `--window-bits=${WINDOW_BITS}`,
        `--connection-window-bits=${WINDOW_BITS}`,
        String(port),
        ...credential,
      ],
      { stdio: 'ignore' },
    )
    const ended = once(child, 'close').catch(() => undefined)
    const stop = async (): Promise<void> => {
      child.kill()
      await ended
      rmSync(folder, { recursive: true, force: true })
    }
    await listening(child, port)
    return { port, url: `https://${HOST}:${port}`, folder, stop }
  } catch (error) {
    rmSync(folder, { recursive: true, force: true })
    throw error
  }
}

/** @returns the paths of the server's key and certificate */
function writeFiles(folder: string): [string, string] {
  const devices = join(FILES.documents(folder), '3', 'device')
  mkdirSync(devices, { recursive: true })
  for (const deviceToken of DEVICE_TOKENS) writeFileSync(join(devices, deviceToken), '')
  writeFileSync(FILES.payload(folder), PAYLOAD)

  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  writeFileSync(
    FILES.signingKey(folder),
    privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  )
  const authority = Authority.create()
  writeFileSync(FILES.authority(folder), authority.certificatePem)
  const { certificatePem, privateKeyPem } = authority.issueServerCertificate(HOST)
  const paths: [string, string] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')]
  writeFileSync(paths[0], privateKeyPem)
  writeFileSync(paths[1], certificatePem)
  return paths
}

/** A port where nothing listens now. Another process could take it first; then the server does not start. */
async function freePort(): Promise<number> {
  const server = createServer()
  await once(server.listen(0, HOST), 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  return port
}

/** It says nothing when it is ready: it is asked until it answers. */
async function listening(child: ChildProcess, port: number): Promise<void> {
  const deadlineMs = performance.now() + LISTENS_WITHIN_MS
  while (performance.now() < deadlineMs && child.exitCode === null) {
    const socket = connect(port, HOST)
    try {
      await once(socket, 'connect')
      return
    } catch {
      await sleep(ASK_AGAIN_MS)
    } finally {
      socket.destroy()
    }
  }
  child.kill()
  throw new BenchError('nghttpd did not start to listen')
}

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
