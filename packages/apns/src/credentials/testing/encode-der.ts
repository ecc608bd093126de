/** Writes DER, for files that no tool would write. */

/** An element of one tag and its content. */
export function der(tag: number, ...content: Uint8Array[]): Buffer {
  const bytes = Buffer.concat(content)
  const length =
    bytes.length < 0x80
      ? Buffer.from([bytes.length])
      : Buffer.from([0x83, bytes.length >> 16, (bytes.length >> 8) & 0xff, bytes.length & 0xff])
  return Buffer.concat([Buffer.from([tag]), length, bytes])
}

export const sequence = (...content: Uint8Array[]): Buffer => der(0x30, ...content)
export const octets = (...content: Uint8Array[]): Buffer => der(0x04, ...content)
/** `[0] EXPLICIT` */
export const context0 = (...content: Uint8Array[]): Buffer => der(0xa0, ...content)

export function integer(value: number): Buffer {
  const hex = value.toString(16)
  const bytes = Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex')
  return der(0x02, ...(bytes[0]! >= 0x80 ? [Buffer.from([0])] : []), bytes)
}

export function objectIdentifier(dotted: string): Buffer {
  const [first = 0, second = 0, ...arcs] = dotted.split('.').map(Number)
  return der(0x06, ...[first * 40 + second, ...arcs].map(encodeArc))
}

function encodeArc(arc: number): Buffer {
  const bytes = [arc % 128]
  for (let rest = Math.floor(arc / 128); rest > 0; rest = Math.floor(rest / 128))
    bytes.unshift(0x80 + (rest % 128))
  return Buffer.from(bytes)
}
