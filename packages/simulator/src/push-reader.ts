import type { ServerHttp2Stream } from 'node:http2'
import { deviceTokenOf, type PushRequest } from './validation.ts'

/** Over Apple's limit of 5120 with room to see what was sent; the rest of a body is counted and dropped. */
const MAX_KEPT_PAYLOAD_BYTES = 16_384

/** Holds a request that came in whole. */
export interface Push extends PushRequest {
  headers: Record<string, string>
  /** In lower case; empty when the path holds none. */
  deviceToken: string
  /** The start of the body, at most 16 KiB. */
  payloadStart: Buffer
}

/** Reads a request to its end. A stream that dies before is never heard of. */
export function readPush(
  stream: ServerHttp2Stream,
  rawHeaders: readonly string[],
  done: (push: Push) => void,
): void {
  const chunks: Buffer[] = []
  let payloadBytes = 0
  stream.on('data', (chunk: Buffer) => {
    if (payloadBytes < MAX_KEPT_PAYLOAD_BYTES) chunks.push(chunk)
    payloadBytes += chunk.length
  })
  stream.on('end', () => {
    const { headers, hasDuplicateHeaders } = readFields(rawHeaders)
    const whole = chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks)
    const payloadStart = whole.subarray(0, MAX_KEPT_PAYLOAD_BYTES)
    const deviceToken = deviceTokenOf(headers)
    done({ headers, hasDuplicateHeaders, deviceToken, payloadBytes, payloadStart })
  })
}

/** Parses a payload; the text itself when it is no JSON or was cut. */
export function parsePayload({ payloadStart, payloadBytes }: Push): unknown {
  const text = payloadStart.toString('utf8')
  if (payloadStart.length < payloadBytes) return text
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** node:http2's own header object joins or drops what is repeated, so the list of names and values is read. */
function readFields(rawHeaders: readonly string[]): {
  headers: Record<string, string>
  hasDuplicateHeaders: boolean
} {
  const headers: Record<string, string> = {}
  let hasDuplicateHeaders = false
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? ''
    const value = rawHeaders[at + 1] ?? ''
    const before = headers[name]
    if (before !== undefined) hasDuplicateHeaders = true
    headers[name] = before === undefined ? value : `${before}, ${value}`
  }
  return { headers, hasDuplicateHeaders }
}
