import assert from 'node:assert/strict'
import { createPrivateKey, type KeyObject } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { missing } from '../../../../test/support/system-parts.ts'
import { CredentialError } from '../errors.ts'
import { decodeCredentialFile } from './credential-file.ts'
import { isPrivateKey, openPrivateKey } from './private-key.ts'
import { integer, objectIdentifier, octets, sequence } from './testing/encode-der.ts'
import { OpensslFolder } from './testing/openssl-folder.ts'
import { WorkBudget } from './work-budget.ts'

const PASSPHRASE = 'correct hörse'

function open(file: string | Uint8Array, passphrase?: string): KeyObject {
  const block = decodeCredentialFile(file).find(isPrivateKey)
  assert.ok(block)
  return openPrivateKey(block, passphrase, new WorkBudget())
}

const codeOf = (file: string | Uint8Array, passphrase?: string): string => {
  try {
    open(file, passphrase)
  } catch (error) {
    assert.ok(error instanceof CredentialError, String(error))
    return error.code
  }
  return 'read without an error'
}

describe('openPrivateKey, with keys that OpenSSL writes', { skip: missing('openssl') }, () => {
  let folder: OpensslFolder
  let rsa: KeyObject
  let ec: KeyObject
  before(() => {
    folder = new OpensslFolder()
    folder.openssl('genpkey', '-algorithm', 'RSA', '-out', 'rsa.pem')
    folder.openssl(
      ...['genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', 'ec.pem'],
    )
    rsa = createPrivateKey(folder.read('rsa.pem'))
    ec = createPrivateKey(folder.read('ec.pem'))
  })
  after(() => folder.close())

  const secret = ['-passout', `pass:${PASSPHRASE}`]
  const legacy = ['-provider', 'legacy', '-provider', 'default']

  const PKCS8: [name: string, args: string[]][] = [
    ['PBES2 with AES-256, as OpenSSL 3 has it', []],
    ['PBES2 with AES-128 and SHA-1', ['-v2', 'aes-128-cbc', '-v2prf', 'hmacWithSHA1']],
    ['PBES2 with AES-192 and SHA-224', ['-v2', 'aes-192-cbc', '-v2prf', 'hmacWithSHA224']],
    ['PBES2 with AES-256 and SHA-384', ['-v2', 'aes-256-cbc', '-v2prf', 'hmacWithSHA384']],
    ['PBES2 with triple DES and SHA-512', ['-v2', 'des3', '-v2prf', 'hmacWithSHA512']],
    ['PBES2 with DES', ['-v2', 'des', ...legacy]],
    ['scrypt', ['-scrypt']],
    ['PBES1 with MD5 and DES, as OpenSSL before 1.1 has it', ['-v1', 'PBE-MD5-DES', ...legacy]],
    ['PBES1 with SHA-1 and DES', ['-v1', 'PBE-SHA1-DES', ...legacy]],
    ['PBES1 with MD5 and RC2', ['-v1', 'PBE-MD5-RC2-64', ...legacy]],
    ['PBES1 with SHA-1 and RC2', ['-v1', 'PBE-SHA1-RC2-64', ...legacy]],
    ['PKCS#12’s own with triple DES', ['-v1', 'PBE-SHA1-3DES']],
    ['PKCS#12’s own with RC2-40', ['-v1', 'PBE-SHA1-RC2-40', ...legacy]],
    ['PKCS#12’s own with RC2-128', ['-v1', 'PBE-SHA1-RC2-128', ...legacy]],
  ]
  for (const [name, args] of PKCS8)
    it(`opens PKCS#8 that is encrypted by ${name}`, () => {
      const write = (form: string): Buffer =>
        folder.openssl('pkcs8', '-topk8', '-in', 'rsa.pem', '-outform', form, ...secret, ...args)
      const pem = write('PEM')
      assert.ok(open(pem, PASSPHRASE).equals(rsa))
      assert.ok(open(write('DER'), PASSPHRASE).equals(rsa))
      // one wrong passphrase of 256 leaves something that looks like a key
      for (let attempt = 0; attempt < 20; attempt += 1)
        assert.equal(codeOf(pem, `wrong ${attempt}`), 'passphrase-wrong')
      assert.equal(codeOf(pem), 'passphrase-missing')
      assert.equal(codeOf(pem, ''), 'passphrase-missing')
    })

  const TRADITIONAL: [name: string, args: string[]][] = [
    ['triple DES', ['-des3']],
    ['DES', ['-des', ...legacy]],
    ['AES-128', ['-aes128']],
    ['AES-192', ['-aes192']],
    ['AES-256', ['-aes256']],
  ]
  for (const [name, args] of TRADITIONAL)
    it(`opens a key in OpenSSL’s own encryption (Proc-Type) with ${name}`, () => {
      const keys = { rsa, ec }
      for (const [kind, key] of Object.entries(keys)) {
        const how = kind === 'rsa' ? ['rsa', '-traditional'] : ['ec']
        const pem = folder.openssl(...how, '-in', `${kind}.pem`, ...secret, ...args).toString()
        assert.match(pem, /Proc-Type: 4,ENCRYPTED/)
        for (const text of [pem, pem.replaceAll('\n', '\r\n'), pem.replaceAll('\n', '\\n')])
          assert.ok(open(text, PASSPHRASE).equals(key), kind)
        assert.equal(codeOf(pem, 'wrong'), 'passphrase-wrong')
        assert.equal(codeOf(pem), 'passphrase-missing')
      }
    })

  it('reads keys that are not encrypted in each of their forms, whatever the passphrase', () => {
    const forms = [
      folder.read('rsa.pem'),
      folder.openssl('rsa', '-in', 'rsa.pem', '-traditional'),
      folder.openssl('rsa', '-in', 'rsa.pem', '-traditional', '-outform', 'DER'),
      folder.openssl('pkcs8', '-topk8', '-in', 'rsa.pem', '-nocrypt', '-outform', 'DER'),
    ]
    for (const form of forms) assert.ok(open(form, 'not needed').equals(rsa))
    const curves = [
      folder.openssl('ec', '-in', 'ec.pem'),
      folder.openssl('ec', '-in', 'ec.pem', '-outform', 'DER'),
      folder.openssl('pkcs8', '-topk8', '-in', 'ec.pem', '-nocrypt', '-outform', 'DER'),
    ]
    for (const form of curves) assert.ok(open(form).equals(ec))
  })

  it('opens a key that is encrypted with the empty passphrase', () => {
    const pem = folder.openssl('pkcs8', '-topk8', '-in', 'rsa.pem', '-passout', 'pass:')
    assert.ok(open(pem).equals(rsa))
  })

  it('says so where the encryption is one that it does not read', () => {
    const pkcs8 = ['pkcs8', '-topk8', '-in', 'rsa.pem', ...secret]
    const files = [
      folder.openssl(...pkcs8, '-v1', 'PBE-SHA1-RC4-128', ...legacy),
      folder.openssl(...pkcs8, '-v2', 'camellia-128-cbc'),
      folder.openssl('rsa', '-in', 'rsa.pem', '-traditional', '-camellia128', ...secret),
    ]
    for (const file of files) assert.equal(codeOf(file, PASSPHRASE), 'encryption-unsupported')
  })
})

