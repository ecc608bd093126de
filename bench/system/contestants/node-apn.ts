/**
 * @parse/node-apn: one provider, which keeps one connection. One notification object serves for all, its `apns-id`
 * changed for each: its JSON is made once then, which is the fastest way to use it.
 */
import apn from '@parse/node-apn'
import {
  APS,
  apnsIdOf,
  deviceTokenOf,
  IN_FLIGHT,
  KEY_ID,
  OWN_DATA,
  PRIORITY,
  PUSH_TYPE,
  TEAM_ID,
  TOPIC,
} from '../../common/work.ts'
import type { Fault } from '../ledger.ts'
import { contest, sendSideBySide } from './contest.ts'

await contest(({ url, authority, signingKey }) => {
  const provider = new apn.Provider({
    token: { key: signingKey, keyId: KEY_ID, teamId: TEAM_ID },
    address: url.hostname,
    port: Number(url.port),
    ca: [authority],
    // its five seconds would end what merely waits its turn on a busy machine, and nothing here is to be lost
    requestTimeout: 60_000,
  })
  const notification = new apn.Notification()
  notification.aps = APS
  notification.payload = OWN_DATA
  notification.topic = TOPIC
  notification.pushType = PUSH_TYPE
  notification.priority = PRIORITY

  async function send(index: number): Promise<Fault> {
    notification.id = apnsIdOf(index)
    const { sent, failed } = await provider.send(notification, deviceTokenOf(index))
    if (failed.length === 0 && sent[0]?.device === deviceTokenOf(index)) return null
    const [failure] = failed
    return `answered ${failure?.status ?? 'not at all'}: ${failure?.error?.message ?? 'no error'}`
  }

  return {
    payloadBytes: Buffer.byteLength(JSON.stringify(notification)),
    send,
    sendAll: (ledger) => sendSideBySide(ledger, IN_FLIGHT, send),
    close: () => provider.shutdown(),
  }
})
