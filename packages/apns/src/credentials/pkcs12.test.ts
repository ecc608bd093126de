import assert from 'node:assert/strict'
import { createCipheriv, createHmac, pbkdf2Sync, X509Certificate } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { createSecureContext } from 'node:tls'
import { Authority, type KeyedCertificate } from '@apnsd/simulator'
import forge from 'node-forge'
import { missing } from '../../../../test/support/system-parts.ts'
import { CredentialError } from '../errors.ts'
import { readCertificate } from './certificate.ts'
import { decodeDerElements, decodeFirstDerElement } from './der.ts'
import { parsePem } from './pem.ts'
import { openPkcs12, type Pkcs12Contents } from './pkcs12.ts'
import { context0, der, integer, objectIdentifier, octets, sequence } from './testing/encode-der.ts'
import { OpensslFolder } from './testing/openssl-folder.ts'
import { WorkBudget } from './work-budget.ts'

const DAY_MS = 86_400_000
const TOPIC = 'com.example.app'

const authority = Authority.create()

const issue = (): KeyedCertificate =>
  authority.issuePushCertificate({
    topic: TOPIC,
    environments: ['sandbox'],
    topics: [
      { topic: TOPIC, label: 'app' },
      { topic: `${TOPIC}.voip`, label: 'voip' },
    ],
    appleExtensions: true,
    notBefore: new Date(Date.now() - DAY_MS),
    notAfter: new Date(Date.now() + 365 * DAY_MS),
  })

const derOf = (pem: string): Uint8Array => {
  const [block] = parsePem(pem)
  assert.ok(block?.der)
  return block.der
}
const pushPair = issue()
const certificateDer = derOf(pushPair.certificatePem)
const keyDer = derOf(pushPair.privateKeyPem)

const open = (file: Uint8Array, passphrase?: string): Pkcs12Contents =>
  openPkcs12(file, passphrase, new WorkBudget())

const codeOf = (read: () => unknown): string => {
  try {
    read()
  } catch (error) {
    assert.ok(error instanceof CredentialError, String(error))
    return error.code
  }
  return 'read without an error'
}

/** Checks that what was opened is the pair of these tests, whole. */
function assertPair({ certificates, keys }: Pkcs12Contents): void {
  assert.deepEqual(
    certificates.map((bytes) => Buffer.from(bytes)),
    [Buffer.from(certificateDer)],
  )
  assert.equal(keys.length, 1)
  const [key = new Uint8Array()] = keys
  assert.deepEqual(Buffer.from(key), Buffer.from(keyDer))
}

const PASSPHRASE = 'correct horse'

const LEGACY_RC2 = ['-legacy']
const TRIPLE_DES = [...['-keypbe', 'PBE-SHA1-3DES', '-certpbe', 'PBE-SHA1-3DES', '-macalg', 'sha1']]

const DATA = '1.2.840.113549.1.7.1'
const ENCRYPTED_DATA = '1.2.840.113549.1.7.6'
const BAG = '1.2.840.113549.1.12.10.1'
const KEY = `${BAG}.1`
const SHROUDED_KEY = `${BAG}.2`
const CERTIFICATE = `${BAG}.3`
const SECRET = `${BAG}.5`
const SAFE_CONTENTS = `${BAG}.6`
const SHA1 = '1.3.14.3.2.26'
const PBKDF2 = '1.2.840.113549.1.5.12'
const PBES2 = '1.2.840.113549.1.5.13'
const PBMAC1 = '1.2.840.113549.1.5.14'
const HMAC_SHA256 = '1.2.840.113549.2.9'
const AES_256 = '2.16.840.1.101.3.4.1.42'

const bag = (type: string, value: Uint8Array): Buffer =>
  sequence(objectIdentifier(type), context0(value))
const certificateBag = (bytes: Uint8Array): Buffer =>
  bag(CERTIFICATE, sequence(objectIdentifier('1.2.840.113549.1.9.22.1'), context0(octets(bytes))))
