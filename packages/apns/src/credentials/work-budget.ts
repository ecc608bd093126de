import { CredentialError } from '../errors.ts'

/**
 * What one credential may cost, in rounds of SHA-1 or SHA-256 in JavaScript, 2 to 3 µs each (docs/decisions/0013). The
 * slowest files that writers make by themselves, those of NSS and GnuTLS, have 600 000 rounds for the MAC, and may have
 * to be tried twice where there is no passphrase.
 */
const MAX_WORK = 1_500_000

/** How many rounds that node:crypto does, or units of scrypt, take as long as one in JavaScript. */
const NATIVE_ROUNDS = 8

/** How many rounds take as long as decrypting one byte by RC2. */
const CIPHER_ROUNDS = 6

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
   * Pays for rounds of a hash in JavaScript.
   * @param bytes how many bytes they are to give: those that one hash does not give take the rounds again
   * @throws {CredentialError} encryption-unsupported where the budget does not suffice
   */
  spendOnRounds(rounds: number, bytes: number, hash: string): void {
    this.#spend(rounds, costOfRound(bytes, hash))
  }

  /**
   * Pays for rounds of a hash that node:crypto does by itself.
   * @throws {CredentialError} encryption-unsupported where the budget does not suffice
   */
  spendOnNativeRounds(rounds: number, bytes: number, hash: string): void {
    this.#spend(rounds, costOfRound(bytes, hash) / NATIVE_ROUNDS)
  }

  /**
   * Pays for decrypting in JavaScript.
   * @throws {CredentialError} encryption-unsupported where the budget does not suffice
   */
  spendOnCipher(bytes: number): void {
    const cost = bytes * CIPHER_ROUNDS
    if (cost > this.#left)
      throw new CredentialError(
        'encryption-unsupported',
        `Its ${bytes} encrypted bytes are more than is decrypted for a credential.`,
      )
    this.#left -= cost
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

  #spend(rounds: number, costEach: number): void {
    if (!(rounds >= 1))
      throw new CredentialError(
        'encryption-unsupported',
        `It is protected by ${rounds} rounds of key derivation, which is no protection and no number that is used.`,
      )
    if (rounds * costEach > this.#left)
      throw new CredentialError(
        'encryption-unsupported',
        `Its ${rounds} rounds of key derivation are more work than is done for a credential.`,
      )
    this.#left -= rounds * costEach
  }
}

function costOfRound(wantedBytes: number, hash: string): number {
  const { bytes = 1, weight = 1 } = HASHES[hash] ?? {}
  return Math.ceil(wantedBytes / bytes) * weight
}
