import {
  type Measured,
  perSecond,
  type Row,
  scaled,
  summarizeThroughput,
  type ThroughputRun,
} from '../common/measured.ts'
import { refusalsOf, runRounds } from '../common/rounds.ts'
import { IN_FLIGHT } from '../common/work.ts'
import { CONTESTANTS, type ContestantName } from './contestants.ts'
import { runH2load } from './h2load.ts'
import { DEADLINE, runNode, type Stage } from './run.ts'

export async function measureThroughput(
  stage: Stage,
  names: readonly ContestantName[],
  rounds: number,
  scale: number,
): Promise<Measured<Row<ContestantName>>> {
  const all = await runRounds(
    stage,
    rounds,
    names,
    (name) => runOne(stage, name, scaled(CONTESTANTS[name].requests, scale)),
    (run) => `${Math.round(perSecond(run))}/s`,
  )
  const rows = [...all]
    .filter(([, { good }]) => good.length > 0)
    .map(([name, { good }]) => summarizeThroughput(name, good))
  return { rows, refused: refusalsOf(all) }
}

export function runOne(
  stage: Stage,
  name: ContestantName,
  requests: number,
): Promise<ThroughputRun> {
  const { counterpart, signal } = stage
  const { url, folder } = counterpart
  if (name === 'h2load')
    return runH2load({
      ...{ url, folder, requests, signal },
      ...{ connections: 1, streams: IN_FLIGHT },
      ...DEADLINE,
    })
  return runNode(stage, { script: name, url, requests })
}
