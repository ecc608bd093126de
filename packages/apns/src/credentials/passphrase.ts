/** A passphrase in the two forms that key derivations take. */
export interface Passphrase {
  /** UTF-8, as PKCS#5 and OpenSSL's own PEM encryption take it. */
  readonly bytes: Buffer
  /** What PKCS#12 writes as UTF-16, with a zero at the end; null for none at all, not even the zero. [RFC 7292 B.1] */
  readonly text: string | null
}

/**
 * Lists the forms in which writers of PKCS#12 have put down the same passphrase, the most likely first.
 * @param given undefined or empty where there is none
 */
export function passphraseForms(given: string | undefined): Passphrase[] {
  const bytes = Buffer.from(given ?? '')
  if (bytes.length === 0)
    return [
      { bytes, text: '' },
      { bytes, text: null },
    ]
  const form = { bytes, text: bytes.toString() }
  // OpenSSL before 1.1 took the bytes of its terminal for characters
  const old = { bytes, text: bytes.toString('latin1') }
  return old.text === form.text ? [form] : [form, old]
}
