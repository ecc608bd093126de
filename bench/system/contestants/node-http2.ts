/** node:http2 with nothing around it: a stream and three listeners for each notification, on one connection. */
import { createPrivateKey, sign } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:http2'
import {
  apnsIdOf,
  deviceTokenOf,
  IN_FLIGHT,
  KEY_ID,
  PAYLOAD,
  PRIORITY,
  PUSH_TYPE,
  TEAM_ID,
  TOPIC,
} from '../../common/work.ts'
import type { Fault } from '../ledger.ts'
import { contest } from './contest.ts'

const STATUS_ACCEPTED = 200
const SECOND_MS = 1000

await contest(async ({ url, authority, signingKey }) => {
  const session = connect(url, { ca: authority })
  await once(session, 'remoteSettings')
  const payload = Buffer.from(PAYLOAD)
  const authorization = `bearer ${signProviderToken(signingKey)}`

  function start(index: number, settled: (index: number, fault: Fault) => void): void {
    let status: number | undefined
    const stream = session.request({
      ':method': 'POST',
      ':path': `/3/device/${deviceTokenOf(index)}`,
      authorization,
      'apns-topic': TOPIC,
      'apns-push-type': PUSH_TYPE,
      'apns-priority': PRIORITY,
      'apns-id': apnsIdOf(index),
    })
    let fault: Fault = null
    stream.on('response', (fields) => {
      status = fields[':status']
    })
    stream.on('error', (error) => {
      fault = String(error)
    })
    stream.on('close', () => {
      if (status !== STATUS_ACCEPTED) fault ??= `answered ${status ?? 'not at all'}`
      settled(index, fault)
    })
    stream.resume()
    stream.end(payload)
  }

  return {
    payloadBytes: payload.length,
    send: (index) =>
      new Promise((resolve) => {
        start(index, (_index, fault) => resolve(fault))
      }),
    sendAll: (ledger) => {
      let next = 0
      const startNext = (): void => {
        if (next === ledger.count) return
        const index = next
        next += 1
        start(index, settled)
      }
      const settled = (index: number, fault: Fault): void => {
        ledger.settle(index, fault)
        startNext()
      }
      for (let count = 0; count < IN_FLIGHT; count += 1) startNext()
    },
    close: () => {
      session.close()
    },
  }
})

function signProviderToken(signingKey: string): string {
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const claims = { iss: TEAM_ID, iat: Math.floor(Date.now() / SECOND_MS) }
  const signed = `${encode({ alg: 'ES256', kid: KEY_ID })}.${encode(claims)}`
  const key = { key: createPrivateKey(signingKey), dsaEncoding: 'ieee-p1363' } as const
  return `${signed}.${sign('sha256', Buffer.from(signed), key).toString('base64url')}`
}
