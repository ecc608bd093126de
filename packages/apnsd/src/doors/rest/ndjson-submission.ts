import { Compile } from 'typebox/compile'
import type { Refusal } from '../../core/notifications/refusal.ts'
import type { NotificationRequest } from '../../core/notifications/request.ts'
import type { Receipt } from '../../core/provider-requests.ts'
import type { SubmissionStream } from '../../core/submission-stream.ts'
import { readLines } from './ndjson.ts'
import { NotificationBody } from './notification-schemas.ts'
import { readRequest } from './read-submission.ts'

const line = Compile(NotificationBody)

/** Takes a body of a notification a line, as it comes. A line that is none is refused, and the others are taken. */
export async function takeNdjson(
  submission: SubmissionStream,
  body: AsyncIterable<Uint8Array>,
): Promise<Receipt> {
  for await (const text of readLines(body)) await submission.add(readLine(text), text)
  return submission.end()
}

function readLine(text: string): NotificationRequest | Omit<Refusal, 'index'> {
  const value = parse(text)
  if (value === undefined) return refuse('The line is not JSON.')
  if (line.Check(value)) return readRequest(value)
  const [fault] = line.Errors(value)
  const place = fault?.instancePath ?? ''
  return refuse(`${place === '' ? 'The line' : place} ${fault?.message ?? 'is no notification'}.`)
}

const refuse = (detail: string): Omit<Refusal, 'index'> => ({
  code: 'malformed-request',
  detail,
  field: null,
})

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
