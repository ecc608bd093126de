import { isIP } from 'node:net'
import type { FastifyRequest } from 'fastify'
import { ApnsdError } from '../base/errors.ts'

/**
 * Refuses what a browser sends on behalf of a page, before its body is read. Without access keys, whoever reaches the loopback address may send;
 * a page on the operator's machine can reach it too, and must not. Browsers name the page in `Origin`, and a page that
 * has its own name point to 127.0.0.1 gives itself away by `Host`. No XML-RPC library or server-side client does either.
 * @throws {ApnsdError} forbidden-origin
 */
export async function refuseBrowsers({ headers }: FastifyRequest): Promise<void> {
  if (headers.origin !== undefined)
    throw new ApnsdError(
      'forbidden-origin',
      'Requests from web pages, with an Origin header, are refused.',
      {
        hint: 'Call the daemon from a server, not from a page.',
      },
    )
  const name = (headers.host ?? '')
    .toLowerCase()
    .replace(/:\d+$/, '')
    .replace(/^\[(.*)\]$/, '$1')
  if (name !== '' && name !== 'localhost' && isIP(name) === 0)
    throw new ApnsdError(
      'forbidden-origin',
      `This daemon does not go by the name ${name.slice(0, 100)}.`,
      {
        hint: 'Call it by its address, such as 127.0.0.1, or as localhost.',
      },
    )
}
