import { ApnsdError } from '../../base/errors.ts'
import type { CredentialSource, ProviderCalls } from '../../core/provider-requests.ts'
import { pairNotifications } from './notify-params.ts'
import { DateTime, nameType, type XmlRpcValue } from './values.ts'

/** A method as clients can call it, and as introspection describes it. */
export interface Method {
  /** What to call and with what; faults about the number of parameters show it. */
  usage: string
  help: string
  /** One list for each way to call it: the result's type, then the parameters'. */
  signatures: readonly (readonly string[])[]
  /**
   * @param isJson false where a date, base64, NaN or an infinity stands anywhere in the call.
   * @throws {ApnsdError} what became of the call; anything else is our own mistake.
   */
  run(params: readonly XmlRpcValue[], isJson: boolean): Promise<XmlRpcValue>
}

export type Methods = ReadonlyMap<string, Method>

/** The three methods of pyapns, as calls on the provider. */
export function createPyapnsMethods(calls: ProviderCalls): Map<string, Method> {
  return new Map([
    ['provision', createProvision(calls)],
    ['notify', createNotify(calls)],
    ['feedback', createFeedback(calls)],
  ])
}

function createProvision(calls: ProviderCalls): Method {
  const usage = 'provision(app_id, certificate, environment, timeout = 15)'
  return {
    usage,
    help:
      `${usage}: creates or changes an app. The certificate is PEM text with its key, or the path of a file, PEM or ` +
      'PKCS#12 without a passphrase; the environment is sandbox or production; the timeout, in seconds, is how long ' +
      'a notify may wait for the first connection to Apple. The same again changes nothing.',
    signatures: [
      ['nil', 'string', 'string', 'string', 'int'],
      ['nil', 'string', 'string', 'string'],
    ],
    async run(params) {
      checkCount(params, 3, 4, usage)
      const timeout = params.length === 4 ? readNumber(params, 3, 'timeout') : undefined
      await calls.provision({
        appId: readString(params, 0, 'app_id'),
        credential: toCredentialSource(readString(params, 1, 'certificate')),
        environment: readString(params, 2, 'environment'),
        ...(timeout === undefined ? {} : { connectTimeoutS: timeout }),
      })
      return null
    },
  }
}

/** A file in base64: longer than any path without a dot or a dash. */
const LONG_BASE64 = /^[A-Za-z0-9+/\s]{200,}={0,2}\s*$/

/**
 * Tells the text of a certificate from a path. pyapns looked for `BEGIN CERTIFICATE`; we look for whatever may hold a
 * key, since a path that leads nowhere is shown in the error.
 */
function toCredentialSource(certificate: string): CredentialSource {
  return certificate.includes('-----BEGIN ') || LONG_BASE64.test(certificate)
    ? { type: 'certificate', pem: certificate }
    : { type: 'certificate', path: certificate }
}

function createNotify(calls: ProviderCalls): Method {
  const usage = 'notify(app_id, device_tokens, notifications)'
  return {
    usage,
    help:
      `${usage}: sends each notification (the whole payload, aps included) to the device token in the same place ` +
      'of the other list, or one notification to all device tokens. All are taken or none; once it answers, they ' +
      'are on disk.',
    signatures: [
      ['nil', 'string', 'string', 'struct'],
      ['nil', 'string', 'array', 'struct'],
      ['nil', 'string', 'array', 'array'],
      ['nil', 'string', 'string', 'array'],
    ],
    async run(params, isJson) {
      checkCount(params, 3, 3, usage)
      const appId = readString(params, 0, 'app_id')
      const requests = pairNotifications(params[1] ?? null, params[2] ?? null, isJson)
      // with no request in it too: the provider says whether the app exists
      await calls.notify(appId, requests)
      return null
    },
  }
}

function createFeedback(calls: ProviderCalls): Method {
  const usage = 'feedback(app_id, since = nothing)'
  return {
    usage,
    help:
      `${usage}: hands out, once each, the device tokens that Apple declared dead, as [time, device token]. Times ` +
      'are UTC, device tokens in lower-case hex. With since, a dateTime.iso8601 in UTC, it shows all that the daemon ' +
      'has recorded since then, handed out before or not, and hands out nothing: for whoever lost an answer on the way.',
    signatures: [
      ['array', 'string'],
      ['array', 'string', 'dateTime.iso8601'],
    ],
    async run(params) {
      checkCount(params, 1, 2, usage)
      const appId = readString(params, 0, 'app_id')
      const entries =
        params.length === 1
          ? await calls.takeFeedback(appId)
          : await calls.feedbackSince(appId, readTimeMs(params, 1, 'since'))
      return entries.map(({ timestampMs, deviceToken }) => [
        new DateTime(Math.floor(timestampMs / 1000)),
        deviceToken,
      ])
    },
  }
}

/** @throws {ApnsdError} invalid-argument where there are fewer or more parameters than a method takes. */
export function checkCount(
  params: readonly XmlRpcValue[],
  least: number,
  most: number,
  usage: string,
): void {
  if (params.length >= least && params.length <= most) return
  throw new ApnsdError(
    'invalid-argument',
    `The number of parameters is ${params.length}, but the method is ${usage}.`,
  )
}

/** @throws {ApnsdError} invalid-argument where a parameter is no string. */
export function readString(params: readonly XmlRpcValue[], index: number, name: string): string {
  const value = params[index] ?? null
  if (typeof value === 'string') return value
  throw new ApnsdError('invalid-argument', `${name} is ${nameType(value)}; it must be a string.`)
}

function readTimeMs(params: readonly XmlRpcValue[], index: number, name: string): number {
  const value = params[index] ?? null
  if (value instanceof DateTime) return value.epochS * 1000
  throw new ApnsdError(
    'invalid-argument',
    `${name} is ${nameType(value)}; it must be a dateTime.iso8601, in UTC.`,
  )
}

function readNumber(params: readonly XmlRpcValue[], index: number, name: string): number {
  const value = params[index] ?? null
  if (typeof value === 'number' || typeof value === 'bigint') return Number(value)
  throw new ApnsdError('invalid-argument', `${name} is ${nameType(value)}; it must be an int.`)
}
