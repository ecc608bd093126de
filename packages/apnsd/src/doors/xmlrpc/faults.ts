import { ApnsdError, ERRORS, type ErrorCode, toApnsdError } from '../../base/errors.ts'

/** A fault as XML-RPC has it. A type, not an interface, so that it is a struct of XML-RPC as well. */
export type Fault = {
  faultCode: number
  faultString: string
}

/** Their texts must stay the original's, to the letter: its clients and their users look for them. */
const KEPT_AS_THEY_ARE: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'unknown-app',
  'invalid-environment',
  'apple-unreachable',
])

/** Turns whatever a call threw into the fault that answers it, which shows nothing of an error that is not ours. */
export function toFault(thrown: unknown): Fault {
  const error = toApnsdError(thrown)
  const { fault } = ERRORS[error.code]
  return { faultCode: fault, faultString: formatFaultString(error) }
}

function formatFaultString({ code, message, hint, retryAfterS }: ApnsdError): string {
  if (KEPT_AS_THEY_ARE.has(code)) return message
  const sentences = [message]
  if (hint !== undefined) sentences.push(hint)
  if (retryAfterS !== undefined) sentences.push(`Try again in ${retryAfterS} s.`)
  return sentences.join(' ')
}

/** When the same call is worth another try, in whole seconds; undefined where that is not known, or no use. */
export function retryAfterOf(thrown: unknown): number | undefined {
  return thrown instanceof ApnsdError ? thrown.retryAfterS : undefined
}

/** True for an error that only the daemon's log can explain. */
export function isUnexpected(thrown: unknown): boolean {
  return !(thrown instanceof ApnsdError) || thrown.code === 'internal'
}
