#!/usr/bin/env node
import { fileURLToPath } from 'node:url'

// Plain JavaScript that any Node can read: says so where Node is too old, and otherwise starts the real thing.
const OLDEST = 24
const version = process.versions.node

if (Number(version.split('.')[0]) < OLDEST) {
  process.stderr.write(
    `apnsd needs Node ${OLDEST} or newer and this is Node ${version}; after "npm ci", "npx apnsd" finds the one that npm installed.\n`,
  )
  process.exitCode = 1
} else {
  const { enableCompileCache } = await import('node:module')
  // a third of the start-up time is compiling; the cache is beside the code, for /tmp is anybody's
  enableCompileCache(fileURLToPath(new URL('../.compile-cache', import.meta.url)))
  const { main } = await import('../src/main.ts')
  await main(process.argv)
}
