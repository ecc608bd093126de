import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import type { Launch, Place } from '../foreign-server.ts'

/** HAProxy has an HTTP/2 of its own. It takes a dynamic header table of 64 KiB, sixteen times the usual. */
export function launchHaproxy({ folder, port, both, settings }: Place): Launch {
  const config = join(folder, 'haproxy.cfg')
  writeFileSync(
    config,
    `global
  nbthread 1
  tune.h2.header-table-size 65536
  tune.h2.max-concurrent-streams ${settings.streamLimit}
defaults
  mode http
  timeout client ${settings.idleTimeoutS}s
  timeout server 10s
  timeout connect 10s
frontend apns
  bind 127.0.0.1:${port} ssl crt ${both} alpn h2 ssl-max-ver ${settings.maxTlsVersion}
  option http-buffer-request
  http-request return status 410 content-type application/json lf-string "%[req.body]" if { path_beg /3/device/ff }
  http-request return status 200 hdr apns-unique-id "%[req.hdr(apns-id)]"
`,
  )
  const master = join(folder, 'master.sock')
  return { command: ['haproxy', '-W', '-S', master, '-f', config], reload: () => reload(master) }
}

/** By its socket: a signal comes to nothing while it starts itself anew as master, which it does once its worker serves. */
async function reload(master: string): Promise<void> {
  const socket = await connectTo(master)
  // it answers that, or drops the connection, or resets it
  socket.on('error', () => undefined)
  socket.end('reload\n')
  await new Promise((resolve) => socket.resume().once('close', resolve))
}

async function connectTo(path: string): Promise<Socket> {
  for (;;) {
    const socket = connect(path)
    try {
      await once(socket, 'connect')
      return socket
    } catch {
      await setTimeout(20)
    }
  }
}
