import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Simulator } from '@apnsd/simulator'

/** Starts a server on 127.0.0.1 that refuses every client certificate by a TLS alert; its own is the simulator's. */
export async function startTlsRefuser(
  simulator: Simulator,
): Promise<{ port: number; stop(): void }> {
  const { certificatePem, privateKeyPem } = simulator.authority.issueServerCertificate('127.0.0.1')
  const folder = mkdtempSync(join(tmpdir(), 'apnsd-test-'))
  const path = join(folder, 'server.pem')
  writeFileSync(path, certificatePem + privateKeyPem, { mode: 0o600 })
  const script = fileURLToPath(new URL('./tls-refuser.py', import.meta.url))
  const refuser = spawn('python3', [script, path], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [port] = (await once(refuser.stdout, 'data')) as [Buffer]
  return {
    port: Number(port.toString()),
    stop: () => {
      refuser.kill()
      rmSync(folder, { recursive: true })
    },
  }
}
