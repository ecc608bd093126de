import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Launch, Place } from '../foreign-server.ts'

/** h2o has an HTTP/2 of its own. It announces 100 streams; what it is told bounds how many it works on. */
export function launchH2o({ folder, port, certificate, key, settings }: Place): Launch {
  const config = join(folder, 'h2o.yaml')
  writeFileSync(
    config,
    `${process.getuid?.() === 0 ? 'user: root' : ''}
pid-file: ${join(folder, 'pid')}
num-threads: 1
http2-idle-timeout: ${settings.idleTimeoutS}
http2-max-concurrent-requests-per-connection: ${settings.streamLimit}
hosts:
  default:
    listen:
      host: 127.0.0.1
      port: ${port}
      ssl:
        certificate-file: ${certificate}
        key-file: ${key}
        max-version: ${settings.maxTlsVersion}
        ocsp-update-interval: 0
    paths:
      /:
        mruby.handler: |
          Proc.new do |env|
            if env["PATH_INFO"].start_with?("/3/device/ff")
              [410, {"content-type" => "application/json"}, [env["rack.input"].read]]
            else
              [200, {"apns-unique-id" => env["HTTP_APNS_ID"]}, []]
            end
          end
`,
  )
  return {
    command: ['h2o', '-m', 'master', '-c', config],
    reload: (server) => server.kill('SIGHUP'),
  }
}
