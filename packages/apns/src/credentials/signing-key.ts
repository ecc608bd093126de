import { createHash, createPublicKey, type KeyObject } from 'node:crypto'
import { CredentialError } from '../errors.ts'
import { type CredentialFile, decodeCredentialFile, describeBlocks } from './credential-file.ts'
import { isEncrypted, isPrivateKey, openPrivateKey } from './private-key.ts'
import { WorkBudget } from './work-budget.ts'

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

/**
 * Reads a signing key as Apple hands it out: a `.p8` file, which is PKCS#8 in PEM. What became of it on its way is read
 * too: Windows' line ends, no line ends, `\n` written out, base64 of the file, DER.
 * @param file the text or the bytes of the file
 * @param keyId blanks around it are passed over, as around the team ID
 * @throws {CredentialError} key-missing, key-encrypted, key-unreadable, key-wrong-kind, key-id-malformed,
 *   team-id-malformed, credential-too-large
 */
export function readSigningKey(
  file: CredentialFile,
  keyId: string,
  teamId: string,
): SigningKeyCredential {
  const key = readKey(file)
  const ids = { keyId: keyId.trim(), teamId: teamId.trim() }
  checkKeyId(ids.keyId)
  checkTeamId(ids.teamId)
  if (ids.keyId === ids.teamId)
    throw new CredentialError(
      'team-id-malformed',
      'Key ID and team ID are the same: the key ID names the key, the team ID the account.',
    )
  const fingerprint = createHash('sha256')
    .update(createPublicKey(key).export({ type: 'spki', format: 'der' }))
    .update(`${ids.keyId}.${ids.teamId}`)
    .digest('hex')
  return {
    type: 'token',
    key: key.export({ type: 'pkcs8', format: 'pem' }) as string,
    ...ids,
    fingerprint,
  }
}

function readKey(file: CredentialFile): KeyObject {
  const blocks = decodeCredentialFile(file)
  const block = blocks.find(isPrivateKey)
  if (block === undefined && blocks.length > 0)
    throw new CredentialError(
      'key-wrong-kind',
      `It is not an APNs signing key (.p8) but ${describeBlocks(blocks)}.`,
    )
  if (block === undefined)
    throw new CredentialError('key-missing', 'There is no private key in it.')
  if (isEncrypted(block))
    throw new CredentialError(
      'key-encrypted',
      'The private key is encrypted with a passphrase; the .p8 file that Apple hands out is not.',
    )
  const key = openPrivateKey(block, undefined, new WorkBudget())
  const kind = kindOf(key)
  if (kind !== 'prime256v1')
    throw new CredentialError(
      'key-wrong-kind',
      `It is not an APNs signing key: those are elliptic-curve keys on P-256, this one is ${kind}.`,
    )
  return key
}

/** The curve of an elliptic-curve key; of others the algorithm. */
function kindOf({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): string {
  return asymmetricKeyDetails?.namedCurve ?? asymmetricKeyType?.toUpperCase() ?? 'another'
}

const TEN_CHARACTERS = /^[A-Z0-9]{10}$/
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

function checkKeyId(keyId: string): void {
  if (TEN_CHARACTERS.test(keyId)) return
  const seen = /\bAuthKey_|\.p8$/.test(keyId)
    ? 'this is the name of a file, in which it stands after AuthKey_'
    : describeId(keyId)
  throw new CredentialError(
    'key-id-malformed',
    `A key ID is ten capital letters and digits, from the key’s page in the developer account; ${seen}.`,
  )
}

function checkTeamId(teamId: string): void {
  if (TEN_CHARACTERS.test(teamId)) return
  const seen = teamId.includes('.') ? 'this looks like a bundle identifier' : describeId(teamId)
  throw new CredentialError(
    'team-id-malformed',
    `A team ID is ten capital letters and digits, from the account’s membership page; ${seen}.`,
  )
}

/** What was given is not shown: it may be the key itself, in the wrong place. */
function describeId(id: string): string {
  if (UUID.test(id))
    return 'this is a UUID, such as App Store Connect has for the issuer of its keys'
  if (TEN_CHARACTERS.test(id.toUpperCase())) return 'this has small letters'
  return `this has ${id.length} characters${id.length === 10 ? ', not all of them such' : ''}`
}
