import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import { Authority, type PushCertificateRequest } from './authority.ts'
import { type CertificateIdentity, readClientCertificate } from './client-certificate.ts'

const TOPIC = 'com.example.app'
const NOT_BEFORE = new Date('2026-01-01T00:00:00Z')
const NOT_AFTER = new Date('2027-01-01T00:00:00Z')
const authority = Authority.create()

function issue(change: Partial<PushCertificateRequest> = {}, by = authority): X509Certificate {
  const issued = by.issuePushCertificate({
    topic: TOPIC,
    environments: ['sandbox', 'production'],
    topics: [],
    appleExtensions: true,
    notBefore: NOT_BEFORE,
    notAfter: NOT_AFTER,
    ...change,
  })
  return new X509Certificate(issued.certificatePem)
}

function read(change: Partial<PushCertificateRequest> = {}): CertificateIdentity {
  return readClientCertificate(issue(change), authority)
}

test('reads the topics that a universal certificate lists, in any script', () => {
  const topics = [TOPIC, `${TOPIC}.voip`, 'com.example.größe']
  const identity = read({ topics: topics.map((topic) => ({ topic, label: 'app' })) })
  assert.deepEqual(identity.topics, topics)
  assert.equal(identity.defaultTopic, null)
  assert.deepEqual(identity.environments, ['sandbox', 'production'])
})

test('takes the subject UID for the topic where none are listed', () => {
  const { topics, defaultTopic } = read()
  assert.deepEqual(topics, [TOPIC])
  assert.equal(defaultTopic, TOPIC)
})

test('reads the environment, and names it in the common name', () => {
  for (const [environment, word] of [
    ['sandbox', 'Development'],
    ['production', 'Production'],
  ] as const) {
    assert.deepEqual(read({ environments: [environment] }).environments, [environment])
    const { subject } = issue({ environments: [environment] })
    assert.equal(subject, `UID=${TOPIC}\nCN=Apple ${word} IOS Push Services: ${TOPIC}`)
  }
  assert.equal(issue().subject, `UID=${TOPIC}\nCN=Apple Push Services: ${TOPIC}`)
})

test('holds a certificate without extensions good for production', () => {
  const identity = read({ appleExtensions: false })
  assert.deepEqual(identity.environments, ['production'])
  assert.deepEqual(identity.topics, [TOPIC])
})

test('reads the dates', () => {
  const { notBeforeMs, notAfterMs } = read()
  assert.deepEqual([notBeforeMs, notAfterMs], [NOT_BEFORE.getTime(), NOT_AFTER.getTime()])
})

test('trusts no certificate of another authority, even one that goes by the same name', () => {
  const other = Authority.create()
  const { certificatePem } = authority
  const impostor = Authority.from({ certificatePem, privateKeyPem: other.privateKeyPem })
  const [stranger, forged] = [other, impostor].map((by) =>
    readClientCertificate(issue({}, by), authority),
  )
  for (const identity of [stranger, forged]) {
    assert.equal(identity?.trusted, false)
    assert.deepEqual(identity.topics, [])
  }
})

test('trusts what an authority issued before it was taken up again', () => {
  const again = Authority.from({
    certificatePem: authority.certificatePem,
    privateKeyPem: authority.privateKeyPem,
  })
  assert.equal(readClientCertificate(issue(), again).trusted, true)
  const { certificatePem } = again.issueServerCertificate('push.example')
  assert.equal(authority.issued(new X509Certificate(certificatePem)), true)
})

test('issues a server certificate for loopback and for the host it listens on', () => {
  const { certificatePem } = authority.issueServerCertificate('push.example')
  const certificate = new X509Certificate(certificatePem)
  for (const host of ['localhost', 'push.example']) {
    assert.equal(certificate.checkHost(host), host)
  }
  for (const address of ['127.0.0.1', '::1']) {
    assert.equal(certificate.checkIP(address), address)
  }
})
