import { SimulatorError } from './errors.ts'

/** Is an object from outside whose fields are not checked yet. */
export type Fields = Record<string, unknown>

/** Checks a value from outside; throws a SimulatorError BAD_INPUT that names the place. */
export type Check = (value: unknown, place: string) => void

/** Says which fields an object may have, and how each is checked. */
export interface Shape {
  required: readonly string[]
  fields: Readonly<Record<string, Check>>
}

/**
 * Checks an object's fields: no unknown one, none missing, each as its check wants it.
 * @param place where the object stands, such as `rules[0].match`; empty for the outermost one.
 * @throws {SimulatorError} BAD_INPUT
 */
export function checkShape(value: unknown, shape: Shape, place: string): Fields {
  const fields = checkObject(value, place)
  checkNames(fields, Object.keys(shape.fields), place)
  const missing = shape.required.find((name) => fields[name] === undefined)
  if (missing !== undefined) {
    throw new SimulatorError('BAD_INPUT', `${join(place, missing)} is missing`)
  }
  for (const [name, check] of Object.entries(shape.fields)) {
    if (fields[name] !== undefined) check(fields[name], join(place, name))
  }
  return fields
}

/** Checks that a value is an object, and no list. */
export function checkObject(value: unknown, place: string): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields
  const what = place === '' ? 'this' : place
  throw new SimulatorError('BAD_INPUT', `${what} must be an object, not ${show(value)}`)
}

/** Checks that an object has none but the known fields. */
export function checkNames(fields: Fields, known: readonly string[], place: string): void {
  const unknown = Object.keys(fields).find((name) => !known.includes(name))
  if (unknown === undefined) return
  const names = known.length === 0 ? 'no field' : known.join(', ')
  throw new SimulatorError('BAD_INPUT', `${join(place, unknown)} is not known; known: ${names}`)
}

/** Checks for a text that is not empty. */
export function text(value: unknown, place: string): void {
  if (typeof value === 'string' && value !== '') return
  throw new SimulatorError('BAD_INPUT', `${place} must be a text, not ${show(value)}`)
}

/** Checks for true or false. */
export function flag(value: unknown, place: string): void {
  if (typeof value === 'boolean') return
  throw new SimulatorError('BAD_INPUT', `${place} must be true or false, not ${show(value)}`)
}

/** Makes a check for a whole number in a range, both ends included. */
export function wholeNumber(least: number, most = Number.MAX_SAFE_INTEGER): Check {
  return (value, place) => {
    const fits = Number.isInteger(value) && Number(value) >= least && Number(value) <= most
    if (fits) return
    const range = `a whole number from ${least} to ${most}`
    throw new SimulatorError('BAD_INPUT', `${place} must be ${range}, not ${show(value)}`)
  }
}

/** Makes a check for one of the known texts. */
export function oneOf(known: readonly string[]): Check {
  return (value, place) => {
    if (typeof value === 'string' && known.includes(value)) return
    const names = known.join(', ')
    throw new SimulatorError('BAD_INPUT', `${place} ${show(value)} is not known; known: ${names}`)
  }
}

/** Makes a check for a list of at least one item. */
export function listOf(check: Check): Check {
  return (value, place) => {
    if (!Array.isArray(value) || value.length === 0) {
      throw new SimulatorError('BAD_INPUT', `${place} must be a list, not ${show(value)}`)
    }
    value.forEach((item, index) => check(item, `${place}[${index}]`))
  }
}

/** Shows a value in a message. It comes from outside, so only the start of a long one. */
export function show(value: unknown): string {
  const json = (JSON.stringify(value) as string | undefined) ?? String(value)
  return json.length > 60 ? `${json.slice(0, 60)}…` : json
}

function join(place: string, name: string): string {
  return place === '' ? name : `${place}.${name}`
}
