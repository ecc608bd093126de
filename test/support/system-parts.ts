import { spawnSync } from 'node:child_process'

/** What tests may need of the system; the same list as in install-system-parts. */
const PARTS = {
  python3: ['python3', '-c', 'import ssl, xmlrpc.client'],
  ruby: ['ruby', '-e', 'require "xmlrpc/client"'],
  curl: ['curl', '--version'],
  openssl: ['openssl', 'version'],
  nghttpd: ['nghttpd', '--version'],
  h2load: ['h2load', '--version'],
  nginx: ['nginx', '-v'],
  'python3-h2': ['/usr/bin/python3', '-c', 'import h2'],
  squid: ['squid', '--version'],
  microsocks: ['sh', '-c', 'command -v microsocks'],
  pk12util: ['sh', '-c', 'command -v pk12util'],
  apache2: ['apache2', '-v'],
  caddy: ['caddy', 'version'],
  haproxy: ['haproxy', '-v'],
  h2o: ['h2o', '--version'],
  sqlite3: ['sqlite3', '--version'],
  cc: ['sh', '-c', 'echo "#include <dlfcn.h>" | cc -E -'],
} as const

const PACKAGES: Record<keyof typeof PARTS, string> = {
  python3: 'python3',
  ruby: 'ruby ruby-xmlrpc',
  curl: 'curl',
  openssl: 'openssl',
  nghttpd: 'nghttp2-server',
  h2load: 'nghttp2-client',
  nginx: 'nginx',
  'python3-h2': 'python3-h2',
  squid: 'squid',
  microsocks: 'microsocks',
  pk12util: 'libnss3-tools',
  apache2: 'apache2-bin',
  caddy: 'caddy',
  haproxy: 'haproxy',
  h2o: 'h2o',
  sqlite3: 'sqlite3',
  cc: 'gcc libc6-dev',
}

/** The `skip` of a test that needs a part of the system: false where it is there, else a line that names it. */
export function missing(part: keyof typeof PARTS): false | string {
  const [command, ...args] = PARTS[part]
  const { status } = spawnSync(command, args, { stdio: 'ignore' })
  return status === 0 ? false : `${part} is not on this machine: apt-get install ${PACKAGES[part]}`
}
