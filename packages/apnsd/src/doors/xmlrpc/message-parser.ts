import { SaxesParser } from 'saxes'
import { ApnsdError } from '../../base/errors.ts'
import { describeMisplaced, describeState, findPlace, findStep, type Place } from './grammar.ts'
import { startsDoctype } from './prolog.ts'
import { isBlank, parseScalar, type Scalar } from './scalars.ts'
import { Base64, DateTime, newStruct, type XmlRpcStruct, type XmlRpcValue } from './values.ts'

/** Arrays and structs inside one another. Apple's dictionaries need about five; code that walks values is recursive. */
export const MAX_DEPTH = 64

/**
 * Values in one message. A notification needs some ten, so this leaves room for a hundred thousand in a call, and keeps
 * a body of 32 MiB from becoming a million empty structs and more.
 */
export const MAX_VALUES = 1_000_000

/** Attributes on one element. XML-RPC has none; the few that clients write declare a namespace. */
export const MAX_ATTRIBUTES = 16

/** Characters before the root element: room for a declaration and a comment. */
export const MAX_PROLOG_CHARS = 4096

/** Longer texts of the XML parser hold a name out of the document, and are cut. */
const MAX_COMPLAINT_CHARS = 120

const START = findPlace('start')
const END = findPlace('end')

/** A whole message, call or response. */
export interface Message {
  /** What was called; empty in a response. */
  method: string
  /** In a response exactly one: the result, or the fault's struct. */
  params: XmlRpcValue[]
  isFault: boolean
  /** False where a date, base64, NaN or an infinity stands anywhere in it, which JSON cannot say. */
  isJson: boolean
}

/**
 * Parses one message while it arrives: `write` each piece, then `end`.
 *
 * The states and what leads from one to the next stand in grammar.ts; saxes makes the elements out of the characters.
 * Once it has thrown, it is of no further use.
 */
export class MessageParser {
  readonly #root: 'methodCall' | 'methodResponse'
  readonly #sax = new SaxesParser({ xmlns: false, position: false })
  #place: Place = START
  /** The place to go on in after each open element has closed, the innermost last. */
  readonly #after: Place[] = []
  /** The arrays and structs that are open, and the names of the members whose values are. */
  readonly #containers: (XmlRpcValue[] | XmlRpcStruct)[] = []
  readonly #names: string[] = []
  #text = ''
  #value: XmlRpcValue = null
  #values = 0
  #attributes = 0
  #prolog = ''
  readonly #message: Message = { method: '', params: [], isFault: false, isJson: true }

  constructor(root: 'methodCall' | 'methodResponse') {
    this.#root = root
    this.#sax.on('opentag', (tag) => this.#open(tag.name))
    this.#sax.on('closetag', () => this.#close())
    this.#sax.on('text', (text) => this.#take(text))
    this.#sax.on('cdata', (text) => this.#take(text))
    this.#sax.on('attribute', () => this.#countAttribute())
    this.#sax.on('doctype', () => refuse('it has a DOCTYPE, which is never read'))
    this.#sax.on('error', (error) => refuse(shortenComplaint(error.message)))
  }

