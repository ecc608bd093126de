import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Authority } from '@apnsd/simulator'
import forge from 'node-forge'

const SOURCES = fileURLToPath(new URL('..', import.meta.url))

/** Reads the file and says what came of it, and whether node-forge was loaded. */
const PROGRAM = `
  import { readFileSync } from 'node:fs'
  import { createRequire } from 'node:module'
  import { readCertificate } from './src/index.ts'
  const report = { result: 'read' }
  try {
    readCertificate({ certificate: readFileSync(process.argv[2]), passphrase: 'secret' })
  } catch (error) {
    report.result = error.code ?? String(error)
  }
  const { cache } = createRequire(import.meta.url)
  report.loaded = Object.keys(cache).some((path) => path.includes('node-forge'))
  console.log(JSON.stringify(report))
`

describe('the package without node-forge', () => {
  const folder = mkdtempSync(join(tmpdir(), 'apns-alone-'))
  const { certificatePem, privateKeyPem } = Authority.create()
  before(() => {
    cpSync(SOURCES, join(folder, 'src'), {
      recursive: true,
      filter: (path) => !path.endsWith('.test.ts'),
    })
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
    writeFileSync(join(folder, 'program.ts'), PROGRAM)
    writeFileSync(join(folder, 'pair.pem'), certificatePem + privateKeyPem)
    const p12 = forge.pkcs12.toPkcs12Asn1(
      forge.pki.privateKeyFromPem(privateKeyPem),
      forge.pki.certificateFromPem(certificatePem),
      'secret',
    )
    writeFileSync(join(folder, 'pair.p12'), forge.asn1.toDer(p12).getBytes(), 'latin1')
  })
  after(() => rmSync(folder, { recursive: true }))

  const run = (file: string): unknown => {
    const stdio = ['ignore', 'pipe', 'inherit'] as const
    const args = ['program.ts', file]
    return JSON.parse(
      execFileSync(process.execPath, args, { cwd: folder, stdio: [...stdio] }).toString(),
    )
  }

  it('reads PEM, and says of PKCS#12 what to install', () => {
    assert.deepEqual(run('pair.pem'), { result: 'read', loaded: false })
    assert.deepEqual(run('pair.p12'), { result: 'pkcs12-library-missing', loaded: false })
  })

  it('loads it where it is installed, and only when there is a PKCS#12 file to read', () => {
    const installed = fileURLToPath(new URL('../../../../node_modules/node-forge', import.meta.url))
    mkdirSync(join(folder, 'node_modules'))
    cpSync(installed, join(folder, 'node_modules/node-forge'), { recursive: true })
    assert.deepEqual(run('pair.pem'), { result: 'read', loaded: false })
    assert.deepEqual(run('pair.p12'), { result: 'read', loaded: true })
  })
})
