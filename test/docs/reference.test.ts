import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { ERRORS } from '../../packages/apnsd/src/base/errors.ts'
import { loadConfig } from '../../packages/apnsd/src/config/load-config.ts'
import { listSettings } from '../../packages/apnsd/src/config/schema.ts'
import { createProgram } from '../../packages/apnsd/src/doors/cli/program.ts'

const textOf = (page: string): string =>
  readFileSync(new URL(`../../docs/reference/${page}`, import.meta.url), 'utf8')

/** The cells of a page's table rows whose first cell is code. */
function rowsOf(page: string): string[][] {
  return [...textOf(page).matchAll(/^\| (`.+) \|$/gm)].map(([, row]) =>
    (row ?? '').split(' | ').map((cell) => cell.trim()),
  )
}

test('errors.md lists every error as the catalogue has it, and no other', () => {
  assert.deepEqual(
    rowsOf('errors.md').map(([code, http, fault, exit, retry]) => [code, http, fault, exit, retry]),
    Object.entries(ERRORS).map(([code, { httpStatus, fault, exitCode, retry }]) => [
      `\`${code}\``,
      String(httpStatus),
      String(fault),
      String(exitCode),
      retry ? 'yes' : 'no',
    ]),
  )
})

test('configuration.md lists every setting as the schema has it, and no other', () => {
  const serve = createProgram({
    serve: async () => undefined,
    rotateSecret: () => undefined,
  }).commands.find((command) => command.name() === 'serve')
  const flags = new Set(serve?.options.map(({ long }) => long ?? ''))
  const flagOf = (name: string): string => {
    const flag = `--${name.replaceAll('.', '-')}`
    return flags.has(flag) ? `\`${flag}\`` : ''
  }
  assert.deepEqual(
    rowsOf('configuration.md'),
    listSettings().map((setting) => [
      `\`${setting.name}\``,
      `\`${setting.variable}\``,
      flagOf(setting.name),
      setting.default === '' ? '' : `\`${setting.default}\``,
      setting.description,
    ]),
  )
})

test('configuration.md shows a file that is taken', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'apnsd-test-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const [, example = ''] = /```yaml\n(.*?)```/s.exec(textOf('configuration.md')) ?? []
  const file = join(folder, 'apnsd.yaml')
  writeFileSync(file, example)
  assert.equal(loadConfig(file, {}, {}).data, '/var/lib/apnsd')
})