const data = (content: Uint8Array): Buffer =>
  sequence(objectIdentifier(DATA), context0(octets(content)))
/** An AuthenticatedSafe of one unencrypted safe. */
const safeOf = (...bags: Uint8Array[]): Buffer => sequence(data(sequence(...bags)))
const pfx = (safe: Uint8Array, ...mac: Uint8Array[]): Buffer =>
  sequence(integer(3), data(safe), ...mac)

/** PBES2 of PBKDF2 with SHA-256 and AES-256. */
const pbes2 = (rounds: number, iv = Buffer.alloc(16)): Buffer =>
  sequence(
    objectIdentifier(PBES2),
    sequence(
      sequence(
        objectIdentifier(PBKDF2),
        sequence(octets(Buffer.alloc(8)), integer(rounds), sequence(objectIdentifier(HMAC_SHA256))),
      ),
      sequence(objectIdentifier(AES_256), octets(iv)),
    ),
  )
const pkcs12Pbe = (rounds: number): Buffer =>
  sequence(
    objectIdentifier('1.2.840.113549.1.12.1.3'),
    sequence(octets(Buffer.alloc(8)), integer(rounds)),
  )

describe('openPkcs12, with files that OpenSSL writes', { skip: missing('openssl') }, () => {
  let folder: OpensslFolder
  before(() => {
    folder = new OpensslFolder()
    folder.write('certificate.pem', pushPair.certificatePem)
    folder.write('key.pem', pushPair.privateKeyPem)
    folder.write('authority.pem', authority.certificatePem)
  })
  after(() => folder.close())

  const write = (passphrase: string, args: readonly string[]): Buffer =>
    folder.openssl(
      ...['pkcs12', '-export', '-in', 'certificate.pem', '-inkey', 'key.pem'],
      ...['-passout', `pass:${passphrase}`, ...args],
    )

  const KINDS: [name: string, args: string[]][] = [
    ['of OpenSSL 3: AES-256, a MAC of SHA-256', []],
    ['of the keychain: RC2-40 and triple DES, a MAC of SHA-1', LEGACY_RC2],
    ['with triple DES for both', TRIPLE_DES],
    ['with triple DES for the key and AES for the certificate', ['-keypbe', 'PBE-SHA1-3DES']],
    ['with triple DES of two keys', ['-legacy', '-keypbe', 'PBE-SHA1-2DES']],
    ['with RC2-128', ['-legacy', '-certpbe', 'PBE-SHA1-RC2-128', '-keypbe', 'PBE-SHA1-RC2-128']],
    ['with AES-128 and AES-192', ['-certpbe', 'AES-128-CBC', '-keypbe', 'AES-192-CBC']],
    ['with a MAC of SHA-384', ['-macalg', 'sha384']],
    ['with a MAC of SHA-512', ['-macalg', 'sha512']],
    ['with a MAC of MD5', ['-macalg', 'md5']],
    ['of a single round', ['-legacy', '-noiter', '-nomaciter']],
    ['of 100 000 rounds', ['-iter', '100000']],
    ['with names', ['-name', 'Grüße', '-caname', 'authority']],
  ]
  for (const [name, args] of KINDS)
    it(`reads one ${name}; tells a wrong passphrase, none, and a file that is cut off`, () => {
      const file = write(PASSPHRASE, args)
      assertPair(open(file, PASSPHRASE))
      assert.equal(
        codeOf(() => open(file, 'correct house')),
        'passphrase-wrong',
      )
      assert.equal(
        codeOf(() => open(file)),
        'passphrase-missing',
      )
      assert.equal(
        codeOf(() => open(file, '')),
        'passphrase-missing',
      )
      for (const length of [1, 20, file.length >> 1, file.length - 1])
        assert.equal(
          codeOf(() => open(file.subarray(0, length), PASSPHRASE)),
          'pkcs12-unreadable',
        )
    })

  const PASSPHRASES = ['pässwörd', 'пароль', '密码', '🔑 key', 'x'.repeat(300), ' ', '"\\']
  for (const [name, args] of [KINDS[0], KINDS[1], KINDS[3]] as typeof KINDS)
    it(`reads passphrases of all scripts where the file is ${name}`, () => {
      for (const passphrase of PASSPHRASES) {
        const file = write(passphrase, args)
        assertPair(open(file, passphrase))
        assert.equal(
          codeOf(() => open(file, `${passphrase}x`)),
          'passphrase-wrong',
        )
      }
    })

  it('reads a file with the empty passphrase, given as such or not at all', () => {
    for (const args of [[], LEGACY_RC2, TRIPLE_DES]) {
      const file = write('', args)
      assertPair(open(file))
      assertPair(open(file, ''))
      assert.equal(
        codeOf(() => open(file, 'some')),
        'passphrase-wrong',
      )
    }
  })

  /** OpenSSL's own -nomac leaves the certificate unencrypted. */
  function withoutMac(file: Uint8Array): Buffer {
    const [version, safe] = decodeDerElements(decodeFirstDerElement(file).content)
    assert.ok(version && safe)
    return sequence(der(version.tag, version.content), der(safe.tag, safe.content))
  }

  it('reads a file without a MAC, and takes what it cannot open for a wrong passphrase', () => {
    for (const args of [[], LEGACY_RC2, TRIPLE_DES]) {
      const file = withoutMac(write(PASSPHRASE, args))
      assertPair(open(file, PASSPHRASE))
      for (let attempt = 0; attempt < 20; attempt += 1)
        assert.equal(
          codeOf(() => open(file, `wrong ${attempt}`)),
          'passphrase-wrong',
        )
      assert.equal(
        codeOf(() => open(file)),
        'passphrase-missing',
      )
    }
  })

  it('knows a wrong passphrase also where, once in 256 times, it leaves something that looks padded', () => {
    for (const only of ['-nokeys', '-nocerts']) {
      const file = withoutMac(write(PASSPHRASE, ['-iter', '1', only]))
      for (let attempt = 0; attempt < 3000; attempt += 1)
        assert.equal(
          codeOf(() => open(file, `wrong ${attempt}`)),
          'passphrase-wrong',
        )
    }
  })

  it('reads keys and certificates that are not encrypted, with a MAC and without', () => {
    const bare = ['-keypbe', 'NONE', '-certpbe', 'NONE']
    assertPair(open(write(PASSPHRASE, ['-keypbe', 'NONE']), PASSPHRASE))
    assertPair(open(write(PASSPHRASE, ['-certpbe', 'NONE']), PASSPHRASE))
    assertPair(open(write(PASSPHRASE, bare), PASSPHRASE))
    assertPair(open(write('', [...bare, '-nomac'])))
  })

  it('gives all certificates of a chain', () => {
    const { certificates } = open(write(PASSPHRASE, ['-certfile', 'authority.pem']), PASSPHRASE)
    assert.deepEqual(
      certificates.map((bytes) => new X509Certificate(bytes).toString()),
      [pushPair, authority].map(({ certificatePem }) =>
        new X509Certificate(certificatePem).toString(),
      ),
    )
  })

  it('gives what there is where there is no key, or no certificate', () => {
    const { certificates, keys } = open(write(PASSPHRASE, ['-nokeys']), PASSPHRASE)
    assert.deepEqual([certificates.length, keys.length], [1, 0])
    const others = open(write(PASSPHRASE, ['-nocerts']), PASSPHRASE)
    assert.deepEqual([others.certificates.length, others.keys.length], [0, 1])
  })

  it('reads a key on an elliptic curve', () => {
    const name = ['-subj', '/UID=com.example.ec/CN=Apple Push Services: com.example.ec']
    folder.openssl(
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'],
      ...['-keyout', 'ec-key.pem', '-out', 'ec.pem', '-days', '30', ...name],
    )
    for (const args of [[], LEGACY_RC2]) {
      const certificate = folder.openssl(
        ...['pkcs12', '-export', '-in', 'ec.pem', '-inkey', 'ec-key.pem'],
        ...['-passout', 'pass:x', ...args],
      )
      const credential = readCertificate({ certificate, passphrase: 'x' })
      assert.equal(credential.defaultTopic, 'com.example.ec')
    }
  })

  it('says so where the encryption is one that it does not read', () => {
    const file = write(PASSPHRASE, ['-legacy', '-keypbe', 'PBE-SHA1-RC4-128'])
    assert.throws(() => open(file, PASSPHRASE), {
      code: 'encryption-unsupported',
      message: /1\.2\.840\.113549\.1\.12\.1\.1/,
    })
  })

  it('tells damage from a wrong passphrase by the MAC: one changed byte is neither read nor blamed on us', () => {
    const file = write(PASSPHRASE, [])
    for (let at = 30; at < file.length; at += 97) {
      const damaged = Buffer.from(file)
      damaged[at]! ^= 0xff
      assert.match(
        codeOf(() => open(damaged, PASSPHRASE)),
        /^(pkcs12-unreadable|passphrase-wrong|encryption-unsupported)$/,
      )
    }
  })
})

