/** What pyapns' own clients, its server and the gateway said to each other: see transcripts/README.md. */
import { readdirSync, readFileSync } from 'node:fs'

const FOLDER = new URL('./transcripts/', import.meta.url)
const BLANK_LINE = '\r\n\r\n'

/** Names of all recordings. */
export const RECORDINGS: readonly string[] = readdirSync(FOLDER)
  .filter((file) => file.endsWith('.request'))
  .map((file) => file.slice(0, -'.request'.length))

/** Reads a request, head and body as the client wrote them, with other texts in its body and the length to fit. */
export function readRequest(name: string, replacements: Record<string, string> = {}): string {
  const [head, recorded] = readMessage(`${name}.request`)
  const body = Object.entries(replacements).reduce(
    (text, [from, to]) => text.replaceAll(from, () => to),
    recorded,
  )
  const length = `Content-Length: ${Buffer.byteLength(body)}`
  return head.replace(/^Content-Length: \d+$/m, length) + BLANK_LINE + body
}

/** Reads what pyapns answered. */
export function readAnswer(name: string): { closes: boolean; body: string } {
  const [head, body] = readMessage(`${name}.response`)
  return { closes: /^Connection: close$/m.test(head), body }
}

function readMessage(file: string): [head: string, body: string] {
  const text = readFileSync(new URL(file, FOLDER), 'utf8')
  const end = text.indexOf(BLANK_LINE)
  return [text.slice(0, end), text.slice(end + BLANK_LINE.length)]
}

/** A notification as Apple's old gateway took it. */
export interface SimpleFrame {
  /** In lower case. */
  deviceToken: string
  payload: string
}

/**
 * Reads what pyapns wrote to the gateway, frame by frame:
 *
 *     | 0 | 0 32 | device token | length | payload, JSON in UTF-8 |
 *     | 1 |   2  |      32      |    2   |         length         |  bytes
 *
 * Apple, Binary Provider API, "Legacy Notification Format".
 */
export function readGatewayFrames(): SimpleFrame[] {
  const bytes = readFileSync(new URL('gateway-simple-frames.bin', FOLDER))
  const frames: SimpleFrame[] = []
  for (let offset = 0; offset < bytes.length; ) {
    if (bytes.readUIntBE(offset, 3) !== 32) throw new Error(`no frame of command 0 at ${offset}`)
    const payloadStart = offset + 37
    const end = payloadStart + bytes.readUInt16BE(offset + 35)
    if (end > bytes.length) throw new Error(`the frame at ${offset} is cut`)
    frames.push({
      deviceToken: bytes.toString('hex', offset + 3, offset + 35),
      payload: bytes.toString('utf8', payloadStart, end),
    })
    offset = end
  }
  return frames
}
