/**
 * A soak at a shell:
 *
 *     npm run soak                                   half an hour, another seed each time
 *     npm run soak -- --minutes 5 --seed 7 --rate 2000
 *
 * Prints a line now and then and the counts at the end; the exit code is 1 where something got lost or stuck, or memory
 * grew.
 */
import { parseArgs } from 'node:util'
import { judge } from './judge.ts'
import { soak } from './soak.ts'

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '30' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
    rate: { type: 'string', default: '1000' },
  },
})
const minutes = Number(values.minutes)
const seed = Number(values.seed)
const rate = Number(values.rate)

const say = (line: string): void => void process.stdout.write(`${line}\n`)

if (!(minutes > 0 && rate > 0 && Number.isInteger(seed))) {
  say('minutes and rate are numbers above 0, the seed is a whole number')
  process.exitCode = 2
} else {
  say(`a soak of ${minutes} minutes, ${rate} notifications a second, seed ${seed}`)
  const report = await soak({ minutes, seed, rate, say })
  const { memory: _, problems: __, ...counts } = report
  say(JSON.stringify(counts, null, 2))
  const faults = judge(report)
  for (const fault of faults) say(fault)
  say(faults.length === 0 ? 'nothing lost, nothing stuck, memory flat' : 'the soak has failed')
  process.exitCode = faults.length === 0 ? 0 : 1
}
