import { SimulatorError } from './errors.ts'
import {
  type Check,
  checkNames,
  checkObject,
  checkShape,
  type Fields,
  oneOf,
  type Shape,
  show,
  text,
  wholeNumber,
} from './input-checks.ts'
import { statusOfReason } from './reasons.ts'
import type { Fault, Rule } from './script.ts'

/** A script is searched at each request, rule by rule. */
const MAX_RULES = 10_000
/** SETTINGS values and error codes have 32 bits [RFC 9113 §6.5.1, §7]; nghttp2 takes a limit as a positive int. */
const MAX_STREAM_LIMIT = 2 ** 31 - 1
const MAX_ERROR_CODE = 2 ** 32 - 1
/** What setTimeout takes. */
const MAX_DELAY_MS = 2 ** 31 - 1

/** The field `type` is checked first, to find the shape. */
const FAULTS: Record<Fault['type'], Shape> = {
  reject: shape(['reason'], {
    status: wholeNumber(400, 599),
    reason: text,
    timestampMs: wholeNumber(0),
    retryAfterS: wholeNumber(0),
  }),
  refuseStream: shape([], {}),
  noAnswer: shape([], {}),
  delay: shape(['ms'], { ms: wholeNumber(0, MAX_DELAY_MS) }),
  goaway: shape(['lastStream'], {
    code: wholeNumber(0, MAX_ERROR_CODE),
    reason: text,
    lastStream: oneOf(['this', 'previous']),
  }),
  streamLimit: shape(['limit'], { limit: wholeNumber(0, MAX_STREAM_LIMIT) }),
  closeConnection: shape([], {}),
}

const MATCH: Shape = {
  required: [],
  fields: { deviceToken: text, topic: text, nth: wholeNumber(0) },
}

const RULE: Shape = {
  required: ['do'],
  fields: {
    match: (value, place) => checkShape(value, MATCH, place),
    times: wholeNumber(0),
    do: checkFault,
  },
}

/**
 * Checks a script from outside: `{rules: […]}`, a list of rules or a single rule.
 * @throws {SimulatorError} BAD_INPUT with a sentence that names the place, such as
 *   `rules[0].do.type "rejct" is not known; known: reject, refuseStream, …`.
 */
export function parseScript(value: unknown): Rule[] {
  const rules = findRules(value)
  if (rules.length > MAX_RULES) {
    throw new SimulatorError('BAD_INPUT', `rules has ${rules.length} entries; at most ${MAX_RULES}`)
  }
  for (const [index, rule] of rules.entries()) checkShape(rule, RULE, `rules[${index}]`)
  return structuredClone(rules) as Rule[]
}

function findRules(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value
  const fields = checkObject(value, 'the script')
  if (!Object.hasOwn(fields, 'rules')) return [fields]
  checkNames(fields, ['rules'], 'the script')
  const rules = fields['rules']
  if (Array.isArray(rules)) return rules
  throw new SimulatorError('BAD_INPUT', `rules must be a list, not ${show(rules)}`)
}

function checkFault(value: unknown, place: string): void {
  const { type } = checkObject(value, place)
  oneOf(Object.keys(FAULTS))(type, `${place}.type`)
  const fault = checkShape(value, FAULTS[type as Fault['type']], place)
  if (type === 'reject') checkStatus(fault, place)
}

function checkStatus({ status, reason }: Fields, place: string): void {
  if (status !== undefined || statusOfReason(String(reason)) !== undefined) return
  const why = `reason ${show(reason)} is not one of Apple's`
  throw new SimulatorError('BAD_INPUT', `${place}.status is missing: ${why}`)
}

function shape(required: readonly string[], fields: Record<string, Check>): Shape {
  return { required, fields: { type: text, ...fields } }
}
