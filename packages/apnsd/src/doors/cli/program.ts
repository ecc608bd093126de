import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import { demo } from './demo/demo.ts'
import { feedback } from './feedback.ts'
import type { RotateSecretOptions } from './rotate-secret.ts'
import { simulate } from './simulate.ts'

/** What `apnsd serve` was told on its command line. */
export interface ServeOptions {
  readonly config?: string
  readonly listen?: string
  readonly data?: string
  readonly apnsSandbox?: string
  readonly apnsProduction?: string
  readonly apnsCa?: string
  readonly simulator?: boolean
}

/** Commands that work on the daemon itself; handed in, since a door knows nothing of how the daemon is put together. */
export interface DaemonCommands {
  readonly serve: (options: ServeOptions) => Promise<void>
  readonly rotateSecret: (options: RotateSecretOptions) => void
}

/** Describes the operator's commands. */
export function createProgram({ serve, rotateSecret }: DaemonCommands): Command {
  const program = new Command('apnsd')
    .description('Delivers Apple push notifications: start it, provision an app, notify.')
    .version(readVersion())
    .showHelpAfterError()
    .exitOverride()
  program
    .command('serve')
    .description('run the daemon')
    .option('--config <file>', 'YAML file with settings')
    .option('--listen <host:port>', 'address to serve at; port 0 picks a free one (127.0.0.1:7077)')
    .option('--data <dir>', 'folder for everything that must survive a restart')
    .option('--apns-sandbox <url>', 'where sandbox notifications go')
    .option('--apns-production <url>', 'where production notifications go')
    .option(
      '--apns-ca <file>',
      'PEM file of certificate authorities to trust besides the usual ones',
    )
    .option('--simulator', 'also run the stand-in for Apple, and send everything there')
    .action(serve)
  program
    .command('feedback')
    .description('show the device tokens of an app that Apple declared dead; takes nothing away')
    .argument('<app>', 'the name that the app was provisioned under')
    .option('--url <url>', 'the daemon’s address (APNSD_URL, else http://127.0.0.1:7077)')
    .option('--after <cursor>', 'only what was recorded after an earlier answer’s last entry')
    .option('--limit <number>', 'how many at most, 1 to 1000 (1000)')
    .option('--json', 'print the daemon’s answer as it is')
    .action(feedback)
  program
    .command('keys')
    .description('the secret key that credentials are encrypted with')
    .command('rotate-secret')
    .description('encrypt every credential with a new secret key; stop the daemon first')
    .option('--config <file>', 'YAML file with settings, as for serve')
    .option('--data <dir>', 'the data folder, as for serve')
    .option(
      '--new-key-file <file>',
      'file with the new key, 64 hex digits; needed where the present one is configured, else a random one is made',
    )
    .action(rotateSecret)
  program
    .command('simulate')
    .description('run the stand-in for Apple')
    .option('--listen <host:port>', 'address to take notifications at', '127.0.0.1:8443')
    .option('--control <host:port>', 'address to ask what it took, over HTTP', '127.0.0.1:8444')
    .option(
      '--data <dir>',
      'folder for its certificate authority and keys; without one, new ones each time',
    )
    .action(simulate)
  program
    .command('demo')
    .description('see it work: daemon and simulator, a first push, a restart')
    .option('--once', 'end after the last step instead of staying up')
    .action(demo)
  return program
}

function readVersion(): string {
  const text = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}
