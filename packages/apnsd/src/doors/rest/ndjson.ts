import { ApnsdError } from '../../base/errors.ts'

/** The largest payload, every character of it escaped, and room for the rest. */
const MAX_LINE_BYTES = 64 * 1024
const LINE_FEED = 0x0a

/**
 * Cuts a body into lines, however its bytes come. Empty lines are left out.
 * @throws {ApnsdError} malformed-request where a line is too long
 */
export async function* readLines(body: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  let rest: Buffer = Buffer.alloc(0)
  let number = 0
  for await (const chunk of body) {
    const bytes = rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([rest, chunk])
    let start = 0
    for (;;) {
      const end = bytes.indexOf(LINE_FEED, start)
      if (end === -1) break
      number += 1
      const line = bytes.toString('utf8', start, end).trim()
      if (line !== '') yield line
      start = end + 1
    }
    rest = bytes.subarray(start)
    if (rest.length > MAX_LINE_BYTES)
      throw new ApnsdError('malformed-request', `Line ${number + 1} is longer than 64 KiB.`)
  }
  const last = rest.toString('utf8').trim()
  if (last !== '') yield last
}
