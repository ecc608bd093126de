import { startNghttpd } from '../common/counterpart.ts'
import { BenchError } from '../common/errors.ts'
import {
  describeCommit,
  describeFileSystem,
  describeMachine,
  findProgram,
  programVersion,
  sayLoad,
} from '../common/machine.ts'
import { type Checked, perSecond, scaled, summarizeLatency } from '../common/measured.ts'
import { type Runs, refusalsOf, runRounds } from '../common/rounds.ts'
import { makeStageFolder, type StageFolder } from '../common/stage-folder.ts'
import { type DaemonRun, runBulkNdjson, runBulkXmlRpc, runSingle, type SingleRun } from './bulk.ts'
import {
  type Findings,
  joinFindings,
  summarizeDaemon,
  summarizePassed,
  summarizeStart,
  summarizeWaiting,
} from './findings.ts'
import { runLone } from './lone.ts'
import { MEASURES, type Measure } from './measures.ts'
import type { DaemonBenchOptions } from './options.ts'
import { runPassed } from './passed.ts'
import type { DaemonReport } from './report.ts'
import type { Stage } from './stage.ts'
import { runUrgent } from './urgent.ts'
import { runWaiting } from './waiting.ts'

/**
 * Measures what the options ask for.
 * @throws {BenchError} nghttpd is missing; runs that failed stand in the report
 */
export async function runDaemonBench(
  options: DaemonBenchOptions,
  command: string,
  signal: AbortSignal,
  say: (line: string) => void,
): Promise<DaemonReport> {
  if (findProgram('nghttpd') === null)
    throw new BenchError(
      'nghttpd, the counterpart, is not on this machine: apt-get install nghttp2-server',
    )
  const files = makeStageFolder()
  const { folder } = files
  try {
    const head = {
      startedAt: new Date().toISOString(),
      command,
      machine: describeMachine(),
      versions: {
        apnsd: describeCommit('packages'),
        nghttpd: programVersion('nghttpd'),
        'data folder on': describeFileSystem(folder),
      },
    }
    sayLoad(head.machine, say)
    const stage: Stage = { folder, profileFolder: options.profileFolder, signal, say }
    return { ...head, ...(await measureAll(stage, files, options)) }
  } finally {
    files.remove()
  }
}

async function measureAll(
  stage: Stage,
  files: StageFolder,
  options: DaemonBenchOptions,
): Promise<Findings> {
  return joinFindings([
    await measureThroughput(stage, files, options),
    await measureLone(stage, files, options),
    await measureUrgent(stage, files, options),
    await measureWaiting(stage, files, options),
    await measurePassed(stage, files, options),
  ])
}

type Measuring = (
  stage: Stage,
  files: StageFolder,
  options: DaemonBenchOptions,
) => Promise<Partial<Findings>>

const THROUGHPUT = ['bulk-xmlrpc', 'bulk-ndjson', 'single'] as const

const measureThroughput: Measuring = async (stage, files, { only, rounds, scale }) => {
  const names = THROUGHPUT.filter((name) => only.includes(name))
  if (names.length === 0) return {}
  const counterpart = await startNghttpd(files)
  const { url } = counterpart
  const start = {
    'bulk-xmlrpc': runBulkXmlRpc,
    'bulk-ndjson': runBulkNdjson,
    single: runSingle,
  }
  try {
    const all = await runRounds<(typeof names)[number], DaemonRun | SingleRun>(
      stage,
      rounds,
      names,
      (name) => start[name](stage, url, scaled(MEASURES[name].requests, scale)),
      (run) => `${Math.round(perSecond(run))}/s`,
    )
    return {
      rows: [...counted(all)].map(([name, good]) => summarizeDaemon(name, good)),
      latency: [...counted(all)].flatMap(([name, good]) => {
        const timed = good.filter((run) => 'p50Ms' in run)
        return timed.length > 0 ? [summarizeLatency(name, timed)] : []
      }),
      refused: refusalsOf(all),
    }
  } finally {
    await counterpart.stop()
  }
}

