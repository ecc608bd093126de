import { CredentialError } from '../errors.ts'

/**
 * What one credential may cost, in rounds of SHA-1 or SHA-256 in JavaScript, about 3 µs each (docs/decisions/0013). The
 * slowest files that writers make by themselves, those of NSS and GnuTLS, have 600 000 rounds for the MAC, and may have
 * to be tried twice where there is no passphrase.
 */
const MAX_WORK = 1_500_000

/** How many rounds that node:crypto does, or units of scrypt, take as long as one in JavaScript. */
const NATIVE_ROUNDS = 8

/** What OpenSSL itself takes at most. */
const MAX_SCRYPT_BYTES = 32 * 1024 * 1024

/** Lengths of the hashes in bytes, and how many rounds of SHA-1 one of theirs takes. */
const HASHES: Record<string, { bytes: number; weight: number }> = {
  md5: { bytes: 16, weight: 1 },
  sha1: { bytes: 20, weight: 1 },
  sha224: { bytes: 28, weight: 1 },
  sha256: { bytes: 32, weight: 1 },
  sha384: { bytes: 48, weight: 3 },
  sha512: { bytes: 64, weight: 3 },
}

/**
 * Bounds the work that a file can ask for: it says itself how many rounds its keys take, and a hostile one says
 * billions.
 */
export class WorkBudget {
  #left = MAX_WORK

  /**
   * Pays for a key as PKCS#12 derives it, in JavaScript.
   * @throws {CredentialError} encryption-unsupported where the budget does not suffice
   */
  spendOnPkcs12Key(rounds: number, keyBytes: number, hash: string): void {
    const { bytes = 1, weight = 1 } = HASHES[hash] ?? {}
    this.#spend(rounds, Math.ceil(keyBytes / bytes) * weight)
  }

  /**
   * Pays for a key as PKCS#5 derives it, in node:crypto.
   * @throws {CredentialError} encryption-unsupported where the budget does not suffice
   */
  spendOnPkcs5Key(rounds: number, keyBytes: number, hash: string): void {
    const { bytes = 1, weight = 1 } = HASHES[hash] ?? {}
    this.#spend(rounds, (Math.ceil(keyBytes / bytes) * weight) / NATIVE_ROUNDS)
  }

  /**
   * Pays for a key by scrypt.
   * @returns how much memory it may take, bytes
   * @throws {CredentialError} encryption-unsupported where the budget does not suffice
   */
  spendOnScrypt(cost: number, blockSize: number, parallelization: number): number {
    this.#spend(cost * blockSize * parallelization, 1 / NATIVE_ROUNDS)
    return MAX_SCRYPT_BYTES
  }

  #spend(rounds: number, costOfRound: number): void {
    if (!(rounds >= 1))
      throw new CredentialError(
        'encryption-unsupported',
        `It is protected by ${rounds} rounds of key derivation, which is no protection and no number that is used.`,
      )
    if (rounds * costOfRound > this.#left)
      throw new CredentialError(
        'encryption-unsupported',
        `Its ${rounds} rounds of key derivation are more work than is done for a credential.`,
      )
    this.#left -= rounds * costOfRound
  }
}
