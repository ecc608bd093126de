import { escapeText, formatValue } from './format-value.ts'
import type { XmlRpcValue } from './values.ts'

const DECLARATION = '<?xml version="1.0"?>\n'

/** Writes a call. @throws {RangeError} where a value is outside of what XML-RPC can say; see {@link formatValue}. */
export function formatCall(method: string, params: readonly XmlRpcValue[]): string {
  const list = params.map((param) => `<param>${formatValue(param)}</param>`).join('')
  const name = `<methodName>${escapeText(method)}</methodName>`
  return `${DECLARATION}<methodCall>${name}<params>${list}</params></methodCall>\n`
}

/** Writes the answer to a call that succeeded. */
export function formatResponse(result: XmlRpcValue): string {
  const param = `<param>${formatValue(result)}</param>`
  return `${DECLARATION}<methodResponse><params>${param}</params></methodResponse>\n`
}

/** Writes the answer to a call that failed. */
export function formatFault(faultCode: number, faultString: string): string {
  const fault = formatValue({ faultCode, faultString })
  return `${DECLARATION}<methodResponse><fault>${fault}</fault></methodResponse>\n`
}
