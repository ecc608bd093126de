import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

const ROOT = new URL('../..', import.meta.url).pathname
const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8')

test('each requirement of the page on faults has the test that it names', () => {
  const lines = read('docs/internals/faults.md').split('\n')
  const requirements = lines.filter((line) => line.startsWith('- '))
  assert.ok(requirements.length > 30)
  for (const line of requirements) {
    const [, file, name] = /→ (\S+): “(.+)”$/.exec(line) ?? []
    assert.ok(file !== undefined && name !== undefined, `it names no test: ${line}`)
    assert.ok(read(file).includes(name), `${file} has no test “${name}”`)
  }
})
