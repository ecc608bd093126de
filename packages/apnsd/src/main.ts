import { CommanderError } from 'commander'
import { ApnsdError, ERRORS, toApnsdError } from './base/errors.ts'
import { createLog } from './base/log.ts'
import { loadConfig } from './config/load-config.ts'
import { Daemon } from './daemon.ts'
import { createProgram, type ServeOptions } from './doors/cli/program.ts'
import { describeRotation, type RotateSecretOptions } from './doors/cli/rotate-secret.ts'
import { rotateSecretKey } from './store/rotate-secret-key.ts'

/** Runs one command. Errors end as a sentence on standard error and the exit code of the catalogue. */
export async function main(argv: readonly string[]): Promise<void> {
  try {
    await createProgram({ serve, rotateSecret }).parseAsync(argv)
  } catch (thrown) {
    if (thrown instanceof CommanderError) {
      // it has said what was wrong; help and version come this way too, with 0
      process.exitCode = thrown.exitCode === 0 ? 0 : ERRORS['invalid-argument'].exitCode
      return
    }
    const error = toApnsdError(thrown)
    const hint = error.hint === undefined ? '' : ` ${error.hint}`
    process.stderr.write(`apnsd: ${error.message}${hint}\n`)
    if (!(thrown instanceof ApnsdError)) process.stderr.write(`${describe(thrown)}\n`)
    process.exitCode = ERRORS[error.code].exitCode
  }
}

const describe = (thrown: unknown): string =>
  thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)

/** Runs the daemon until SIGTERM or SIGINT; then it drains, and the process ends with 0. */
async function serve(options: ServeOptions): Promise<void> {
  // what it writes holds device tokens and payloads, whatever the mode of the folder
  process.umask(0o077)
  const config = loadConfig(options.config, {
    listen: options.listen,
    data: options.data,
    'apns.sandbox': options.apnsSandbox,
    'apns.production': options.apnsProduction,
    'apns.ca': options.apnsCa,
    simulator: options.simulator,
  })
  const log = createLog(config.logLevel)
  const daemon = await Daemon.start(config, log)
  const { url, simulator } = daemon
  const stand =
    simulator === null ? {} : { simulator: simulator.url, control: simulator.controlUrl }
  // listened for before anybody can know that it is ready
  const told = nextSignal()
  log.info({ url, data: config.data, ...stand }, 'ready')
  const signal = await told
  log.info({ signal }, 'draining')
  // whoever asks twice does not want to wait; what is on disk is sent at the next start
  void nextSignal().then(() => process.exit(1))
  await daemon.stop()
  log.info({}, 'stopped')
  process.exit(0)
}

function rotateSecret({ config: file, data, newKeyFile }: RotateSecretOptions): void {
  process.umask(0o077)
  const config = loadConfig(file, { data })
  const configured = config.secretKey || undefined
  const credentials = rotateSecretKey({ folder: config.data, configured, newKeyFile })
  const rotated = { folder: config.data, credentials, isConfigured: configured !== undefined }
  process.stdout.write(`${describeRotation(rotated, newKeyFile)}\n`)
}

function nextSignal(): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve(signal))
  })
}
