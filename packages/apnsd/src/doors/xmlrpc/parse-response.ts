import { ApnsdError } from '../../base/errors.ts'
import { MessageParser } from './message-parser.ts'
import { isStruct, type XmlRpcValue } from './values.ts'

/** What a server answers in place of a result. */
export class XmlRpcFault extends Error {
  readonly faultCode: number
  readonly faultString: string

  constructor(faultCode: number, faultString: string) {
    super(`fault ${faultCode}: ${faultString}`)
    this.name = 'XmlRpcFault'
    this.faultCode = faultCode
    this.faultString = faultString
  }
}

/**
 * Reads the answer to a call.
 * @throws {XmlRpcFault} where it is a fault.
 * @throws {ApnsdError} malformed-request where it is no answer at all; the peer is to blame.
 */
export function parseResponse(xml: string): XmlRpcValue {
  if (!xml.isWellFormed()) {
    throw new ApnsdError('malformed-request', "Can't deserialize input: it is not Unicode.")
  }
  const parser = new MessageParser('methodResponse')
  parser.write(xml)
  const { params, isFault } = parser.end()
  const value = params[0] ?? null
  if (isFault) throw readFault(value)
  return value
}

function readFault(value: XmlRpcValue): Error {
  if (isStruct(value)) {
    const { faultCode, faultString } = value
    if (typeof faultCode === 'number' && typeof faultString === 'string') {
      return new XmlRpcFault(faultCode, faultString)
    }
  }
  return new ApnsdError('malformed-request', 'A fault holds no faultCode and faultString.')
}
