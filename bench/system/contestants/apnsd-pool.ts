/** @apnsd/apns with its pool as it comes: how fast it is at some reply time, and to how many connections it grows. */

import type { Checked, Usage } from '../../common/measured.ts'
import { median } from '../../common/statistics.ts'
import { type Fault, Ledger } from '../ledger.ts'
import { connectClient, faultOf, notificationAt, sourceOf } from './apnsd-parts.ts'
import { check, measureUsage, printLine, readArguments } from './contest.ts'

export interface PoolRun extends Checked, Usage {
  /** Of lone notifications before the load, from call to outcome: shows what the relay made of the reply time. */
  readonly loneReplyMs: number
  readonly connections: number
  /** Over the last quarter of the notifications: when the pool had grown. */
  readonly grownRequestsPerSecond: number
}

const LONE_NOTIFICATIONS = 9
const GROWN_AFTER = 0.75
const SECOND_MS = 1000

const { parts, requests } = readArguments()
let connections = 0
const client = await connectClient(parts, {
  onEvent: (event) => {
    if (event.type === 'connected') connections = Math.max(connections, event.connections)
  },
})

const lone = new Ledger(LONE_NOTIFICATIONS)
const loneReplyMs = await measureLoneReply()

let grownAtMs = 0
const grownAfter = Math.floor(requests * GROWN_AFTER)
const ledger = new Ledger(requests, (settled) => {
  if (settled === grownAfter) grownAtMs = performance.now()
})
const usage = await measureUsage(async () => {
  client.submit(sourceOf(ledger, 0, requests))
  await ledger.done
})
const grownMs = performance.now() - grownAtMs

const run: PoolRun = {
  ...check(ledger, lone),
  ...usage,
  loneReplyMs,
  connections,
  grownRequestsPerSecond: ((requests - grownAfter) / grownMs) * SECOND_MS,
}
printLine(run)
await client.close()

async function measureLoneReply(): Promise<number> {
  const timesMs: number[] = []
  for (let index = 0; index < LONE_NOTIFICATIONS; index += 1) {
    const startMs = performance.now()
    const fault = await sendLone(index)
    timesMs.push(performance.now() - startMs)
    lone.settle(index, fault)
  }
  return median(timesMs)
}

async function sendLone(index: number): Promise<Fault> {
  try {
    return faultOf(index, await client.send(notificationAt(index)))
  } catch (error) {
    return String(error)
  }
}
