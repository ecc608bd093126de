import { generateKeyPairSync } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Authority } from '@apnsd/simulator'
import { DEVICE_TOKENS, FILES, PAYLOAD } from './work.ts'

/** Where every counterpart listens, and what its certificate is for. */
export const HOST = '127.0.0.1'

/** The folder that a benchmark's processes share: keys, certificates, and what `FILES` names. */
export interface StageFolder {
  readonly folder: string
  /** Paths of PEM files. */
  readonly serverKey: string
  readonly serverCertificate: string
  remove(): void
}

/** Makes it, under $TMPDIR: what must be on disk is on that disk. */
export function makeStageFolder(): StageFolder {
  const folder = mkdtempSync(join(tmpdir(), 'apnsd-bench-'))
  const remove = (): void => rmSync(folder, { recursive: true, force: true })
  try {
    writeWork(folder)
    return { folder, ...writeCredentials(folder), remove }
  } catch (error) {
    remove()
    throw error
  }
}

function writeWork(folder: string): void {
  const devices = join(FILES.documents(folder), '3', 'device')
  mkdirSync(devices, { recursive: true })
  for (const deviceToken of DEVICE_TOKENS) writeFileSync(join(devices, deviceToken), '')
  writeFileSync(FILES.payload(folder), PAYLOAD)
}

function writeCredentials(folder: string): Pick<StageFolder, 'serverKey' | 'serverCertificate'> {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  writeFileSync(
    FILES.signingKey(folder),
    privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  )
  const authority = Authority.create()
  writeFileSync(FILES.authority(folder), authority.certificatePem)
  const { certificatePem, privateKeyPem } = authority.issueServerCertificate(HOST)
  const serverKey = join(folder, 'key.pem')
  const serverCertificate = join(folder, 'certificate.pem')
  writeFileSync(serverKey, privateKeyPem)
  writeFileSync(serverCertificate, certificatePem)
  return { serverKey, serverCertificate }
}