describe('openPkcs12, with files of others', () => {
  const certificate = forge.pki.certificateFromPem(pushPair.certificatePem)
  const key = forge.pki.privateKeyFromPem(pushPair.privateKeyPem)
  const bytesOf = (asn1: forge.asn1.Asn1): Buffer =>
    Buffer.from(forge.asn1.toDer(asn1).getBytes(), 'latin1')

  it('reads what node-forge writes', () => {
    for (const algorithm of ['aes128', 'aes192', 'aes256', '3des'] as const) {
      const options = { algorithm, friendlyName: 'push', generateLocalKeyId: true }
      const file = bytesOf(forge.pkcs12.toPkcs12Asn1(key, certificate, PASSPHRASE, options))
      assertPair(open(file, PASSPHRASE))
      assert.equal(
        codeOf(() => open(file, 'wrong')),
        'passphrase-wrong',
      )
    }
  })

  it('reads the passphrases of an OpenSSL before 1.1, which took each byte for a character', () => {
    const bytes = Buffer.from('pässwörd').toString('latin1')
    const options = { algorithm: '3des' } as const
    const file = bytesOf(forge.pkcs12.toPkcs12Asn1(key, certificate, bytes, options))
    assertPair(open(file, 'pässwörd'))
  })

  it('reads a file without a passphrase, which is another thing than one with the empty passphrase', () => {
    const shrouded = bytesOf(
      forge.pki.encryptPrivateKeyInfo(
        forge.pki.wrapRsaPrivateKey(forge.pki.privateKeyToAsn1(key)),
        null as unknown as string,
        { algorithm: '3des' },
      ),
    )
    const safe = safeOf(certificateBag(certificateDer), bag(SHROUDED_KEY, shrouded))
    const salt = Buffer.from('saltsalt')
    const macKey = Buffer.from(
      forge.pkcs12
        .generateKey(null, forge.util.createBuffer(salt.toString('latin1')), 3, 1000, 20)
        .getBytes(),
      'latin1',
    )
    const digest = createHmac('sha1', macKey).update(safe).digest()
    const file = pfx(
      safe,
      sequence(
        sequence(sequence(objectIdentifier(SHA1)), octets(digest)),
        octets(salt),
        integer(1000),
      ),
    )
    assertPair(open(file))
    assertPair(open(file, ''))
    assert.equal(
      codeOf(() => open(file, 'some')),
      'passphrase-wrong',
    )
  })

  it('reads what NSS writes: BER of indefinite lengths, strings in pieces, 600 000 rounds', {
    skip: missing('openssl') || missing('pk12util'),
  }, () => {
    const folder = new OpensslFolder()
    try {
      folder.write('pair.pem', pushPair.certificatePem + pushPair.privateKeyPem)
      folder.openssl(
        'pkcs12',
        '-export',
        '-in',
        'pair.pem',
        '-name',
        'push',
        '-out',
        'in.p12',
        '-passout',
        'pass:x',
      )
      folder.run('certutil', '-N', '-d', '.', '--empty-password')
      folder.run('pk12util', '-i', 'in.p12', '-d', '.', '-W', 'x', '-K', '')
      folder.run('pk12util', '-o', 'out.p12', '-n', 'push', '-d', '.', '-W', PASSPHRASE, '-K', '')
      const file = folder.read('out.p12')
      assert.equal(file.subarray(0, 2).toString('hex'), '3080')
      assertPair(open(file, PASSPHRASE))
      assert.equal(
        codeOf(() => open(file)),
        'passphrase-missing',
      )
      assert.equal(
        readCertificate({ certificate: file, passphrase: PASSPHRASE }).defaultTopic,
        TOPIC,
      )
    } finally {
      folder.close()
    }
  })
})