describe('openPrivateKey', () => {
  const encrypted = (...algorithm: Uint8Array[]): Buffer =>
    sequence(sequence(...algorithm), octets(Buffer.alloc(32)))
  const salt = octets(Buffer.alloc(8))
  const aes = sequence(objectIdentifier('2.16.840.1.101.3.4.1.42'), octets(Buffer.alloc(16)))
  const pbes2 = (derivation: Uint8Array): Buffer =>
    encrypted(objectIdentifier('1.2.840.113549.1.5.13'), sequence(derivation, aes))
  const scrypt = (...numbers: number[]): Buffer =>
    pbes2(
      sequence(
        objectIdentifier('1.3.6.1.4.1.11591.4.11'),
        sequence(salt, ...numbers.map((number) => integer(number))),
      ),
    )

  it('does not do the work that a hostile key asks for', () => {
    const rounds = integer(2 ** 31 - 1)
    const files = [
      encrypted(objectIdentifier('1.2.840.113549.1.5.3'), sequence(salt, rounds)),
      encrypted(objectIdentifier('1.2.840.113549.1.12.1.3'), sequence(salt, rounds)),
      // as much as node:crypto would do by itself, but JavaScript has to do this one
      encrypted(objectIdentifier('1.2.840.113549.1.5.3'), sequence(salt, integer(5_000_000))),
      pbes2(sequence(objectIdentifier('1.2.840.113549.1.5.12'), sequence(salt, rounds))),
      scrypt(2 ** 30, 8, 1),
      scrypt(16384, 8, 2 ** 20),
      scrypt(2 ** 20, 8, 1), // a gigabyte
      scrypt(3, 8, 1), // no power of two
      scrypt(0, 8, 1),
    ]
    for (const file of files) assert.equal(codeOf(file, 'x'), 'encryption-unsupported')
  })

  it('says that a key is damaged or in a form that it does not read', () => {
    const pem = (label: string, body: string): string =>
      `-----BEGIN ${label}-----\n${body}\n-----END ${label}-----\n`
    const files = [
      pem('PRIVATE KEY', '?'),
      pem('PRIVATE KEY', 'AAAA'),
      pem('RSA PRIVATE KEY', ''),
      pem('ENCRYPTED PRIVATE KEY', 'MAA='),
      pem('OPENSSH PRIVATE KEY', 'AAAA'),
      '-----BEGIN PRIVATE KEY-----\nAAAA\n',
      pem(
        'ENCRYPTED PRIVATE KEY',
        encrypted(objectIdentifier('1.2.840.113549.1.5.3')).toString('base64'),
      ),
    ]
    for (const file of files) assert.equal(codeOf(file, 'x'), 'key-unreadable')
  })
})
