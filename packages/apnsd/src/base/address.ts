import { isIP } from 'node:net'
import { ApnsdError } from './errors.ts'

/** An address to listen on. */
export interface Address {
  readonly host: string
  /** 0 picks a free one. */
  readonly port: number
}

/**
 * Parses `host:port`; an IPv6 address stands in brackets.
 * @throws {ApnsdError} invalid-configuration
 */
export function parseAddress(text: string): Address {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? []
  const host = bracketed ?? plain
  const port = Number(digits)
  if (host === undefined || port > 65_535)
    throw new ApnsdError('invalid-configuration', `${text} is no address to listen on.`, {
      hint: 'Write it as host:port, such as 127.0.0.1:7077 or [::1]:7077.',
    })
  return { host, port }
}

/** True for an address that only this machine can reach. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
}
