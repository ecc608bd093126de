/** @apnsd/apns: a source of notifications on one connection. */
import { connectClient, faultOf, notificationAt, PAYLOAD_OCTETS, sourceOf } from './apnsd-parts.ts'
import { contest } from './contest.ts'

await contest(async (parts) => {
  const client = await connectClient(parts, { maxConnections: 1 })
  return {
    payloadBytes: PAYLOAD_OCTETS.length,
    send: async (index) => {
      try {
        return faultOf(index, await client.send(notificationAt(index)))
      } catch (error) {
        return String(error)
      }
    },
    sendAll: (ledger) => client.submit(sourceOf(ledger, 0, ledger.count)),
    close: () => client.close(),
  }
})
