import { MessageParser } from './message-parser.ts'
import { DocumentDecoder } from './text-decoding.ts'
import type { XmlRpcValue } from './values.ts'

/** A method call as it came in. */
export interface MethodCall {
  method: string
  params: XmlRpcValue[]
  /** False where a date, base64, NaN or an infinity stands anywhere in it, which JSON cannot say. */
  isJson: boolean
}

/** Reads one call out of the bytes of a body, while they arrive. Once it has thrown, it is of no further use. */
export class CallReader {
  readonly #decoder: DocumentDecoder
  readonly #parser = new MessageParser('methodCall')

  /** @param contentType as it was sent; only its charset counts. */
  constructor(contentType: string | undefined) {
    this.#decoder = new DocumentDecoder(contentType)
  }

  /** @throws {ApnsdError} malformed-request as soon as no good call can come of it. */
  write(bytes: Buffer): void {
    this.#parser.write(this.#decoder.decode(bytes))
  }

  /** @throws {ApnsdError} malformed-request where the call is not complete. */
  end(): MethodCall {
    this.#parser.write(this.#decoder.end())
    return this.#parser.end()
  }
}