describe('openPkcs12, with files that no tool writes', () => {
  it('finds keys and certificates in safes within safes, and passes over bags of other kinds', () => {
    const secret = bag(SECRET, sequence(objectIdentifier(DATA), context0(octets(Buffer.from('x')))))
    const inner = bag(SAFE_CONTENTS, sequence(bag(KEY, keyDer)))
    assertPair(open(pfx(safeOf(secret, certificateBag(certificateDer), inner))))
    const sdsi = bag(
      CERTIFICATE,
      sequence(objectIdentifier('1.2.840.113549.1.9.22.2'), context0(der(0x16))),
    )
    assertPair(open(pfx(safeOf(sdsi, certificateBag(certificateDer), bag(KEY, keyDer)))))
  })

  it('reads the MAC of RFC 9579, as Node’s own OpenSSL does', () => {
    const safe = safeOf(certificateBag(certificateDer), bag(KEY, keyDer))
    const salt = Buffer.from('saltsalt')
    const hmac = sequence(objectIdentifier(HMAC_SHA256))
    const derivation = sequence(
      objectIdentifier(PBKDF2),
      sequence(octets(salt), integer(2048), integer(32), hmac),
    )
    const key = pbkdf2Sync(PASSPHRASE, salt, 2048, 32, 'sha256')
    const file = pfx(
      safe,
      sequence(
        sequence(
          sequence(objectIdentifier(PBMAC1), sequence(derivation, hmac)),
          octets(createHmac('sha256', key).update(safe).digest()),
        ),
        octets(Buffer.from('not used')),
        integer(1),
      ),
    )
    assert.doesNotThrow(() => createSecureContext({ pfx: file, passphrase: PASSPHRASE }))
    assertPair(open(file, PASSPHRASE))
    assert.equal(
      codeOf(() => open(file, 'wrong')),
      'passphrase-wrong',
    )
  })

  it('does not do the work that a hostile file asks for, wherever it asks', () => {
    const rounds = 2 ** 31 - 1
    const bytes = octets(Buffer.alloc(32))
    const mac = (digest: string): Buffer =>
      sequence(
        sequence(sequence(objectIdentifier(digest)), octets(Buffer.alloc(20))),
        octets(Buffer.alloc(8)),
        integer(rounds),
      )
    const encrypted = (algorithm: Uint8Array): Buffer =>
      sequence(
        objectIdentifier(ENCRYPTED_DATA),
        context0(
          sequence(
            integer(0),
            sequence(objectIdentifier(DATA), algorithm, der(0x80, Buffer.alloc(32))),
          ),
        ),
      )
    const files = [
      pfx(safeOf(), mac(SHA1)),
      pfx(safeOf(), mac('2.16.840.1.101.3.4.2.3')),
      pfx(safeOf(bag(SHROUDED_KEY, sequence(pbes2(rounds), bytes)))),
      pfx(safeOf(bag(SHROUDED_KEY, sequence(pkcs12Pbe(rounds), bytes)))),
      pfx(sequence(encrypted(pbes2(rounds)))),
      pfx(sequence(encrypted(pkcs12Pbe(rounds)))),
      // a number of 40 bytes, and one below zero
      pfx(safeOf(bag(SHROUDED_KEY, sequence(pkcs12Pbe(2 ** 300), bytes)))),
      pfx(safeOf(bag(SHROUDED_KEY, sequence(pkcs12Pbe(0), bytes)))),
    ]
    for (const file of files)
      assert.equal(
        codeOf(() => open(file, PASSPHRASE)),
        'encryption-unsupported',
      )
  })

  it('finds what a hostile file asks for within what it encrypted itself', () => {
    const iv = Buffer.alloc(16, 7)
    const inner = sequence(
      bag(SHROUDED_KEY, sequence(pbes2(2 ** 31 - 1), octets(Buffer.alloc(32)))),
    )
    const key = pbkdf2Sync(PASSPHRASE, Buffer.alloc(8), 10, 32, 'sha256')
    const cipher = createCipheriv('aes-256-cbc', key, iv)
    const content = Buffer.concat([cipher.update(inner), cipher.final()])
    const safe = sequence(
      sequence(
        objectIdentifier(ENCRYPTED_DATA),
        context0(
          sequence(integer(0), sequence(objectIdentifier(DATA), pbes2(10, iv), der(0x80, content))),
        ),
      ),
    )
    assert.equal(
      codeOf(() => open(pfx(safe), PASSPHRASE)),
      'encryption-unsupported',
    )
  })

  it('adds up the work of all keys of a file', () => {
    const key = forge.pki.privateKeyFromPem(pushPair.privateKeyPem)
    const shrouded = forge.pki.encryptPrivateKeyInfo(
      forge.pki.wrapRsaPrivateKey(forge.pki.privateKeyToAsn1(key)),
      PASSPHRASE,
      { algorithm: '3des', count: 200_000 },
    )
    const keyBag = bag(SHROUDED_KEY, Buffer.from(forge.asn1.toDer(shrouded).getBytes(), 'latin1'))
    assert.equal(open(pfx(safeOf(keyBag)), PASSPHRASE).keys.length, 1)
    const file = pfx(safeOf(keyBag, keyBag, keyBag, keyBag))
    assert.equal(
      codeOf(() => open(file, PASSPHRASE)),
      'encryption-unsupported',
    )
  })

  it('does not decrypt in JavaScript what is too long for a credential', () => {
    const rc2 = sequence(
      objectIdentifier('1.2.840.113549.1.12.1.6'),
      sequence(octets(Buffer.alloc(8)), integer(1)),
    )
    const long = (bytes: number): Buffer =>
      pfx(safeOf(bag(SHROUDED_KEY, sequence(rc2, octets(Buffer.alloc(bytes))))))
    assert.equal(
      codeOf(() => open(long(252_000), PASSPHRASE)),
      'encryption-unsupported',
    )
    // it would have to be tried in two forms of the passphrase
    assert.equal(
      codeOf(() => open(long(130_000), 'pässwörd')),
      'encryption-unsupported',
    )
  })

  it('says so where a file is guarded or encrypted for the holder of a key', () => {
    const signed = '1.2.840.113549.1.7.2'
    const enveloped = '1.2.840.113549.1.7.3'
    const content = context0(sequence())
    const files = [
      sequence(integer(3), sequence(objectIdentifier(signed), content)),
      pfx(sequence(sequence(objectIdentifier(enveloped), content))),
    ]
    for (const file of files)
      assert.equal(
        codeOf(() => open(file, PASSPHRASE)),
        'encryption-unsupported',
      )
  })

  it('says that a file is none, or malformed', () => {
    const malformed = [
      Buffer.alloc(0),
      Buffer.from('no PKCS#12 at all'),
      sequence(integer(3)),
      pfx(octets()),
      pfx(safeOf(bag(KEY, keyDer)), sequence()),
      pfx(safeOf(sequence())),
      Buffer.from('3080'.repeat(3000), 'hex'),
    ]
    for (const file of malformed)
      assert.equal(
        codeOf(() => open(file, PASSPHRASE)),
        'pkcs12-unreadable',
      )
  })
})
