/** What may stand before a document's root, and ends by itself: processing instructions and comments. */
const SKIPPED = [
  { start: '<?', end: '?>' },
  { start: '<!--', end: '-->' },
]

/**
 * True where a document's beginning, cut anywhere, shows that a DOCTYPE opens. One inside of a comment does not count.
 * @see XML 1.0 §2.8, `prolog`
 */
export function startsDoctype(prolog: string): boolean {
  let at = 0
  for (;;) {
    at = skipBlanks(prolog, at)
    if (prolog.startsWith('<!DOCTYPE', at)) return true
    const skipped = SKIPPED.find(({ start }) => prolog.startsWith(start, at))
    if (skipped === undefined) return false
    const end = prolog.indexOf(skipped.end, at + skipped.start.length)
    if (end === -1) return false
    at = end + skipped.end.length
  }
}

function skipBlanks(text: string, from: number): number {
  let at = from
  while (at < text.length && text.charCodeAt(at) <= 0x20) at += 1
  return at
}
