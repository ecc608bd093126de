import { join } from 'node:path'
import { Simulator } from '@apnsd/simulator'
import type { FastifyInstance } from 'fastify'
import { type Address, isLoopback, parseAddress } from './base/address.ts'
import { Database } from './base/database.ts'
import { makeDurableFolder } from './base/durable-files.ts'
import { ApnsdError } from './base/errors.ts'
import { FolderLock } from './base/folder-lock.ts'
import type { Log } from './base/log.ts'
import type { Config } from './config/schema.ts'
import { readWires } from './config/wires.ts'
import type { Clock } from './core/ports.ts'
import { Provider } from './core/provider.ts'
import type { Wires } from './delivery/app-delivery.ts'
import { Delivery } from './delivery/delivery.ts'
import { createHttpServer } from './doors/http-server.ts'
import { restDoor } from './doors/rest/door.ts'
import { xmlrpcDoor } from './doors/xmlrpc/door.ts'
import { OutcomeLog } from './outcomes/outcome-log.ts'
import { QUEUE_MIGRATIONS } from './queue/sqlite/migrations.ts'
import { SqliteQueue } from './queue/sqlite/sqlite-queue.ts'
import { readCredentialFile } from './store/credential-files.ts'
import { STORE_MIGRATIONS } from './store/migrations.ts'
import { SecretBox } from './store/secret-box.ts'
import { loadSecretKey } from './store/secret-key.ts'
import { SqliteAppStore } from './store/sqlite-app-store.ts'
import { SqliteFeedbackStore } from './store/sqlite-feedback-store.ts'

/**
 * The daemon, whole. Builds every part, joins them, starts them in the order in which a notification needs them and
 * drains them in the order in which it passes through.
 */
export class Daemon {
  /** `http://127.0.0.1:7077` */
  readonly url: string
  readonly simulator: Simulator | null
  readonly #stop: () => Promise<void>
  #stopped: Promise<void> | undefined

  private constructor(url: string, simulator: Simulator | null, stop: () => Promise<void>) {
    this.url = url
    this.simulator = simulator
    this.#stop = stop
  }

  /**
   * Starts the daemon; it serves when this resolves.
   * @throws {ApnsdError} invalid-configuration, data-folder-in-use, storage-failed
   */
  static async start(config: Config, log: Log): Promise<Daemon> {
    const address = parseListen(config.listen)
    const undo: (() => void | Promise<void>)[] = []
    try {
      makeDataFolder(config.data)
      const lock = FolderLock.take(config.data)
      undo.push(() => lock.release())
      const database = Database.open(join(config.data, 'apnsd.db'), [
        ...STORE_MIGRATIONS,
        ...QUEUE_MIGRATIONS,
      ])
      undo.push(() => database.close())
      const simulator = config.simulator
        ? await Simulator.start({ folder: join(config.data, 'simulator') })
        : null
      if (simulator !== null) undo.push(() => simulator.close())
      const outcomeLog = new OutcomeLog(log)
      undo.push(() => outcomeLog.flush())
      const { provider, delivery } = build(
        config,
        database,
        simulator === null ? readWires(config.apns, log) : wiresToSimulator(simulator),
        outcomeLog,
        log,
      )
      const server = createHttpServer(log)
      await server.register(xmlrpcDoor(provider, log))
      await server.register(restDoor(provider))
      const url = await listen(server, address)
      undo.push(() => drain(server, provider, delivery, config.drainSeconds * 1000))
      await delivery.start()
      return new Daemon(url, simulator, () => unwind(undo))
    } catch (error) {
      await unwind(undo)
      throw error
    }
  }

  /** Takes no new call, waits for Apple's answers to what was sent, puts the rest back, closes everything. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }
}

async function unwind(undo: (() => void | Promise<void>)[]): Promise<void> {
  for (const step of undo.splice(0).reverse()) await step()
}

function build(config: Config, database: Database, wires: Wires, outcomes: OutcomeLog, log: Log) {
  const clock: Clock = { now: () => Date.now() }
  const box = new SecretBox(loadSecretKey(config.data, config.secretKey || undefined))
  const apps = new SqliteAppStore(database, box)
  const feedback = new SqliteFeedbackStore(database)
  const queue = new SqliteQueue(database, clock, feedback)
  const delivery = new Delivery(
    {
      apps,
      queue,
      outcomes,
      clock,
      log,
      random: Math.random,
      wires,
    },
    config.drainSeconds * 1000,
  )
  const provider = new Provider({
    apps,
    queue,
    feedback,
    delivery,
    clock,
    log,
    randomUuid: () => crypto.randomUUID(),
    readCredentialFile,
  })
  return { provider, delivery }
}

/**
 * Ends the way in and the way out together: a call that waits for Apple gets its refusal from delivery, and delivery is
 * done when its last answers are in.
 */
async function drain(
  server: FastifyInstance,
  provider: Provider,
  delivery: Delivery,
  drainMs: number,
): Promise<void> {
  provider.shutDown()
  const closed = server.close()
  await delivery.stop()
  // a client that never finishes its request must not hold the daemon
  const impatience = setTimeout(() => server.server.closeAllConnections(), Math.max(1000, drainMs))
  await closed
  clearTimeout(impatience)
}

/** @throws {ApnsdError} invalid-configuration where others than this machine could reach it */
function parseListen(text: string): Address {
  const address = parseAddress(text)
  if (!isLoopback(address.host))
    throw new ApnsdError(
      'invalid-configuration',
      `Without access keys the daemon serves a loopback address only, and ${address.host} is none.`,
      { hint: 'Listen on 127.0.0.1, [::1] or localhost.' },
    )
  return address
}

function makeDataFolder(folder: string): void {
  try {
    makeDurableFolder(folder, 0o700)
  } catch (cause) {
    throw new ApnsdError('storage-failed', `The data folder ${folder} cannot be made.`, {
      hint: 'Name another with --data.',
      cause,
    })
  }
}

async function listen(server: FastifyInstance, { host, port }: Address): Promise<string> {
  try {
    return await server.listen({ host, port })
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code
    const why =
      code === 'EADDRINUSE'
        ? 'something listens there already'
        : code === 'EACCES'
          ? 'that takes more rights'
          : 'that address is not to be had'
    throw new ApnsdError('invalid-configuration', `Cannot listen on ${host}:${port}: ${why}.`, {
      hint: 'Choose another with --listen.',
      cause,
    })
  }
}

function wiresToSimulator({ url, authority }: Simulator): Wires {
  const wire = { url, ca: [authority.certificatePem] }
  return { sandbox: wire, production: wire }
}
