import { X509Certificate } from 'node:crypto'
import { openSync, writeSync } from 'node:fs'
import { type Proxy, ProxyAddressError, proxyFor, readProxy } from '@apnsd/apns'
import { ApnsdError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import type { Environment } from './load-config.ts'
import { readSettingsFile } from './read-file.ts'
import type { Config } from './schema.ts'

type ApnsSettings = Config['apns']

/** What leads to one of Apple's environments. */
interface Wire {
  readonly url: string
  readonly ca: readonly string[] | undefined
  readonly proxy: Proxy | null
  readonly maxConnections: number
  readonly onKeylog: ((line: Buffer) => void) | undefined
}

/** What `apns.proxy` says where none is to be used, whatever the environment says. */
const NO_PROXY = 'none'

/**
 * Reads from the settings under `apns` how clients are to reach Apple.
 * @throws {ApnsdError} invalid-configuration
 */
export function readWires(
  settings: ApnsSettings,
  log: Log,
  environment: Environment = process.env,
): { sandbox: Wire; production: Wire } {
  const ca = settings.ca === '' ? undefined : [readAuthorities(settings.ca)]
  const onKeylog = settings.keylog === '' ? undefined : openKeylog(settings.keylog, log)
  const wireTo = (url: string): Wire => ({
    url,
    ca,
    proxy: findProxy(settings.proxy, new URL(url), environment),
    maxConnections: settings.maxConnections,
    onKeylog,
  })
  return { sandbox: wireTo(settings.sandbox), production: wireTo(settings.production) }
}

function findProxy(setting: string, url: URL, environment: Environment): Proxy | null {
  if (setting === NO_PROXY) return null
  try {
    return setting === '' ? proxyFor(url, environment) : readProxy(setting)
  } catch (cause) {
    if (!(cause instanceof ProxyAddressError)) throw cause
    throw new ApnsdError('invalid-configuration', cause.message, {
      hint:
        setting === ''
          ? 'It is HTTPS_PROXY or ALL_PROXY in the environment; apns.proxy goes before it.'
          : 'It is the setting apns.proxy.',
      cause,
    })
  }
}

/** TLS would take any text, and trust nobody by it: better to say so now than at each connection. */
function readAuthorities(path: string): string {
  const pem = readSettingsFile('CA file', path)
  try {
    void new X509Certificate(pem)
    return pem
  } catch (cause) {
    throw new ApnsdError('invalid-configuration', `The CA file ${path} holds no certificate.`, {
      hint: 'It takes certificates in PEM.',
      cause,
    })
  }
}

/** Lines are few, some five a connection, and are to be there when the process dies. */
function openKeylog(path: string, log: Log): (line: Buffer) => void {
  let file: number
  try {
    file = openSync(path, 'a', 0o600)
  } catch (cause) {
    throw new ApnsdError('invalid-configuration', `The key log ${path} cannot be written.`, {
      hint: 'It is the setting apns.keylog.',
      cause,
    })
  }
  log.warn({ file: path }, 'TLS keys are written down: whoever has the file can read the traffic')
  return (line) => {
    try {
      writeSync(file, line)
    } catch (error) {
      log.warn({ file: path, err: error }, 'could not write TLS keys down')
    }
  }
}
