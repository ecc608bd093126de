export class TlsContext {
  readonly options: {
    extraCa?: readonly string[] | undefined
    certificate?: { readonly certificatePem: string; readonly privateKeyPem: string } | null
    onKeylog?: ((line: Buffer) => void) | undefined
  }
  constructor(options: TlsContext['options']) {
    this.options = options
  }
}
