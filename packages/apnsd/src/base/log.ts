import { type Logger, pino } from 'pino'

/** Where the daemon says what it does: one JSON object a line. No device token, payload or secret goes in. */
export type Log = Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

/**
 * Makes the daemon's log on standard output. Levels by name, times as ISO 8601, errors with code and cause.
 *
 * Written through `process.stdout`: pino's own file writer waits for ever in its flush at exit when the reader of the
 * pipe has gone (pino 10.4, seen as a daemon that SIGTERM did not end). Without a reader the daemon goes on, unlogged.
 */
export function createLog(level: LogLevel): Log {
  process.stdout.on('error', () => undefined)
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    process.stdout,
  )
}
