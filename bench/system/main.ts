/** `npm run bench`: see bench/README.md. */
import { breakOffSignal, checkNode, publish, runCommand } from '../common/command.ts'
import { runBench } from './bench.ts'
import { HELP, readOptions } from './options.ts'
import { formatReport } from './report.ts'

const args = process.argv.slice(2)
await runCommand(async () => {
  const options = readOptions(args)
  if (options === null) {
    process.stdout.write(HELP)
    return 0
  }
  checkNode('bench')
  const command = ['npm run bench', ...(args.length > 0 ? ['--', ...args] : [])].join(' ')
  const report = await runBench(options, command, breakOffSignal(), (line) => {
    process.stderr.write(`${line}\n`)
  })
  const { json, mayBeSaved, soak } = options
  return publish(
    {
      startedAt: report.startedAt,
      json: `${JSON.stringify(report, null, 2)}\n`,
      text: formatReport(report),
      hasFailed: report.refused.length > 0 || report.soak?.isFlat === false,
    },
    { json, name: mayBeSaved ? (soak === null ? 'peers' : 'soak') : null },
  )
})
