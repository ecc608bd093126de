/**
 * apns2. It sends no `apns-id`, leaves priority 10 out as Apple's default, makes up to 32 connections by itself, and
 * always dials port 443: here its sockets are led to the counterpart's port, and nothing else of it is touched.
 * It trusts the counterpart by NODE_EXTRA_CA_CERTS.
 */
import tls, { type ConnectionOptions, type TLSSocket } from 'node:tls'
import { ApnsClient, Notification } from 'apns2'
import {
  APS,
  deviceTokenOf,
  IN_FLIGHT,
  KEY_ID,
  OWN_DATA,
  TEAM_ID,
  TOPIC,
} from '../../common/work.ts'
import type { Fault } from '../ledger.ts'
import { contest, sendSideBySide } from './contest.ts'

await contest(({ url, signingKey }) => {
  leadDiallingTo(Number(url.port))
  const client = new ApnsClient({
    team: TEAM_ID,
    keyId: KEY_ID,
    signingKey,
    defaultTopic: TOPIC,
    host: url.hostname,
  })
  const notificationAt = (index: number): Notification =>
    new Notification(deviceTokenOf(index), { aps: APS, data: OWN_DATA })

  async function send(index: number): Promise<Fault> {
    const notification = notificationAt(index)
    try {
      return (await client.send(notification)) === notification ? null : 'another one’s outcome'
    } catch (error) {
      return error instanceof Error ? error.message : 'failed without an error'
    }
  }

  return {
    payloadBytes: Buffer.byteLength(JSON.stringify(notificationAt(0).buildApnsOptions())),
    send,
    sendAll: (ledger) => sendSideBySide(ledger, IN_FLIGHT, send),
    close: () => client.close(),
  }
})

/** Has `tls.connect`, by which undici dials, go to another port. Runs once for each connection. */
function leadDiallingTo(port: number): void {
  const { connect } = tls
  Object.assign(tls, {
    connect: (options: ConnectionOptions): TLSSocket => connect({ ...options, port }),
  })
}
