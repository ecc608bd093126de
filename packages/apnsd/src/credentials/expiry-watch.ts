import type { Log } from '../base/log.ts'
import type { App } from '../core/apps/app.ts'
import { type ExpiryStage, expiryStage, expiryWarning } from '../core/apps/expiry.ts'
import type { Clock } from '../core/ports.ts'

/** A warning may be so late. */
const CHECK_INTERVAL_MS = 3_600_000

export interface ExpiryWatchParts {
  readonly listApps: () => readonly App[]
  readonly clock: Clock
  readonly log: Log
}

/**
 * Warns in the log when the end of a certificate comes near: 30, 7 and 1 days before it, and when it has ended, once
 * each. What is found at the start is told by the most urgent warning alone.
 */
export class ExpiryWatch {
  readonly #parts: ExpiryWatchParts
  /** By fingerprint: the last warning given. As many as there are certificates. */
  #told = new Map<string, ExpiryStage>()
  #timer: NodeJS.Timeout | undefined

  constructor(parts: ExpiryWatchParts) {
    this.#parts = parts
  }

  start(): void {
    this.#timer = setInterval(() => this.check(), CHECK_INTERVAL_MS)
    this.#timer.unref()
    this.check()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  /** Gives the warnings that have become due. Called by the clock, and whenever an app has changed. */
  check(): void {
    const told = new Map<string, ExpiryStage>()
    for (const app of this.#parts.listApps()) this.#checkApp(app, told)
    this.#told = told
  }

  #checkApp(app: App, told: Map<string, ExpiryStage>): void {
    const { log, clock } = this.#parts
    const { credential } = app
    if (credential.type !== 'certificate') return
    const { fingerprint, notAfterMs } = credential
    const stage = expiryStage(notAfterMs, clock.now())
    const last = told.get(fingerprint) ?? this.#told.get(fingerprint)
    if (stage !== null) told.set(fingerprint, stage)
    if (stage === null || (last !== undefined && last <= stage)) return
    const warning = expiryWarning(app, clock.now())
    log[stage === 0 ? 'error' : 'warn'](
      { app: app.id, fingerprint, expiresAt: new Date(notAfterMs).toISOString(), ...warning },
      stage === 0 ? 'a certificate has expired' : 'a certificate expires soon',
    )
  }
}
