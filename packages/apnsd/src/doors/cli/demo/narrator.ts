import { styleText } from 'node:util'
import type { DeviceScreen, Notification } from '@apnsd/simulator'

/** Header fields that say the same on every request. */
const UNREMARKABLE = [':method', ':scheme', ':authority']

/** Prints the demo as a person would want to read it. Colours only on a terminal. */
export class Narrator {
  readonly #write: (text: string) => void
  #steps = 0

  constructor(write: (text: string) => void) {
    this.#write = write
  }

  step(title: string): void {
    this.#steps += 1
    this.line()
    this.line(styleText('bold', `${this.#steps}. ${title}`))
  }

  line(text = ''): void {
    this.#write(`${text}\n`)
  }

  fact(name: string, value: string): void {
    this.line(`   ${styleText('dim', name.padEnd(18))} ${value}`)
  }

  called(call: string, result: string, tookMs: number): void {
    this.line(`   ${styleText('cyan', call)}`)
    this.fact('answer', `${result}, after ${formatMs(tookMs)}`)
  }

  /** Shows a request as Apple gets it. */
  wire({ headers, payload }: Notification): void {
    this.fact('to Apple', `${headers[':method'] ?? ''} ${shorten(headers[':path'] ?? '')}`)
    for (const [name, value] of Object.entries(headers))
      if (!UNREMARKABLE.includes(name) && name !== ':path')
        this.fact('', `${name}: ${shorten(value)}`)
    this.fact('', JSON.stringify(payload))
  }

  /** Shows what the person with the device sees. */
  screen({ topic, alert, badge, sound }: DeviceScreen): void {
    const bar = styleText('green', '┃')
    this.fact('the device shows', `${bar} ${styleText('dim', `${topic ?? ''}, now`)}`)
    for (const text of [alert?.title, alert?.subtitle, alert?.body])
      if (text) this.fact('', `${bar} ${text}`)
    const extras = [
      ...(badge === null ? [] : [`badge ${badge}`]),
      ...(sound === null ? [] : [`sound ${sound}`]),
    ]
    if (extras.length > 0) this.fact('', `${bar} ${styleText('dim', extras.join(', '))}`)
  }
}

export const formatMs = (ms: number): string => `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`

/** Device tokens and provider tokens, cut in the middle. */
export const shorten = (text: string): string =>
  text.replace(/[\w.-]{60,}/g, (long) => `${long.slice(0, 8)}…${long.slice(-8)}`)
