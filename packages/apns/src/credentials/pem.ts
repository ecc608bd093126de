export interface PemBlock {
  /** `CERTIFICATE`, `PRIVATE KEY`, `RSA PRIVATE KEY`, … */
  readonly label: string
  /** The block with its two boundary lines. */
  readonly text: string
}

const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----[\s\S]*?-----END \1-----/g

/** Finds the PEM blocks in a text; whatever stands between them (such as `Bag Attributes`) is passed over. [RFC 7468] */
export function parsePem(text: string): PemBlock[] {
  return Array.from(text.matchAll(BLOCK), ([block, label]) => ({ label: label ?? '', text: block }))
}
