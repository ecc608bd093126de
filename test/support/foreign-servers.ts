import type { Launch, Place } from './foreign-server.ts'
import { launchApache } from './foreign-servers/apache.ts'
import { launchCaddy } from './foreign-servers/caddy.ts'
import { launchH2o } from './foreign-servers/h2o.ts'
import { launchHaproxy } from './foreign-servers/haproxy.ts'
import { launchNghttpd } from './foreign-servers/nghttpd.ts'
import { launchNginx } from './foreign-servers/nginx.ts'
import { launchPythonH2 } from './foreign-servers/python-h2.ts'

/**
 * What a server answers to a device token in ff: 410 with the notification's own payload, 410 with the apns-id as the
 * reason, or 404 without a reason.
 */
export type Rejection = 'payload' | 'apnsId' | 'notFound'

/** A server and what can be asked of it. */
export interface ForeignServerKind {
  /** @param paths those that are answered 200, for a server that serves files */
  readonly launch: (place: Place, paths: readonly string[]) => Launch
  readonly rejection: Rejection
  /** Whether what it takes is answered with the apns-id of the request, as apns-unique-id. */
  readonly echoesApnsId: boolean
  /** Whether it can be kept from TLS 1.3. */
  readonly limitsTls: boolean
  /** Whether it can be told when to end an idle connection. */
  readonly endsIdle: boolean
  /**
   * Whether it can be told to end its connections gracefully and go on, and then answers all that it took by its word in
   * GOAWAY, or drops some: such as come when it takes the connection for idle.
   */
  readonly reload: 'none' | 'answersAll' | 'dropsSome'
}

/** All that can be asked of a server. */
const WHOLE = {
  rejection: 'payload',
  echoesApnsId: true,
  limitsTls: true,
  endsIdle: true,
  reload: 'answersAll',
} as const

/** By the name of the part in system-parts.ts. */
export const FOREIGN_SERVERS = {
  apache2: { ...WHOLE, launch: launchApache, rejection: 'apnsId', reload: 'dropsSome' },
  caddy: { ...WHOLE, launch: launchCaddy },
  h2o: { ...WHOLE, launch: launchH2o, limitsTls: false },
  haproxy: { ...WHOLE, launch: launchHaproxy, reload: 'dropsSome' },
  nghttpd: {
    launch: launchNghttpd,
    rejection: 'notFound',
    echoesApnsId: false,
    limitsTls: false,
    endsIdle: false,
    reload: 'none',
  },
  nginx: { ...WHOLE, launch: launchNginx, rejection: 'apnsId', reload: 'dropsSome' },
  'python3-h2': { ...WHOLE, launch: launchPythonH2, reload: 'none' },
} as const satisfies Record<string, ForeignServerKind>
