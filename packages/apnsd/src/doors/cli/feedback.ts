import { readDaemonUrl } from '../../config/client-settings.ts'
import { getJson } from './rest-client.ts'

export interface FeedbackOptions {
  readonly url?: string
  readonly after?: string
  readonly limit?: string
  readonly json?: boolean
}

/** The answer of `GET /v1/apps/{app}/feedback`. */
interface FeedbackView {
  readonly feedback: readonly {
    readonly token: string
    readonly reason: string
    readonly status: number
    readonly timestamp: string
    readonly recordedAt: string
    readonly suspect: boolean
  }[]
  readonly next: string | null
  readonly more: boolean
}

/** Prints device tokens that Apple declared dead, and suspects; takes nothing away. */
export async function feedback(app: string, options: FeedbackOptions): Promise<void> {
  const { url, after, limit, json = false } = options
  const query = new URLSearchParams()
  if (after !== undefined) query.set('after', after)
  if (limit !== undefined) query.set('limit', limit)
  const path = `/v1/apps/${encodeURIComponent(app)}/feedback?${query.toString()}`
  const view = await getJson<FeedbackView>(readDaemonUrl(url), path)
  if (json) return print(process.stdout, JSON.stringify(view))
  for (const line of formatTable(view)) print(process.stdout, line)
  if (view.next !== null)
    print(
      process.stderr,
      `${view.more ? 'there is more' : 'what comes later'}: --after ${view.next}`,
    )
}

const print = (stream: NodeJS.WriteStream, line: string): void => void stream.write(`${line}\n`)

/** Columns as wide as what is in them. */
function formatTable({ feedback: entries }: FeedbackView): string[] {
  const rows = entries.map(({ token, reason, status, timestamp, recordedAt, suspect }) => [
    ...[recordedAt, timestamp, String(status), reason, suspect ? 'suspect' : 'dead', token],
  ])
  const table = [['RECORDED', 'SINCE', 'STATUS', 'REASON', 'VERDICT', 'DEVICE TOKEN'], ...rows]
  const widths = (table[0] ?? []).map((_, column) =>
    Math.max(...table.map((row) => (row[column] ?? '').length)),
  )
  return table.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  )
}
