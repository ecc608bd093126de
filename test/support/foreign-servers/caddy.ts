import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Launch, Place } from '../foreign-server.ts'

/** Caddy speaks Go's net/http2. It has no setting for the stream limit, which is 250. */
export function launchCaddy({ folder, port, certificate, key, settings }: Place): Launch {
  const config = join(folder, 'Caddyfile')
  const admin = `unix/${join(folder, 'caddy.sock')}`
  const versions = settings.maxTlsVersion === 'TLSv1.2' ? 'tls1.2 tls1.2' : 'tls1.2 tls1.3'
  writeFileSync(
    config,
    `{
       admin ${admin}
       auto_https off
       log {
         level WARN
       }
       servers {
         protocols h1 h2
         timeouts {
           idle ${settings.idleTimeoutS}s
         }
       }
     }
     https://:${port} {
       bind 127.0.0.1
       tls ${certificate} ${key} {
         protocols ${versions}
       }
       header apns-unique-id {header.apns-id}
       @rejected path /3/device/ff*
       respond @rejected \`{http.request.body}\` 410
       respond 200
     }`,
  )
  const of = ['--config', config, '--adapter', 'caddyfile']
  return {
    command: ['caddy', 'run', ...of],
    // where it would keep things otherwise: the home of whoever runs the tests
    env: { XDG_CONFIG_HOME: folder, XDG_DATA_HOME: folder },
    reload: () => promisify(execFile)('caddy', ['reload', ...of, '--force', '--address', admin]),
  }
}
