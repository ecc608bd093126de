import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Launch, Place } from '../foreign-server.ts'

/** nginx has an HTTP/2 of its own. It ends a connection after 1000 requests, with GOAWAY. */
export function launchNginx({ folder, port, certificate, key, settings }: Place): Launch {
  const at = (name: string) => join(folder, name)
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${at(name)};`)
    .join(' ')
  const protocols = settings.maxTlsVersion === 'TLSv1.2' ? 'TLSv1.2' : 'TLSv1.2 TLSv1.3'
  writeFileSync(
    at('nginx.conf'),
    `daemon off; pid ${at('pid')};
     events {}
     http {
       access_log off; ${temporary}
       server {
         listen 127.0.0.1:${port} ssl http2;
         ssl_certificate ${certificate}; ssl_certificate_key ${key};
         ssl_protocols ${protocols};
         http2_max_concurrent_streams ${settings.streamLimit};
         keepalive_timeout ${settings.idleTimeoutS}s;
         location / {
           add_header apns-unique-id $http_apns_id;
           return 200;
         }
         location /3/device/ff {
           default_type application/json;
           return 410 '{"reason":"$http_apns_id"}';
         }
       }
     }`,
  )
  return {
    command: ['nginx', '-c', at('nginx.conf'), '-e', 'stderr'],
    reload: (server) => server.kill('SIGHUP'),
  }
}
