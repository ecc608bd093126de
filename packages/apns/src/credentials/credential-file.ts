import { CredentialError } from '../errors.ts'
import { labelOfDer } from './der-label.ts'
import { type PemBlock, parseBase64, parsePem } from './pem.ts'

/** What a credential file holds: PEM text, or the file's bytes whatever it is; base64 of either is read as well. */
export type CredentialFile = string | Uint8Array

/** A certificate with its chain and key has a few KiB. */
const MAX_FILE_BYTES = 256 * 1024

/** Other names that PEM knows for the same. */
const SYNONYMS: Record<string, string> = {
  'X509 CERTIFICATE': 'CERTIFICATE',
  'TRUSTED CERTIFICATE': 'CERTIFICATE',
  'NEW CERTIFICATE REQUEST': 'CERTIFICATE REQUEST',
}

/**
 * Finds what a credential file holds, whatever its form: PEM, DER, PKCS#12 (one block, not opened).
 * @returns nothing where it is none of them
 * @throws {CredentialError} credential-too-large
 */
export function decodeCredentialFile(file: CredentialFile): PemBlock[] {
  if (file.length > MAX_FILE_BYTES)
    throw new CredentialError(
      'credential-too-large',
      `It is too large for a credential: ${file.length} bytes, and at most ${MAX_FILE_BYTES} are read.`,
    )
  const blocks = typeof file === 'string' ? decodeText(file) : decodeBytes(file)
  return blocks.map((block) => ({ ...block, label: SYNONYMS[block.label] ?? block.label }))
}

function decodeText(text: string): PemBlock[] {
  if (text.includes('-----BEGIN ')) return parsePem(text)
  // what Node calls a binary string
  if (/^0[\x80-\x84]/.test(text)) return decodeDer(Buffer.from(text, 'latin1'))
  const decoded = parseBase64(text)
  if (decoded === null) return []
  const blocks = decodeDer(decoded)
  return blocks.length > 0 ? blocks : parsePem(textOf(decoded))
}

function decodeBytes(bytes: Uint8Array): PemBlock[] {
  const blocks = decodeDer(bytes)
  return blocks.length > 0 ? blocks : decodeText(textOf(bytes))
}

function decodeDer(der: Uint8Array): PemBlock[] {
  const label = labelOfDer(der)
  return label === null ? [] : [{ label, der, encryption: null }]
}

/** PEM is ASCII, whatever the attributes between its blocks are in; editors of Windows may write it as UTF-16. */
function textOf(bytes: Uint8Array): string {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return new TextDecoder('utf-16le').decode(bytes)
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return new TextDecoder('utf-16be').decode(bytes)
  return Buffer.from(bytes).toString('latin1')
}

/** Says in a few words what blocks there are, for an error that has not found what it looked for. */
export function describeBlocks(blocks: readonly PemBlock[]): string {
  const names = new Set(blocks.map(({ label }) => NAMES[label] ?? `a ${label.toLowerCase()}`))
  return [...names].join(' and ')
}

const NAMES: Record<string, string> = {
  CERTIFICATE: 'a certificate',
  'CERTIFICATE REQUEST': 'a certificate signing request',
  PKCS7: 'a PKCS#7 bundle',
  PKCS12: 'a PKCS#12 file',
  'PUBLIC KEY': 'a public key',
  'PRIVATE KEY': 'a private key',
  'RSA PRIVATE KEY': 'a private key',
  'EC PRIVATE KEY': 'a private key',
  'ENCRYPTED PRIVATE KEY': 'a private key',
  'OPENSSH PRIVATE KEY': 'a key in OpenSSH’s own format',
  'EC PARAMETERS': 'the parameters of a curve',
}
