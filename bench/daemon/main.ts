/** `npm run bench:daemon`: see bench/README.md. */
import { breakOffSignal, checkNode, publish, runCommand } from '../common/command.ts'
import { runDaemonBench } from './bench.ts'
import { HELP, readOptions } from './options.ts'
import { formatReport } from './report.ts'

const args = process.argv.slice(2)
await runCommand(async () => {
  const options = readOptions(args)
  if (options === null) {
    process.stdout.write(HELP)
    return 0
  }
  checkNode('bench:daemon')
  const command = ['npm run bench:daemon', ...(args.length > 0 ? ['--', ...args] : [])].join(' ')
  const report = await runDaemonBench(options, command, breakOffSignal(), (line) => {
    process.stderr.write(`${line}\n`)
  })
  return publish(
    {
      startedAt: report.startedAt,
      json: `${JSON.stringify(report, null, 2)}\n`,
      text: formatReport(report),
      hasFailed: report.refused.length > 0,
    },
    { json: options.json, name: options.mayBeSaved ? 'daemon' : null },
  )
})
