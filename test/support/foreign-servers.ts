import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** What a server needs: a folder of its own, and a certificate for 127.0.0.1 with its key. */
export interface ServerParts {
  readonly folder: string
  readonly certificatePem: string
  readonly privateKeyPem: string
}

/** A server that somebody else wrote, in a process of its own. It may need a moment more until it listens. */
export interface ForeignServer {
  readonly port: number
  stop(): Promise<void>
}

/** nghttpd answers POST with a file, or 404: one for each of `paths`. */
export async function startNghttpd(
  parts: ServerParts,
  paths: readonly string[],
): Promise<ForeignServer> {
  const [certificate, key] = writeCredential(parts)
  const documents = join(parts.folder, 'documents')
  mkdirSync(join(documents, '3', 'device'), { recursive: true })
  for (const path of paths) writeFileSync(join(documents, path), '')
  const port = await freePort()
  const options = ['-a', '127.0.0.1', '-d', documents, '-m', '100']
  return serve(spawn('nghttpd', [...options, String(port), key, certificate]), port)
}

/** nginx answers 410 with a body below /3/device/ff, and 200 for all others. */
export async function startNginx(parts: ServerParts): Promise<ForeignServer> {
  const [certificate, key] = writeCredential(parts)
  const port = await freePort()
  const at = (name: string) => join(parts.folder, name)
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${at(name)};`)
    .join(' ')
  writeFileSync(
    at('nginx.conf'),
    `daemon off; pid ${at('pid')}; error_log ${at('error.log')};
     events {}
     http {
       access_log off; ${temporary}
       server {
         listen 127.0.0.1:${port} ssl http2;
         ssl_certificate ${certificate}; ssl_certificate_key ${key};
         keepalive_requests 1000000;
         location / { return 200; }
         location /3/device/ff {
           default_type application/json;
           return 410 '{"reason":"Unregistered","timestamp":1700000000000}';
         }
       }
     }`,
  )
  return serve(spawn('nginx', ['-c', at('nginx.conf'), '-e', at('error.log')]), port)
}

/** Python's h2: see h2-server.py. */
export async function startPythonH2(parts: ServerParts): Promise<ForeignServer> {
  const script = fileURLToPath(new URL('./h2-server.py', import.meta.url))
  const pem = join(parts.folder, 'server.pem')
  writeFileSync(pem, parts.certificatePem + parts.privateKeyPem)
  const child = spawn('/usr/bin/python3', [script, pem], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [port] = (await once(child.stdout, 'data')) as [Buffer]
  return serve(child, Number(port.toString()))
}

function writeCredential({ folder, certificatePem, privateKeyPem }: ServerParts): [string, string] {
  const paths: [string, string] = [join(folder, 'certificate.pem'), join(folder, 'key.pem')]
  writeFileSync(paths[0], certificatePem)
  writeFileSync(paths[1], privateKeyPem)
  return paths
}

function serve(child: ChildProcess, port: number): ForeignServer {
  const ended = once(child, 'exit')
  return {
    port,
    stop: async () => {
      child.kill()
      await ended
    },
  }
}

/** A port where nothing listens now. Another could take it before the server does; none of ours would. */
async function freePort(): Promise<number> {
  const server = createServer()
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  return port
}
