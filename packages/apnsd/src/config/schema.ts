import { type Static, Type } from 'typebox'
import { LOG_LEVELS } from '../base/log.ts'

/**
 * Every setting: its type, default, check and explanation. The types, the loader, the environment variables and
 * docs/reference/configuration.md all follow from this.
 */
export const CONFIG_SCHEMA = Type.Object(
  {
    listen: Type.String({
      default: '127.0.0.1:7077',
      description:
        'Address and port to serve at; port 0 picks a free one. Without access keys only a loopback address is taken.',
    }),
    data: Type.String({
      minLength: 1,
      default: '',
      description:
        'Folder for everything that must survive a restart. Default: $STATE_DIRECTORY, else $XDG_STATE_HOME/apnsd, else ~/.local/state/apnsd.',
    }),
    apns: Type.Object(
      {
        sandbox: Type.String({
          pattern: '^https://',
          default: 'https://api.sandbox.push.apple.com',
          description: 'Where sandbox notifications go.',
        }),
        production: Type.String({
          pattern: '^https://',
          default: 'https://api.push.apple.com',
          description: 'Where production notifications go.',
        }),
        ca: Type.String({
          default: '',
          description:
            'PEM file of certificate authorities to trust besides the usual ones, for a stand-in of Apple.',
        }),
        proxy: Type.String({
          default: '',
          description:
            'Proxy on the way to Apple: `http://user:password@host:3128`, `https://…`, `socks5://…`, or `socks5h://…` where it looks names up; `none`: no proxy. Default: what HTTPS_PROXY and NO_PROXY in the environment say.',
        }),
        maxConnections: Type.Integer({
          default: 16,
          minimum: 1,
          maximum: 1000,
          description:
            'How many connections an app may have to Apple at most. It starts with one and has more only while they are full.',
        }),
        keylog: Type.String({
          default: '',
          description:
            'File to append the TLS keys of connections to Apple to, so that Wireshark can read them while you look for a fault. Whoever has the file can read the traffic.',
        }),
      },
      { additionalProperties: false, default: {} },
    ),
    queue: Type.Object(
      {
        maxNotifications: Type.Integer({
          default: 10_000_000,
          minimum: 1,
          description:
            'How many notifications may wait at most; past it callers are told to come back later. One app may fill three quarters.',
        }),
        maxMegabytes: Type.Integer({
          default: 4096,
          minimum: 1,
          description:
            'How much room on the disk the device tokens and payloads of what waits may take, in MiB. One app may fill three quarters.',
        }),
      },
      { additionalProperties: false, default: {} },
    ),
    outcomes: Type.Object(
      {
        keepDays: Type.Number({
          default: 7,
          minimum: 0,
          maximum: 3650,
          description: 'How many days it is remembered what became of a notification.',
        }),
        maxMegabytes: Type.Integer({
          default: 8192,
          minimum: 1,
          description:
            'How large the data file may become, in MiB, before outcomes are forgotten sooner, the oldest first. What waits is never forgotten.',
        }),
      },
      { additionalProperties: false, default: {} },
    ),
    credentials: Type.Object(
      {
        watch: Type.Boolean({
          default: true,
          description:
            'Read a certificate’s file again when it changes, where an app was provisioned with its path.',
        }),
      },
      { additionalProperties: false, default: {} },
    ),
    feedback: Type.Object(
      {
        keepDays: Type.Integer({
          default: 90,
          minimum: 1,
          maximum: 36500,
          description:
            'For how many days feedback is kept after it was recorded, handed out or not.',
        }),
      },
      { additionalProperties: false, default: {} },
    ),
    simulator: Type.Boolean({
      default: false,
      description:
        'Also run the stand-in for Apple, and send everything there, whatever apns.sandbox and apns.production say.',
    }),
    drainSeconds: Type.Number({
      default: 10,
      minimum: 0,
      maximum: 3600,
      description: 'How long to wait for Apple’s answers when the daemon is told to stop.',
    }),
    secretKey: Type.String({
      default: '',
      description:
        'The key that credentials are encrypted with, 64 hex digits. Default: apnsd-secret-key in $CREDENTIALS_DIRECTORY, else secret.key in the data folder, made at the first start.',
    }),
    logLevel: Type.Union(
      LOG_LEVELS.map((level) => Type.Literal(level)),
      { default: 'info', description: 'How much to say in the log.' },
    ),
  },
  { additionalProperties: false },
)

/** The daemon's settings, complete and checked. */
export type Config = Static<typeof CONFIG_SCHEMA>

/** A setting by the names that lead to it, as a user writes it. */
export interface Setting {
  /** `apns.sandbox` */
  readonly name: string
  /** `APNSD_APNS_SANDBOX` */
  readonly variable: string
  readonly path: readonly string[]
  readonly type: 'string' | 'number' | 'boolean'
  readonly default: string | number | boolean
  readonly description: string
}

interface PropertySchema {
  readonly type?: string
  readonly default?: unknown
  readonly description?: string
  readonly properties?: Record<string, PropertySchema>
}

/** Lists every setting, in the order of the schema. */
export function listSettings(
  schema: PropertySchema = CONFIG_SCHEMA as PropertySchema,
  path: readonly string[] = [],
): Setting[] {
  return Object.entries(schema.properties ?? {}).flatMap(([key, property]) => {
    const here = [...path, key]
    if (property.properties !== undefined) return listSettings(property, here)
    const value = property.default
    const type =
      typeof value === 'number' ? 'number' : typeof value === 'boolean' ? 'boolean' : 'string'
    return {
      name: here.join('.'),
      variable: `APNSD_${here.map(snakeCase).join('_')}`,
      path: here,
      type,
      default: value as string | number | boolean,
      description: property.description ?? '',
    }
  })
}

const snakeCase = (name: string): string =>
  name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()
