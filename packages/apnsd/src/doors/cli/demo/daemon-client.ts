import { formatCall } from '../../xmlrpc/format-message.ts'
import { parseResponse } from '../../xmlrpc/parse-response.ts'
import type { XmlRpcValue } from '../../xmlrpc/values.ts'

/** What the daemon says of one notification: the answer of `GET /v1/notifications/{id}`. */
export interface NotificationView {
  readonly state: string
  readonly status: number | null
  readonly reason: string | null
  readonly attempts: number
}

const POLL_MS = 5

/**
 * Calls a method over XML-RPC, as any client would.
 * @throws {XmlRpcFault} what the daemon answered
 */
export async function call(
  url: string,
  method: string,
  params: readonly XmlRpcValue[],
): Promise<XmlRpcValue> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'text/xml' },
    body: formatCall(method, params),
  })
  return parseResponse(await response.text())
}

/** Asks the daemon until the notification has ended. */
export async function waitForOutcome(url: string, apnsId: string): Promise<NotificationView> {
  for (;;) {
    const response = await fetch(`${url}/v1/notifications/${apnsId}`)
    if (!response.ok) throw new Error(await response.text())
    const view = (await response.json()) as NotificationView
    if (view.state !== 'waiting') return view
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}