const measureLone: Measuring = async (stage, files, { only, rounds, scale }) => {
  if (!only.includes('lone')) return {}
  const all = await runRounds(
    stage,
    rounds,
    ['lone'],
    () => runLone(stage, files, scaled(MEASURES.lone.requests, scale)),
    ({ p50Ms, p99Ms }) => `${p50Ms.toFixed(2)} ms, p99 ${p99Ms.toFixed(2)} ms`,
  )
  return {
    latency: [...counted(all)].map(([name, good]) => summarizeLatency(name, good)),
    refused: refusalsOf(all),
  }
}

const measureUrgent: Measuring = async (stage, files, options) => {
  if (!options.only.includes('urgent')) return {}
  const cases = new Map(
    options.replyTimesMs.map((replyTimeMs) => [`urgent at ${replyTimeMs} ms`, replyTimeMs]),
  )
  const requests = scaled(MEASURES.urgent.requests, options.scale)
  const all = await runRounds(
    stage,
    roundsOf('urgent', options),
    [...cases.keys()],
    (name) => runUrgent(stage, files, cases.get(name) ?? 0, requests),
    (run) =>
      `p99 ${run.p99Ms.toFixed(1)} ms of ${run.urgent} beside ${Math.round(perSecond(run))}/s`,
  )
  return {
    rows: [...counted(all)].map(([name, good]) => summarizeDaemon(name, good)),
    latency: [...counted(all)].map(([name, good]) => summarizeLatency(name, good)),
    refused: refusalsOf(all),
  }
}

const FILLINGS = { waiting: 'bulk', 'waiting-singles': 'singles' } as const

const measureWaiting: Measuring = async (stage, files, options) => {
  const findings: Partial<Findings>[] = []
  for (const measure of ['waiting', 'waiting-singles'] as const) {
    if (!options.only.includes(measure)) continue
    const requests = scaled(MEASURES[measure].requests, options.scale)
    const all = await runRounds(
      stage,
      roundsOf(measure, options),
      [measure],
      () => runWaiting(stage, files, FILLINGS[measure], requests),
      ({ rssBytes, start }) =>
        `${Math.round(rssBytes / 1e6)} MB, started in ${Math.round(start.takenMs)} ms`,
    )
    findings.push({
      waiting: [...counted(all)].map(([name, good]) => summarizeWaiting(name, good)),
      start: [...counted(all)].map(([name, good]) => summarizeStart(name, good)),
      refused: refusalsOf(all),
    })
  }
  return joinFindings(findings)
}

const measurePassed: Measuring = async (stage, files, options) => {
  if (!options.only.includes('passed')) return {}
  const counterpart = await startNghttpd(files)
  try {
    const all = await runRounds(
      stage,
      roundsOf('passed', options),
      ['passed'],
      () => runPassed(stage, counterpart.url, scaled(MEASURES.passed.requests, options.scale)),
      ({ rssBytes }) => `${Math.round(rssBytes / 1e6)} MB`,
    )
    return {
      rows: [...counted(all)].map(([name, good]) => summarizeDaemon(name, good)),
      passed: [...counted(all)].map(([name, good]) => summarizePassed(name, good)),
      refused: refusalsOf(all),
    }
  } finally {
    await counterpart.stop()
  }
}

function roundsOf(measure: Measure, { rounds }: DaemonBenchOptions): number {
  return Math.min(rounds, MEASURES[measure].mostRounds)
}

/** The names that have a run that counts, with those. */
function counted<Name extends string, Run extends Checked>(
  all: ReadonlyMap<Name, Runs<Run>>,
): ReadonlyMap<Name, readonly Run[]> {
  return new Map(
    [...all]
      .filter(([, { good }]) => good.length > 0)
      .map(([name, { good }]): [Name, readonly Run[]] => [name, good]),
  )
}
