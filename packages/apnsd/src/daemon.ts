import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Simulator } from '@apnsd/simulator'
import type { FastifyInstance } from 'fastify'
import { type Address, isLoopback, parseAddress } from './base/address.ts'
import { Database } from './base/database.ts'
import { makeDurableFolder } from './base/durable-files.ts'
import { ApnsdError } from './base/errors.ts'
import { FolderLock } from './base/folder-lock.ts'
import { GroupCommit } from './base/group-commit.ts'
import { IdleMemory } from './base/idle-memory.ts'
import type { Log } from './base/log.ts'
import { describeFault, faultOfSystemError } from './base/storage-error.ts'
import type { Config } from './config/schema.ts'
import { readWires } from './config/wires.ts'
import { Health } from './core/health.ts'
import type { Clock, QueueDepth } from './core/ports.ts'
import { Provider } from './core/provider.ts'
import { CredentialFileWatch } from './credentials/credential-file-watch.ts'
import { readCredentialFile } from './credentials/credential-files.ts'
import { ExpiryWatch } from './credentials/expiry-watch.ts'
import { watchFolder } from './credentials/watch-folder.ts'
import { Delivery } from './delivery/delivery.ts'
import type { Wires } from './delivery/wires.ts'
import { createHttpServer } from './doors/http-server.ts'
import { restDoor } from './doors/rest/door.ts'
import { healthDoor } from './doors/rest/health-door.ts'
import { notificationsDoor } from './doors/rest/notifications-door.ts'
import { xmlrpcDoor } from './doors/xmlrpc/door.ts'
import { OutcomeLog } from './outcomes/outcome-log.ts'
import { Retention } from './outcomes/retention.ts'
import { QUEUE_MIGRATIONS } from './queue/sqlite/migrations.ts'
import { SqliteArchive } from './queue/sqlite/sqlite-archive.ts'
import { SqliteQueue } from './queue/sqlite/sqlite-queue.ts'
import { FeedbackRetention } from './store/feedback-retention.ts'
import { STORE_MIGRATIONS } from './store/migrations.ts'
import { SecretBox } from './store/secret-box.ts'
import { openSecretKey } from './store/secret-key.ts'
import { SqliteAppStore } from './store/sqlite-app-store.ts'
import { SqliteFeedbackStore } from './store/sqlite-feedback-store.ts'
import { STORAGE_HEALTH_MIGRATIONS, StorageHealth } from './store/storage-health.ts'

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
      const clock: Clock = { now: () => Date.now(), elapsed: () => performance.now() }
      const health = new Health(log, clock)
      makeDataFolder(config.data)
      const lock = FolderLock.take(config.data)
      undo.push(() => lock.release())
      const database = Database.open(join(config.data, 'apnsd.db'), [
        ...STORE_MIGRATIONS,
        ...QUEUE_MIGRATIONS,
        ...STORAGE_HEALTH_MIGRATIONS,
      ])
      undo.push(() => database.close())
      if (database.isNew) log.info({ file: database.path }, 'made a new data file')
      const storage = new StorageHealth(database, health, clock)
      undo.push(() => storage.close())
      const simulator = config.simulator
        ? await Simulator.start({ folder: join(config.data, 'simulator') })
        : null
      if (simulator !== null) undo.push(() => simulator.close())
      const outcomeLog = new OutcomeLog(log)
      undo.push(() => outcomeLog.flush())
      const { provider, delivery, caretakers } = build(
        config,
        database,
        () => storage.checkRoom(),
        simulator === null ? readWires(config.apns, log) : wiresToSimulator(simulator),
        outcomeLog,
        health,
        clock,
        log,
      )
      const server = createHttpServer(log)
      await server.register(xmlrpcDoor(provider, log))
      await server.register(restDoor(provider))
      await server.register(notificationsDoor(provider))
      await server.register(
        healthDoor(() => {
          storage.refresh()
          return health.view()
        }),
      )
      const url = await listen(server, address)
      undo.push(() => drain(server, provider, delivery, config.drainSeconds * 1000))
      undo.push(() => health.drain())
      await delivery.start()
      for (const caretaker of caretakers) caretaker.start()
      undo.push(async () => {
        for (const caretaker of caretakers) await caretaker.stop()
      })
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

