import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { CONTROL_CALLS } from './control-calls.ts'
import { parseScript } from './script-parser.ts'

const README = readFileSync(new URL('../README.md', import.meta.url), 'utf8')

test('lists every control call as the index does', () => {
  const rows = [...README.matchAll(/^\| `([A-Z]+ \/\S*)` +\| (.+?) +\|$/gm)]
  assert.deepEqual(
    rows.map(([, call, does]) => [call, does?.replaceAll('`', '')]),
    CONTROL_CALLS.map(({ method, path, does }) => [`${method} ${path}`, does]),
  )
})

test('shows scripts that can be played', () => {
  const scripts = [...README.matchAll(/```json\n([^`]+)```/g)]
  assert.equal(scripts.length, 1)
  for (const [, script] of scripts) assert.equal(parseScript(JSON.parse(script ?? '')).length, 3)
})
