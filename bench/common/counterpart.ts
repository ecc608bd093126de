import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { BenchError } from './errors.ts'
import { HOST, makeStageFolder, type StageFolder } from './stage-folder.ts'
import { FILES, IN_FLIGHT } from './work.ts'

/** nghttpd in a process of its own, which answers 200 for each device token, and the folder that all processes share. */
export interface Counterpart {
  readonly port: number
  readonly url: string
  readonly folder: string
  stop(): Promise<void>
}

/** 65 535 bytes: HTTP/2's own start, and what Apple's servers let through. [lessons: pushy#878, sideshow/apns2#163] */
const WINDOW_BITS = 16
const LISTENS_WITHIN_MS = 10_000
const ASK_AGAIN_MS = 20

/** @throws {BenchError} it did not start */
export async function startCounterpart(): Promise<Counterpart> {
  const files = makeStageFolder()
  try {
    const { port, url, stop } = await startNghttpd(files)
    return {
      ...{ port, url, folder: files.folder },
      stop: async () => {
        await stop()
        files.remove()
      },
    }
  } catch (error) {
    files.remove()
    throw error
  }
}

/** The counterpart alone, on a folder that others see to. @throws {BenchError} it did not start */
export async function startNghttpd({
  folder,
  serverKey,
  serverCertificate,
}: StageFolder): Promise<Omit<Counterpart, 'folder'>> {
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
      serverKey,
      serverCertificate,
    ],
    { stdio: 'ignore' },
  )
  const ended = once(child, 'close').catch(() => undefined)
  await listening(child, port)
  return {
    ...{ port, url: `https://${HOST}:${port}` },
    stop: async () => {
      child.kill()
      await ended
    },
  }
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
