import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { BenchError } from '../common/errors.ts'
import type { RunContext } from '../common/rounds.ts'
import { FILES, KEY_ID, TEAM_ID, TOPIC } from '../common/work.ts'
import { APP } from './calls.ts'
import { formatRequest, HttpConnection } from './http-connection.ts'
import { MeasuredDaemon } from './measured-daemon.ts'

/** Where a daemon is measured. */
export interface Stage extends RunContext {
  /** With the keys and certificates of the counterpart, as `FILES` names them; the daemon's data goes there as well. */
  readonly folder: string
  /** Folder for CPU profiles of the daemon; null: none. */
  readonly profileFolder: string | null
}

const DATA = 'data'

/** Starts a daemon with an empty data folder and the app provisioned, and ends it whatever comes of `act`. */
export async function withDaemon<Result>(
  stage: Stage,
  apnsUrl: string,
  act: (daemon: MeasuredDaemon) => Promise<Result>,
): Promise<Result> {
  const dataFolder = dataFolderOf(stage)
  try {
    mkdirSync(dataFolder)
    const daemon = await startDaemon(stage, apnsUrl)
    try {
      await provision(daemon.url, stage.folder)
      const result = await act(daemon)
      const { accepted } = daemon
      await daemon.stop()
      daemon.checkOutcomes(accepted) // what it counts as it ends would be one too many
      return result
    } finally {
      await daemon.kill()
    }
  } finally {
    rmSync(dataFolder, { recursive: true, force: true })
  }
}

export function dataFolderOf({ folder }: Stage): string {
  return join(folder, DATA)
}

/** Starts a daemon on the data folder as it is. */
export function startDaemon(stage: Stage, apnsUrl: string): Promise<MeasuredDaemon> {
  const { folder, profileFolder, signal } = stage
  const authority = FILES.authority(folder)
  return MeasuredDaemon.start({
    ...{ dataFolder: dataFolderOf(stage), apnsUrl, authority, profileFolder, signal },
  })
}

/** Provisions the app with the signing key of the folder. @throws {BenchError} it was refused */
export async function provision(url: string, folder: string): Promise<void> {
  const body = {
    environment: 'sandbox',
    topic: TOPIC,
    credential: {
      type: 'token',
      key: readFileSync(FILES.signingKey(folder), 'utf8'),
      keyId: KEY_ID,
      teamId: TEAM_ID,
    },
  }
  const connection = await HttpConnection.open(url)
  const answer = await connection.exchange(
    formatRequest('PUT', `/v1/apps/${APP}`, 'application/json', JSON.stringify(body)),
  )
  connection.close()
  if (answer.status !== 200 && answer.status !== 201)
    throw new BenchError(`the app was refused: ${answer.status} ${answer.body}`)
}
