import { ApnsdError } from '../base/errors.ts'
import type { Environment } from './load-config.ts'

const DEFAULT_URL = 'http://127.0.0.1:7077'

/**
 * Finds the daemon that a command is to talk to: by its option, else APNSD_URL, else the one on this machine.
 * @returns without a slash at the end
 * @throws {ApnsdError} invalid-configuration
 */
export function readDaemonUrl(
  option: string | undefined,
  environment: Environment = process.env,
): string {
  const text = option ?? (environment['APNSD_URL'] || DEFAULT_URL)
  const url = URL.parse(text)
  if (url !== null && /^https?:$/.test(url.protocol)) return url.href.replace(/\/+$/, '')
  throw new ApnsdError(
    'invalid-configuration',
    `${text.slice(0, 200)} is not the URL of a daemon.`,
    { hint: `It looks like ${DEFAULT_URL}.` },
  )
}
