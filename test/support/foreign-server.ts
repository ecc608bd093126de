import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, closeSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort, waitForPort } from './ports.ts'

/** What a server is told, where it has such a setting. */
export interface ServerSettings {
  readonly streamLimit: number
  /** After how long it ends a connection on which nothing happens. */
  readonly idleTimeoutS: number
  readonly maxTlsVersion: 'TLSv1.2' | 'TLSv1.3'
}

/** Where a server finds what it needs, and what it is told. */
export interface Place {
  /** A folder of its own. */
  readonly folder: string
  /** Of 127.0.0.1. */
  readonly port: number
  /** Paths of PEM files: the certificate for 127.0.0.1, its key, both in one. */
  readonly certificate: string
  readonly key: string
  readonly both: string
  readonly settings: ServerSettings
}

/** How a server is run: in the foreground, until SIGTERM. */
export interface Launch {
  readonly command: readonly [string, ...string[]]
  readonly env?: Readonly<Record<string, string>>
  /** Has it read its configuration again and end the connections that it has, gracefully; absent: it cannot. */
  readonly reload?: (server: ChildProcess) => unknown
}

/** A server that somebody else wrote, in a process of its own, which listens. */
export interface ForeignServer {
  readonly port: number
  /** Has it end its connections gracefully and accept new ones. */
  reload(): Promise<void>
  stop(): Promise<void>
}

/** Another program may take the port before the server does. */
const MAX_TRIES = 3
/** Some have their workers look at a file of the folder after they gave up being root. */
const OTHERS_MAY_PASS = 0o711

/**
 * Starts a server and waits until it listens.
 * @param launch writes the server's configuration into the folder and says how it is run
 * @throws {Error} it ended at once, with what it wrote
 */
export async function startForeignServer(
  launch: (place: Place) => Launch,
  parts: Pick<Place, 'folder' | 'settings'> & { certificatePem: string; privateKeyPem: string },
): Promise<ForeignServer> {
  const { folder, settings, certificatePem, privateKeyPem } = parts
  const [certificate, key, both] = ['certificate.pem', 'key.pem', 'both.pem'].map((name) =>
    join(folder, name),
  ) as [string, string, string]
  chmodSync(folder, OTHERS_MAY_PASS)
  writeFileSync(certificate, certificatePem)
  writeFileSync(key, privateKeyPem, { mode: 0o600 })
  writeFileSync(both, certificatePem + privateKeyPem, { mode: 0o600 })
  for (let tries = 1; ; tries += 1) {
    const port = await freePort()
    const plan = launch({ folder, port, certificate, key, both, settings })
    try {
      return await run(plan, port, join(folder, 'output'))
    } catch (error) {
      if (tries === MAX_TRIES) throw error
    }
  }
}

async function run(
  { command, env, reload }: Launch,
  port: number,
  outputPath: string,
): Promise<ForeignServer> {
  const [program, ...args] = command
  // a file: not every server can open a /dev/stderr that is a pipe
  const output = openSync(outputPath, 'w')
  const child = spawn(program, args, {
    stdio: ['ignore', output, output],
    env: { ...process.env, ...env },
  })
  closeSync(output)
  const ended = once(child, 'exit')
  const isOver = new AbortController()
  const early = ended.then(() => {
    const said = readFileSync(outputPath, 'utf8')
    throw new Error(`${program} ended before it listened: ${said}`)
  })
  try {
    await Promise.race([waitForPort(port, isOver.signal), early])
  } finally {
    isOver.abort()
  }
  return {
    port,
    reload: async () => {
      await reload?.(child)
    },
    stop: async () => {
      child.kill()
      await ended
    },
  }
}
