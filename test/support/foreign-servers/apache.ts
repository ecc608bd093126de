import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Launch, Place } from '../foreign-server.ts'

const MODULES = '/usr/lib/apache2/modules'
/** An unprivileged user and group, whatever they are called: it serves as them where root starts it. */
const NOBODY = '#65534'

/** Apache httpd: mod_http2, which leaves the frames to nghttp2 and does the rest itself. */
export function launchApache({ folder, port, certificate, key, settings }: Place): Launch {
  const at = (name: string) => join(folder, name)
  const modules = ['mpm_event', 'authz_core', 'ssl', 'http2', 'lua']
  writeFileSync(
    at('answer.lua'),
    `function handle(r)
       local id = r.headers_in["apns-id"]
       if r.uri:find("^/3/device/ff") then
         r.status = 410
         r.content_type = "application/json"
         r:write('{"reason":"' .. id .. '"}')
       else
         r.headers_out["apns-unique-id"] = id
       end
       return apache2.OK
     end`,
  )
  writeFileSync(
    at('httpd.conf'),
    `${modules.map((name) => `LoadModule ${name}_module ${MODULES}/mod_${name}.so`).join('\n')}
     ServerName 127.0.0.1
     ServerRoot ${folder}
     DocumentRoot ${folder}
     PidFile ${at('pid')}
     ErrorLog /dev/stderr
     User ${NOBODY}
     Group ${NOBODY}
     Listen 127.0.0.1:${port}
     Protocols h2
     H2MaxSessionStreams ${settings.streamLimit}
     KeepAliveTimeout ${settings.idleTimeoutS}
     SSLEngine on
     SSLProtocol -all ${settings.maxTlsVersion === 'TLSv1.2' ? '+TLSv1.2' : '+TLSv1.2 +TLSv1.3'}
     SSLCertificateFile ${certificate}
     SSLCertificateKeyFile ${key}
     LuaMapHandler .* ${at('answer.lua')}
`,
  )
  return {
    command: ['apache2', '-D', 'FOREGROUND', '-f', at('httpd.conf')],
    reload: (server) => server.kill('SIGUSR1'),
  }
}
