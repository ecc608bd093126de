import type { Exchange } from './exchange.ts'
import { statusOfReason } from './reasons.ts'
import type { Fault, GoAway, Reject } from './script.ts'
import type { Answer } from './validation.ts'

const FALLBACK_STATUS = 400
const GONE = 410

/** Plays a fault to a request that came in whole. */
export function playFault(fault: Fault, exchange: Exchange, nowMs: number): void {
  switch (fault.type) {
    case 'reject':
      exchange.reject(scriptedAnswer(fault, nowMs))
      return
    case 'refuseStream':
      exchange.refuse()
      return
    case 'noAnswer':
      return
    case 'delay':
      exchange.after(fault.ms, () => exchange.answer())
      return
    case 'goaway':
      goAway(fault, exchange)
      return
    case 'streamLimit':
      exchange.answer()
      // Goes out before the answer all the same: nghttp2 sends SETTINGS first.
      exchange.connection.setStreamLimit(fault.limit)
      return
    case 'closeConnection':
      exchange.connection.destroy()
  }
}

function goAway({ code = 0, reason, lastStream }: GoAway, exchange: Exchange): void {
  const debugData = Buffer.from(reason === undefined ? '' : JSON.stringify({ reason }))
  // A client's streams have odd numbers; 1 is the first, and 0 says that none counts.
  const last = lastStream === 'this' ? exchange.streamId : Math.max(0, exchange.streamId - 2)
  exchange.connection.goAway(last, code, debugData)
  if (lastStream === 'this') exchange.answer()
}

function scriptedAnswer(
  { status, reason, timestampMs, retryAfterS }: Reject,
  nowMs: number,
): Answer {
  const answered = status ?? statusOfReason(reason) ?? FALLBACK_STATUS
  return {
    status: answered,
    reason,
    timestampMs: timestampMs ?? (answered === GONE ? nowMs : null),
    retryAfterS: retryAfterS ?? null,
  }
}
