import { fileURLToPath } from 'node:url'
import type { Launch, Place } from '../foreign-server.ts'

/** Python's h2: see python-h2.py. */
export function launchPythonH2({ port, both, settings }: Place): Launch {
  const script = fileURLToPath(new URL('./python-h2.py', import.meta.url))
  const { streamLimit, idleTimeoutS, maxTlsVersion } = settings
  return {
    command: [
      '/usr/bin/python3',
      ...[script, both, String(port)],
      ...[String(streamLimit), String(idleTimeoutS), maxTlsVersion],
    ],
  }
}
