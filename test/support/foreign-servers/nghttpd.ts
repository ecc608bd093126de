import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Launch, Place } from '../foreign-server.ts'

/**
 * nghttp2's own server answers POST with a file of `paths`, or 404. It pads what it sends, has stream windows of 1023
 * bytes, and takes no dynamic header table.
 */
export function launchNghttpd(
  { folder, port, certificate, key, settings }: Place,
  paths: readonly string[],
): Launch {
  const documents = join(folder, 'documents')
  mkdirSync(join(documents, '3', 'device'), { recursive: true })
  for (const path of paths) writeFileSync(join(documents, path), '')
  const limits = ['-m', String(settings.streamLimit), '-b', '200', '-w', '10', '-c', '0']
  return {
    command: [
      'nghttpd',
      ...['-a', '127.0.0.1', '-d', documents, ...limits],
      ...[String(port), key, certificate],
    ],
  }
}
