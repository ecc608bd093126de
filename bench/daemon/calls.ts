/** The calls that hand notifications in, written ahead of time. */
import { formatCall } from '../../packages/apnsd/src/doors/xmlrpc/format-message.ts'
import { BenchError } from '../common/errors.ts'
import { APS, DEVICE_TOKENS, deviceTokenOf } from '../common/work.ts'
import { formatRequest, type HttpAnswer } from './http-connection.ts'

/** The app that everything is sent for. */
export const APP = 'bench'
/** As many as there are device tokens. */
export const PER_CALL = DEVICE_TOKENS.length
/** So many calls of a thousand differ, and then come again. */
const DISTINCT_CALLS = 10
const BODY_CHARACTERS = 200

/** The payload of the notification at `index`: that of the engine's benchmark, 142 bytes, and each its own. */
export function payloadOf(index: number) {
  const order = 100_000 + (index % 900_000)
  const body = `Your order ${index % 100_000} has shipped and will arrive on Monday`
  return { aps: { ...APS, alert: { ...APS.alert, body } }, order }
}

/** `notify` for one device token. */
export function singleCall(deviceToken: string, index: number): Buffer {
  return xmlRpcRequest('notify', [APP, deviceToken, payloadOf(index)])
}

/** `notify` for one device token each, the thousand of them in turn. */
export function singleCalls(): Buffer[] {
  return DEVICE_TOKENS.map((deviceToken, index) => singleCall(deviceToken, index))
}

/** `notify` with a thousand device tokens, a payload for each. */
export function bulkCalls(): Buffer[] {
  return times(DISTINCT_CALLS, (call) =>
    xmlRpcRequest('notify', [
      APP,
      [...DEVICE_TOKENS],
      times(PER_CALL, (index) => payloadOf(call * PER_CALL + index)),
    ]),
  )
}

/** `system.multicall` of a thousand `notify`, one device token each. */
export function multicalls(): Buffer[] {
  return times(DISTINCT_CALLS, (call) =>
    xmlRpcRequest('system.multicall', [
      times(PER_CALL, (index) => ({
        methodName: 'notify',
        params: [APP, deviceTokenOf(index), payloadOf(call * PER_CALL + index)],
      })),
    ]),
  )
}

/** Lines of NDJSON, a thousand notifications to a block. */
export function ndjsonBlocks(): Buffer[] {
  return times(DISTINCT_CALLS, (call) => {
    const lines = times(PER_CALL, (index) =>
      JSON.stringify({
        token: deviceTokenOf(index),
        payload: payloadOf(call * PER_CALL + index),
      }),
    )
    return Buffer.from(`${lines.join('\n')}\n`)
  })
}

/** @throws {BenchError} the answer is no plain yes */
export function checkXmlRpcAnswer({ status, body }: HttpAnswer): void {
  if (status === 200 && !body.includes('fault')) return
  const said = /<string>([^<]*)<\/string>/.exec(body)?.[1] ?? body
  throw new BenchError(`notify was refused: ${status} ${said.slice(0, BODY_CHARACTERS)}`)
}

function xmlRpcRequest(method: string, params: Parameters<typeof formatCall>[1]): Buffer {
  return formatRequest('POST', '/', 'text/xml', formatCall(method, params))
}

function times<Item>(count: number, make: (index: number) => Item): Item[] {
  return Array.from({ length: count }, (_, index) => make(index))
}