/** A renewed file whose folder has told nothing, on a network file system for example, is found so late. */
const FILE_POLL_MS = 60_000

/** Between two transactions that forget old feedback. */
const SWEEP_PAUSE_MS = 50

/** What looks after something by itself while the daemon serves. */
interface Caretaker {
  start(): void
  stop(): void | Promise<void>
}

async function unwind(undo: (() => void | Promise<void>)[]): Promise<void> {
  for (const step of undo.splice(0).reverse()) await step()
}

function build(
  config: Config,
  database: Database,
  checkRoom: () => void,
  wires: Wires,
  outcomes: OutcomeLog,
  health: Health,
  clock: Clock,
  log: Log,
) {
  const box = new SecretBox(openSecretKey(config.data, config.secretKey || undefined, database))
  const apps = new SqliteAppStore(database, box)
  const feedback = new SqliteFeedbackStore(database)
  const commits = new GroupCommit(database)
  const limits = {
    maxNotifications: config.queue.maxNotifications,
    maxBytes: config.queue.maxMegabytes * MEGABYTE,
  }
  const queue = new SqliteQueue(database, commits, clock, feedback, limits, (rowId, error) =>
    log.error({ row: rowId, err: error }, 'a chunk in the queue is damaged and is left aside'),
  )
  const archive = new SqliteArchive(database, commits, clock, (rowId) =>
    queue.outcomesInHand(rowId),
  )
  health.describe('queue', () => describeDepth(queue.depth()))
  const delivery = new Delivery(
    {
      apps,
      queue,
      outcomes,
      health,
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
    archive,
    feedback,
    delivery,
    checkRoom,
    clock,
    log,
    randomUuid: () => crypto.randomUUID(),
    readCredentialFile,
    fileProblem: (appId) => files.problemOf(appId),
  })
  const kept = {
    keepMs: config.outcomes.keepDays * DAY_MS,
    maxBytes: config.outcomes.maxMegabytes * MEGABYTE,
  }
  const files = new CredentialFileWatch({
    listApps: () => apps.list(),
    read: readCredentialFile,
    renew: (appId, path, file) => provider.renewCredential(appId, path, file),
    log,
    watchFolder,
    pollMs: FILE_POLL_MS,
  })
  apps.onChange(() => files.update())
  const expiry = new ExpiryWatch({ listApps: () => apps.list(), clock, log })
  apps.onChange(() => expiry.check())
  const caretakers: Caretaker[] = [
    ...(config.credentials.watch ? [files] : []),
    expiry,
    new IdleMemory(),
    new Retention(archive, clock, kept, log),
    new FeedbackRetention({
      feedback,
      clock,
      log,
      keepDays: config.feedback.keepDays,
      pause: () => sleep(SWEEP_PAUSE_MS, undefined, { ref: false }),
    }),
  ]
  return { provider, delivery, caretakers }
}

const TIDY_INTERVAL_MS = 20
const MEGABYTE = 1024 * 1024
const DAY_MS = 24 * 60 * 60_000

const describeDepth = ({ notifications, bytes, limits, byApp }: QueueDepth) => ({
  notifications,
  bytes,
  maxNotifications: limits.maxNotifications,
  maxBytes: limits.maxBytes,
  apps: byApp.size,
})

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
  // calls that were answered since then have left connections that their clients would keep
  const tidying = setInterval(() => server.server.closeIdleConnections(), TIDY_INTERVAL_MS)
  // a client that never finishes its request must not hold the daemon
  const impatience = setTimeout(() => server.server.closeAllConnections(), Math.max(1000, drainMs))
  await closed
  clearInterval(tidying)
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
    const fault = faultOfSystemError(cause) ?? 'cannot-open'
    throw describeFault(fault, `The data folder ${folder} cannot be made`, {
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