  /**
   * Takes the next piece, cut anywhere.
   * @param text of well-formed Unicode, though a surrogate pair may be cut between two pieces.
   * @throws {ApnsdError} malformed-request as soon as the message cannot become a good one, with the line.
   */
  write(text: string): void {
    try {
      this.#sax.write(text)
      if (this.#place === START) this.#checkProlog(text)
    } catch (thrown) {
      throw this.#locate(thrown)
    }
  }

  /**
   * Gives the message, now that all of it was written.
   * @throws {ApnsdError} malformed-request where something is missing.
   */
  end(): Message {
    const line = this.#sax.line
    try {
      this.#sax.close()
      if (this.#root === 'methodResponse' && this.#message.params.length !== 1) {
        refuse('a response holds one value')
      }
    } catch (thrown) {
      throw this.#locate(thrown, line)
    }
    return this.#message
  }

  #open(element: string): void {
    this.#attributes = 0
    const place = this.#place
    if (place === START) return this.#openRoot(element)
    const step = findStep(place, element)
    if (step === undefined) {
      refuse(`<${shortenComplaint(element)}> ${describeMisplaced(place.state)}`)
    }
    if (this.#text !== '') this.#dropBlanks()
    this.#after.push(step.after)
    this.#place = step.inside
    const { state } = step.inside
    if (state === 'value') this.#countValue()
    else if (state === 'array') this.#openContainer([])
    else if (state === 'struct') this.#openContainer(newStruct())
    else if (state === 'fault') this.#message.isFault = true
  }

  #dropBlanks(): void {
    if (!isBlank(this.#text)) refuse('a <value> holds both text and elements')
    this.#text = ''
  }

  #openRoot(element: string): void {
    if (element !== this.#root) {
      refuse(`it is a <${shortenComplaint(element)}>, not a <${this.#root}>`)
    }
    this.#after.push(END)
    this.#place = findPlace(this.#root)
    this.#prolog = ''
  }

  #openContainer(container: XmlRpcValue[] | XmlRpcStruct): void {
    if (this.#containers.length >= MAX_DEPTH) {
      refuse(`arrays and structs stand more than ${MAX_DEPTH} levels deep in one another`)
    }
    this.#containers.push(container)
  }

  #close(): void {
    const { state, scalar, mayClose } = this.#place
    if (!mayClose) refuse(`something is missing in ${describeState(state)}`)
    this.#place = this.#after.pop() ?? END
    if (scalar !== null) this.#value = this.#noteForeign(parseScalar(scalar, this.#text))
    else if (state === 'valueDone') this.#deliver(this.#value)
    else if (state === 'value') this.#deliver(this.#text)
    else if (state === 'name') this.#names.push(this.#text)
    else if (state === 'arrayDone' || state === 'struct')
      this.#value = this.#containers.pop() ?? null
    else if (state === 'methodName') this.#message.method = this.#text.trim()
    this.#text = ''
  }

  /** Puts a value that has closed where it belongs: into what is open around it. */
  #deliver(value: XmlRpcValue): void {
    const container = this.#containers[this.#containers.length - 1]
    if (container === undefined) this.#message.params.push(value)
    else if (Array.isArray(container)) container.push(value)
    else container[this.#names.pop() ?? ''] = value
  }

  #noteForeign(value: Scalar): Scalar {
    const foreign =
      typeof value === 'number'
        ? !Number.isFinite(value)
        : value instanceof DateTime || value instanceof Base64
    if (foreign) this.#message.isJson = false
    return value
  }

  #take(text: string): void {
    if (this.#place.keepsText) this.#text += text
    else if (!isBlank(text)) {
      refuse(`text stands in ${describeState(this.#place.state)}, where only elements belong`)
    }
  }

  #countValue(): void {
    this.#values += 1
    if (this.#values > MAX_VALUES) refuse(`it holds more than ${MAX_VALUES} values`)
  }

  #countAttribute(): void {
    this.#attributes += 1
    if (this.#attributes > MAX_ATTRIBUTES) {
      refuse(`an element has more than ${MAX_ATTRIBUTES} attributes`)
    }
  }

  /** Bounds what may come before the root, and sees a DOCTYPE as it opens: saxes reports one only after its end. */
  #checkProlog(text: string): void {
    this.#prolog += text
    if (startsDoctype(this.#prolog)) refuse('it has a DOCTYPE, which is never read')
    if (this.#prolog.length > MAX_PROLOG_CHARS) {
      refuse(`its first ${MAX_PROLOG_CHARS} characters hold no <${this.#root}>`)
    }
  }

  /** Says where a fault lies. The opening is what Twisted answered, and what people search for. */
  #locate(thrown: unknown, line = this.#sax.line): unknown {
    if (!(thrown instanceof ApnsdError)) return thrown
    return new ApnsdError(
      thrown.code,
      `Can't deserialize input: line ${line}: ${thrown.message}.`,
      thrown.hint === undefined ? {} : { hint: thrown.hint },
    )
  }
}

function refuse(what: string): never {
  throw new ApnsdError('malformed-request', what)
}

function shortenComplaint(complaint: string): string {
  const text = complaint.replace(/\.$/, '')
  return text.length <= MAX_COMPLAINT_CHARS ? text : `${text.slice(0, MAX_COMPLAINT_CHARS - 1)}…`
}
