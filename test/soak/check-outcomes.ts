import { formatApnsId } from '../../packages/apnsd/src/core/notifications/apns-id.ts'
import { waitForOutcome } from '../../packages/apnsd/src/doors/cli/demo/daemon-client.ts'
import { agrees, type Call, type Ledger } from './ledger.ts'

/** Questions under way at a time. */
const QUESTIONS = 16

/** What the daemon says became of the notifications that it said yes to. */
export interface Outcomes {
  readonly accepted: number
  readonly rejected: number
}

/**
 * Asks the daemon for the outcome of each notification that it owed an end to, and notes in the ledger where that is
 * another than what Apple's stand-in answered. Waits for those that it is still writing down.
 */
export async function checkOutcomes(url: string, ledger: Ledger): Promise<Outcomes> {
  const counts = { accepted: 0, rejected: 0 }
  const questions = questionsOf(ledger.calls)
  const ask = async (): Promise<void> => {
    for (const { call, index } of questions) {
      const apnsId = formatApnsId(call.batchId ?? '', index)
      const { state } = await waitForOutcome(url, apnsId)
      if (!agrees(state, call.ends[index] ?? 0))
        ledger.problems.push(`${apnsId} is ${state}, and ended as ${call.ends[index]} at Apple`)
      else if (call.answer === 'yes') counts[state === 'accepted' ? 'accepted' : 'rejected'] += 1
    }
  }
  await Promise.all(Array.from({ length: QUESTIONS }, ask))
  return counts
}

function* questionsOf(calls: readonly Call[]): Generator<{ call: Call; index: number }> {
  for (const call of calls) {
    if (!call.isOwed) continue
    for (let index = 0; index < call.ends.length; index += 1) yield { call, index }
  }
}
