import { createHash, createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import { CredentialError } from '../errors.ts'
import { parsePem } from './pem.ts'

/** A signing key (`.p8`) with the names Apple knows it by; provider tokens are signed with it. */
export interface SigningKeyCredential {
  readonly type: 'token'
  /** PKCS#8 PEM, EC P-256. */
  readonly key: string
  /** Ten characters, from the key's page in the developer account. */
  readonly keyId: string
  /** Ten characters, from the account's membership page. */
  readonly teamId: string
  /** SHA-256 over public key, key ID and team ID, lower-case hex. */
  readonly fingerprint: string
}

const TEN_CHARACTERS = /^[A-Z0-9]{10}$/

/**
 * Reads a signing key as Apple hands it out: a `.p8` file, which is PKCS#8 in PEM.
 * @throws {CredentialError} key-missing, key-encrypted, key-unreadable, key-wrong-kind, key-id-malformed,
 * team-id-malformed
 */
export function readSigningKey(pem: string, keyId: string, teamId: string): SigningKeyCredential {
  const key = readKey(pem)
  if (!TEN_CHARACTERS.test(keyId))
    throw new CredentialError('key-id-malformed', 'A key ID is ten capital letters and digits.')
  if (!TEN_CHARACTERS.test(teamId))
    throw new CredentialError('team-id-malformed', 'A team ID is ten capital letters and digits.')
  const fingerprint = createHash('sha256')
    .update(createPublicKey(key).export({ type: 'spki', format: 'der' }))
    .update(`${keyId}.${teamId}`)
    .digest('hex')
  return {
    type: 'token',
    key: key.export({ type: 'pkcs8', format: 'pem' }) as string,
    keyId,
    teamId,
    fingerprint,
  }
}

function readKey(pem: string): KeyObject {
  const block = parsePem(pem).find(({ label }) => label.endsWith('PRIVATE KEY'))
  if (block === undefined)
    throw new CredentialError('key-missing', 'There is no private key in it.')
  if (block.label === 'ENCRYPTED PRIVATE KEY')
    throw new CredentialError('key-encrypted', 'The private key is encrypted with a passphrase.')
  let key: KeyObject
  try {
    key = createPrivateKey(block.text)
  } catch (cause) {
    throw new CredentialError('key-unreadable', 'The private key cannot be read.', cause)
  }
  if (key.asymmetricKeyDetails?.namedCurve !== 'prime256v1')
    throw new CredentialError(
      'key-wrong-kind',
      'It is not an APNs signing key: those are elliptic-curve keys on P-256.',
    )
  return key
}
