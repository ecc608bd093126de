import type { ConnectionView } from './connection.ts'
import type { DeviceScreen } from './devices.ts'
import { ENVIRONMENTS } from './environment.ts'
import { SimulatorError } from './errors.ts'
import { checkShape, flag, listOf, oneOf, type Shape, text, wholeNumber } from './input-checks.ts'
import type { Notification } from './notification-log.ts'
import type { IssuedKey, KeyRequest } from './provider-tokens.ts'
import type { Script } from './script.ts'
import type { CertificateOptions, IssuedCertificate, KillOptions } from './simulator-options.ts'

/** Is what the control calls need of a simulator. */
export interface ControlledSimulator {
  readonly url: string
  readonly authority: { readonly certificatePem: string }
  readonly totals: { accepted: number; answers: number }
  notifications(): Notification[]
  answers(): Notification[]
  clearNotifications(): void
  play(script: Script): void
  clearScript(): void
  connections(): ConnectionView[]
  device(deviceToken: string): DeviceScreen | undefined
  killDevice(deviceToken: string, options: KillOptions): void
  issueCertificate(options: CertificateOptions): IssuedCertificate
  issueKey(options: KeyRequest): IssuedKey
}

/** Holds what a call is run with. */
export interface ControlInput {
  simulator: ControlledSimulator
  /** The part of the path that stands for a device token; empty in other paths. */
  parameter: string
  query: URLSearchParams
  /** The body's JSON; `{}` when it is empty or the call takes none. */
  input: unknown
}

/** Is one call of the control server. */
export interface ControlCall {
  method: 'GET' | 'POST' | 'DELETE'
  /** Path as the index shows it. */
  path: string
  pattern: RegExp
  does: string
  takesBody: boolean
  /** Gives what to answer: JSON, or PEM when it is a text; undefined for 204. Throws SimulatorError for 400. */
  run(input: ControlInput): unknown
}

const environments = listOf(oneOf(ENVIRONMENTS))

const CERTIFICATE: Shape = {
  required: ['topic'],
  fields: {
    topic: text,
    environments,
    topics: listOf((value, place) => checkShape(value, LABELLED_TOPIC, place)),
    appleExtensions: flag,
    notBefore: date,
    notAfter: date,
  },
}
const LABELLED_TOPIC: Shape = { required: ['topic', 'label'], fields: { topic: text, label: text } }
const KEY: Shape = {
  required: [],
  fields: { teamId: text, keyId: text, topics: listOf(text), environments, key: text },
}
const KILL: Shape = {
  required: [],
  fields: { reason: oneOf(['Unregistered', 'ExpiredToken']), timestampMs: wholeNumber(0) },
}

/** Holds every call of the control server; the index at `GET /` and the README list the same. */
export const CONTROL_CALLS: readonly ControlCall[] = [
  call('GET', '/', 'this list', ({ simulator }) => index(simulator)),
  call(
    'GET',
    '/notifications',
    'what was accepted, oldest first, with every header; ?answers=all: rejections too',
    ({ simulator, query }) => listNotifications(simulator, query),
  ),
  call('DELETE', '/notifications', 'forgets them', ({ simulator }) =>
    simulator.clearNotifications(),
  ),
  call('POST', '/script', 'plays faults, in place of those before', ({ simulator, input }) =>
    simulator.play(input as Script),
  ),
  call('DELETE', '/script', 'plays none any more', ({ simulator }) => simulator.clearScript()),
  call('GET', '/connections', 'the connections, closed ones too', ({ simulator }) =>
    simulator.connections(),
  ),
  call('GET', '/devices/{token}', "a device's screen", ({ simulator, parameter }) => {
    const screen = simulator.device(parameter)
    if (screen !== undefined) return screen
    throw new SimulatorError('NOT_FOUND', 'nothing was pushed to this device token')
  }),
  call(
    'POST',
    '/devices/{token}/kill',
    'answers 410 for it from now on: {reason?, timestampMs?}',
    ({ simulator, parameter, input }) =>
      simulator.killDevice(parameter, checkShape(input, KILL, '')),
  ),
  call(
    'GET',
    '/ca.pem',
    'the authority to trust',
    ({ simulator }) => simulator.authority.certificatePem,
  ),
  call(
    'POST',
    '/certificates',
    'issues a push certificate: {topic, environments?, topics?, appleExtensions?, notBefore?, notAfter?}',
    ({ simulator, input }) => simulator.issueCertificate(certificateOptions(input)),
  ),
  call(
    'POST',
    '/keys',
    'issues a key for provider tokens: {teamId?, keyId?, topics?, environments?, key?}',
    ({ simulator, input }) => simulator.issueKey(checkShape(input, KEY, '')),
  ),
]

function call(
  method: ControlCall['method'],
  path: string,
  does: string,
  run: ControlCall['run'],
): ControlCall {
  const pattern = new RegExp(`^${path.replaceAll('.', '\\.').replace('{token}', '([^/]+)')}$`)
  return { method, path, pattern, does, takesBody: method === 'POST', run }
}

function index(simulator: ControlledSimulator): object {
  const calls = CONTROL_CALLS.map(({ method, path, does }) => [`${method} ${path}`, does])
  const { url, totals } = simulator
  return { simulator: 'apnsd simulator', url, totals, calls: Object.fromEntries(calls) }
}

function listNotifications(simulator: ControlledSimulator, query: URLSearchParams): Notification[] {
  const answers = query.get('answers')
  if (answers === null) return simulator.notifications()
  oneOf(['all'])(answers, 'answers')
  return simulator.answers()
}

/** JSON has no dates: they come as texts. */
function certificateOptions(input: unknown): CertificateOptions {
  const { notBefore, notAfter, ...options } = checkShape(input, CERTIFICATE, '')
  return {
    ...(options as unknown as CertificateOptions),
    ...(typeof notBefore === 'string' ? { notBefore: new Date(notBefore) } : {}),
    ...(typeof notAfter === 'string' ? { notAfter: new Date(notAfter) } : {}),
  }
}

function date(value: unknown, place: string): void {
  if (typeof value === 'string' && !Number.isNaN(Date.parse(value))) return
  throw new SimulatorError('BAD_INPUT', `${place} must be a date such as 2027-01-31T12:00:00Z`)
}
