import type { CertificateCredential } from './certificate.ts'
import type { SigningKeyCredential } from './signing-key.ts'

/** What we show Apple: a certificate at the TLS handshake, or a provider token on each request. */
export type Credential = CertificateCredential | SigningKeyCredential
