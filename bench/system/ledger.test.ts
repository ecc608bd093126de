import assert from 'node:assert/strict'
import { test } from 'node:test'
import { refusalOf } from '../common/rounds.ts'
import { check } from './contestants/contest.ts'
import { Ledger } from './ledger.ts'

function settleAll(ledger: Ledger): void {
  for (let index = 0; index < ledger.count; index += 1) ledger.settle(index, null)
}

test('a run counts when each notification had one good outcome', async () => {
  const ledger = new Ledger(3)
  settleAll(ledger)
  await ledger.done
  assert.equal(refusalOf(check(ledger)), null)
})

test('one outcome that is not good makes a run count for nothing', () => {
  const ledger = new Ledger(3)
  ledger.settle(1, 'answered 404')
  settleAll(ledger)
  assert.match(refusalOf(check(ledger)) ?? '', /1 of 3 were not answered 200; first: answered 404/)
  assert.equal(ledger.accepted, 2)
})

test('a second outcome for the same notification is a fault and stands for no other', async () => {
  const ledger = new Ledger(2)
  ledger.settle(0, null)
  ledger.settle(0, null)
  assert.equal(await Promise.race([ledger.done, Promise.resolve('not yet')]), 'not yet')
  ledger.settle(1, null)
  await ledger.done
  assert.match(refusalOf(check(ledger)) ?? '', /had one or was never sent/)
})

test('an outcome for a notification that was never sent is a fault', () => {
  const ledger = new Ledger(1)
  ledger.settle(7, null)
  settleAll(ledger)
  assert.match(refusalOf(check(ledger)) ?? '', /had one or was never sent/)
})

test('what was sent before the clock started has to be good as well', () => {
  const [warmUp, ledger] = [new Ledger(1), new Ledger(1)]
  warmUp.settle(0, 'answered 404')
  settleAll(ledger)
  assert.equal(refusalOf(check(ledger, warmUp)), 'before the clock started: answered 404')
})
