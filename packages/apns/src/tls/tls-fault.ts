import { ConnectError } from '../errors.ts'

/** TLS alerts by which a peer says that it does not want our certificate, as OpenSSL spells them. */
const ALERT_ABOUT_OUR_CERTIFICATE =
  /ALERT_(BAD_CERTIFICATE|UNSUPPORTED_CERTIFICATE|CERTIFICATE_(REVOKED|EXPIRED|UNKNOWN|REQUIRED)|UNKNOWN_CA|ACCESS_DENIED)/
/** What a socket says when the peer has gone, not when it does not like us. */
const GONE = /^(ECONNRESET|ECONNABORTED|EPIPE|ETIMEDOUT)$/
/** What Node says of a chain that leads to no authority it trusts. */
const UNKNOWN_AUTHORITY =
  /SELF_SIGNED|UNABLE_TO_(VERIFY_LEAF_SIGNATURE|GET_ISSUER_CERT(_LOCALLY)?)$|CERT_UNTRUSTED/

/** Some of what an error says is the peer's to choose. */
const MAX_WORDS = 300

/** The peer hung up within the TLS handshake: another of its addresses may do. */
export class PeerGoneError extends ConnectError {}

const codeOf = (error: Error): string => (error as NodeJS.ErrnoException).code ?? ''

/** What an error says in words: OpenSSL's message is for its makers, its reason is not. */
export function wordsOf(error: Error): string {
  const { reason = error.message } = error as { reason?: string }
  const words = codeOf(error).startsWith('ERR_SSL_') ? reason : error.message
  return words.trim().replace(/[.;]$/, '').slice(0, MAX_WORDS)
}

/** The alert by which a peer turned our certificate away, in words: `bad certificate`; null: it is none of these. */
export function alertAboutOurCertificate(error: Error): string | null {
  const code = codeOf(error)
  if (!ALERT_ABOUT_OUR_CERTIFICATE.test(code)) return null
  return code
    .replace(/^.*ALERT_/, '')
    .toLowerCase()
    .replaceAll('_', ' ')
}

/**
 * Says in a sentence what went wrong in a TLS handshake. The cause is Node's error, with its `code`.
 * @param peer whom with, and how: `api.push.apple.com:443 at 17.188.143.34`
 */
export function explainTlsFault(peer: string, error: Error): ConnectError {
  const code = codeOf(error)
  const said = code === '' ? wordsOf(error) : `${wordsOf(error)} (${code})`
  const message = [`TLS with ${peer} failed: ${said}.`, ...adviceFor(code)].join(' ')
  return GONE.test(code) ? new PeerGoneError(message, error) : new ConnectError(message, error)
}

function adviceFor(code: string): string[] {
  if (UNKNOWN_AUTHORITY.test(code))
    return [
      'If something on the way looks into TLS, or this is a simulator, its authority is to be trusted besides.',
    ]
  if (code.endsWith('ALERT_NO_APPLICATION_PROTOCOL'))
    return ['It does not speak HTTP/2. Is something in between?']
  return []
}
