import { ApnsdError } from '../../../base/errors.ts'
import type { NotificationRequest } from '../../../core/notifications/request.ts'
import type {
  FeedbackEntry,
  ProviderCalls,
  ProvisionRequest,
  Receipt,
} from '../../../core/provider-requests.ts'

/** A call that {@link FakeProvider} was asked for. */
export type RecordedCall =
  | { use: 'provision'; request: ProvisionRequest }
  | { use: 'notify'; appId: string; requests: readonly NotificationRequest[] }
  | { use: 'takeFeedback'; appId: string }
  | { use: 'feedbackSince'; appId: string; sinceMs: number }

/** Stands in for the provider: records what it is asked, and refuses what the door leaves to it. */
export class FakeProvider implements ProviderCalls {
  readonly calls: RecordedCall[] = []
  readonly apps = new Set<string>()
  feedback: FeedbackEntry[] = []
  /** Thrown by every call, where set. */
  failure: Error | undefined

  async provision(request: ProvisionRequest): Promise<void> {
    this.calls.push({ use: 'provision', request })
    if (this.failure !== undefined) throw this.failure
    const { appId, environment } = request
    if (environment !== 'sandbox' && environment !== 'production') {
      throw new ApnsdError(
        'invalid-environment',
        `Invalid environment provided \`${environment}\`. Valid environments are \`sandbox\` and \`production\``,
        { hint: 'This must not be shown.' },
      )
    }
    this.apps.add(appId)
  }

  async notify(appId: string, requests: readonly NotificationRequest[]): Promise<Receipt> {
    this.calls.push({ use: 'notify', appId, requests })
    if (this.failure !== undefined) throw this.failure
    this.#find(appId)
    for (const [index, { deviceToken }] of requests.entries()) {
      if (/^(?:[0-9a-f]{2} *)+$/i.test(deviceToken)) continue
      throw new ApnsdError('invalid-device-token', `Device token ${index} is no hex.`)
    }
    return { batchId: '0'.repeat(24), queued: requests.length, refused: [], refusedCount: 0 }
  }

  async takeFeedback(appId: string): Promise<FeedbackEntry[]> {
    this.calls.push({ use: 'takeFeedback', appId })
    if (this.failure !== undefined) throw this.failure
    this.#find(appId)
    return this.feedback
  }

  async feedbackSince(appId: string, sinceMs: number): Promise<FeedbackEntry[]> {
    this.calls.push({ use: 'feedbackSince', appId, sinceMs })
    this.#find(appId)
    return this.feedback
  }

  #find(appId: string): void {
    if (this.apps.has(appId)) return
    throw new ApnsdError('unknown-app', 'The app_id specified has not been provisioned.', {
      hint: 'This must not be shown.',
    })
  }
}
