import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { ApnsdError } from '../base/errors.ts'

/**
 * Seals what must not lie on the disk in the clear, with AES-256-GCM.
 *
 *     format 1 u8 | nonce 12 | tag 16 | ciphertext
 *
 * The name of what is sealed is authenticated along with it, so that one app's credential cannot be passed off as
 * another's by swapping rows.
 */
const FORMAT = 1
const NONCE_BYTES = 12
const TAG_BYTES = 16
export const SECRET_KEY_BYTES = 32

export class SecretBox {
  readonly #key: Buffer

  /** @param key 32 bytes */
  constructor(key: Buffer) {
    this.#key = key
  }

  seal(text: string, name: string): Buffer {
    // random nonces are safe for the few million seals of a daemon's life [NIST SP 800-38D §8.3]
    const nonce = randomBytes(NONCE_BYTES)
    const cipher = createCipheriv('aes-256-gcm', this.#key, nonce).setAAD(Buffer.from(name))
    const ciphertext = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()])
    return Buffer.concat([Buffer.from([FORMAT]), nonce, cipher.getAuthTag(), ciphertext])
  }

  /** @throws {ApnsdError} storage-failed where the key is another, or the bytes were changed */
  open(sealed: Uint8Array, name: string): string {
    const bytes = Buffer.from(sealed)
    try {
      if (bytes[0] !== FORMAT) throw new RangeError(`format ${bytes[0]}`)
      const nonce = bytes.subarray(1, 1 + NONCE_BYTES)
      const tag = bytes.subarray(1 + NONCE_BYTES, 1 + NONCE_BYTES + TAG_BYTES)
      const decipher = createDecipheriv('aes-256-gcm', this.#key, nonce, {
        authTagLength: TAG_BYTES,
      })
        .setAAD(Buffer.from(name))
        .setAuthTag(tag)
      const ciphertext = bytes.subarray(1 + NONCE_BYTES + TAG_BYTES)
      return decipher.update(ciphertext, undefined, 'utf8') + decipher.final('utf8')
    } catch (cause) {
      throw new ApnsdError('storage-failed', `The credential of ${name} cannot be decrypted.`, {
        hint: 'Start the daemon with the secret key that the data folder was written with.',
        cause,
      })
    }
  }
}
