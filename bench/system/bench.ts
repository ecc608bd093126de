import { startCounterpart } from '../common/counterpart.ts'
import { BenchError } from '../common/errors.ts'
import {
  describeCommit,
  describeMachine,
  findProgram,
  packageVersion,
  programVersion,
  sayLoad,
} from '../common/machine.ts'
import { CONTESTANT_NAMES, type ContestantName } from './contestants.ts'
import { measureLatency } from './latency.ts'
import type { BenchOptions } from './options.ts'
import { measurePool } from './pool.ts'
import type { Report } from './report.ts'
import type { Stage } from './run.ts'
import { measureSoak } from './soak.ts'
import { measureThroughput } from './throughput.ts'

const PEERS: Partial<Record<ContestantName, string>> = {
  'node-apn': '@parse/node-apn',
  apns2: 'apns2',
}

/**
 * Measures what the options ask for.
 * @throws {BenchError} a part is missing, or the soak failed; runs that failed stand in the report
 */
export async function runBench(
  options: BenchOptions,
  command: string,
  signal: AbortSignal,
  say: (line: string) => void,
): Promise<Report> {
  checkParts(options)
  const head = {
    startedAt: new Date().toISOString(),
    command,
    machine: describeMachine(),
    versions: describeVersions(),
  }
  sayLoad(head.machine, say)
  const counterpart = await startCounterpart()
  try {
    const stage: Stage = { counterpart, signal, say }
    return { ...head, ...(await measureAll(stage, options)) }
  } finally {
    await counterpart.stop()
  }
}

/** What ran: ours by commit, packages and programs by version. */
function describeVersions(): Record<string, string> {
  return {
    apnsd: describeCommit('packages/apns'),
    '@parse/node-apn': packageVersion('@parse/node-apn'),
    apns2: packageVersion('apns2'),
    'undici (of apns2)': packageVersion('undici'),
    nghttpd: programVersion('nghttpd'),
    h2load: programVersion('h2load'),
  }
}

async function measureAll(
  stage: Stage,
  { only, measures, rounds, scale, replyTimesMs, soak }: BenchOptions,
): Promise<Omit<Report, 'startedAt' | 'command' | 'machine' | 'versions'>> {
  const none = { rows: [], refused: [] }
  if (soak !== null)
    return { rows: [], latency: [], pool: [], refused: [], soak: await measureSoak(stage, soak) }
  const throughput = measures.includes('throughput')
    ? await measureThroughput(stage, only, rounds, scale)
    : none
  const latency = measures.includes('latency')
    ? await measureLatency(stage, only, rounds, scale)
    : none
  const pool = measures.includes('pool')
    ? await measurePool(stage, only, replyTimesMs, rounds, scale)
    : none
  return {
    rows: throughput.rows,
    latency: latency.rows,
    pool: pool.rows,
    soak: null,
    refused: [...throughput.refused, ...latency.refused, ...pool.refused],
  }
}

/** @throws {BenchError} names all that is missing, and how to get it */
function checkParts({ only, soak }: BenchOptions): void {
  const names = soak === null ? only : []
  const missing: string[] = []
  if (findProgram('nghttpd') === null)
    missing.push('nghttpd, the counterpart, is not on this machine: apt-get install nghttp2-server')
  if (names.includes('h2load') && findProgram('h2load') === null)
    missing.push(
      `h2load is not on this machine: apt-get install nghttp2-client, or leave it out: --only ${without('h2load')}`,
    )
  for (const name of names) {
    const peer = PEERS[name]
    if (peer !== undefined && !isInstalled(peer))
      missing.push(`${peer} is not installed: npm ci, or leave it out: --only ${without(name)}`)
  }
  if (missing.length > 0) throw new BenchError(missing.join('\n'))
}

function without(name: ContestantName): string {
  return CONTESTANT_NAMES.filter((other) => other !== name).join(',')
}

function isInstalled(peer: string): boolean {
  try {
    import.meta.resolve(peer)
    return true
  } catch {
    return false
  }
}
