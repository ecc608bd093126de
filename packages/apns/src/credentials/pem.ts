/** One block of PEM text, or a DER file under the label that it would have there. */
export interface PemBlock {
  /** `CERTIFICATE`, `PRIVATE KEY`, `RSA PRIVATE KEY`, … */
  readonly label: string
  /** What the block holds; null where it is cut off or not base64. */
  readonly der: Uint8Array | null
  /** How OpenSSL of old encrypted what it holds; null where it did not. */
  readonly encryption: PemEncryption | null
}

/** The header fields `Proc-Type: 4,ENCRYPTED` and `DEK-Info`. [RFC 1421 §4.6.1] */
export interface PemEncryption {
  /** As OpenSSL names it: `DES-EDE3-CBC`. */
  readonly cipher: string
  readonly iv: Uint8Array
}

const BOUNDARY = /-----(BEGIN|END) ([A-Z0-9 ]{1,40})-----/g
const ENCRYPTION = /Proc-Type:\s*4,\s*ENCRYPTED\s+DEK-Info:\s*([A-Z0-9-]+),([0-9A-F]+)/i
const BASE64 = /^[A-Za-z0-9+/\-_]+={0,2}$/

/**
 * Finds the PEM blocks in a text; whatever stands between them (such as `Bag Attributes`) is passed over. [RFC 7468]
 *
 * People carry keys in environment variables and JSON: line ends may be of any kind, blanks, `\n` written out, or none.
 */
export function parsePem(text: string): PemBlock[] {
  const plain = text.replace(/\\+[nr]/g, '\n')
  const boundaries = [...plain.matchAll(BOUNDARY)]
  return boundaries.flatMap((begin, index) => {
    const [line, kind, label = ''] = begin
    if (kind !== 'BEGIN') return []
    const end = boundaries[index + 1]
    if (end === undefined || end[1] !== 'END' || end[2] !== label)
      return [{ label, der: null, encryption: null }]
    return [parseBlock(label, plain.slice(begin.index + line.length, end.index))]
  })
}

function parseBlock(label: string, body: string): PemBlock {
  const [header = '', cipher, iv] = ENCRYPTION.exec(body) ?? []
  return {
    label,
    der: parseBase64(body.slice(body.indexOf(header) + header.length)),
    encryption:
      cipher === undefined || iv === undefined
        ? null
        : { cipher: cipher.toUpperCase(), iv: Buffer.from(iv, 'hex') },
  }
}

/** Decodes base64 on any number of lines; null where it is none. */
export function parseBase64(text: string): Buffer | null {
  const digits = text.replace(/\s+/g, '')
  return BASE64.test(digits) && digits.replace(/=+$/, '').length % 4 !== 1
    ? Buffer.from(digits, 'base64')
    : null
}
