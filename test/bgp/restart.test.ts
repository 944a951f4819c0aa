/** Our own restart: how long our announcements wait. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import type { Family } from '../../src/bgp/family.ts'
import { type Awaited, Restart } from '../../src/bgp/restart.ts'
import { StepClock } from './step-clock.ts'

const SECOND = 1000

function begun(kept: readonly Family[] = ['ipv4']) {
  const clock = new StepClock()
  let ends = 0
  const restart = new Restart(clock, kept, () => ends++)
  return { clock, restart, ends: () => ends }
}

const neighbour = (established: boolean, ...awaited: Family[]): Awaited => ({
  established,
  awaitsEndOfRib: new Set(awaited),
  status: { disabled: false },
})

test('it is over when every neighbour is there and has sent its End-of-RIB, and is over once', () => {
  const { clock, restart, ends } = begun()
  restart.look([neighbour(true, 'ipv4'), neighbour(true)])
  restart.look([neighbour(true), neighbour(false)])
  assert.deepEqual([restart.restarting, ends()], [true, 0])
  restart.look([neighbour(true), neighbour(true)])
  restart.look([neighbour(true), neighbour(true)])
  clock.advance(60 * SECOND)
  assert.deepEqual([restart.restarting, ends()], [false, 1])
})

test('who is down, or silent, is waited for no longer than ten seconds', () => {
  const { clock, restart, ends } = begun()
  restart.look([neighbour(true, 'ipv4'), neighbour(false)])
  clock.advance(9.9 * SECOND)
  assert.equal(ends(), 0)
  clock.advance(0.2 * SECOND)
  assert.deepEqual([restart.restarting, ends()], [false, 1])
})

test('who is disabled is not waited for', () => {
  const { restart } = begun()
  restart.look([neighbour(true), { ...neighbour(false), status: { disabled: true } }])
  assert.equal(restart.restarting, false)
})

test('what was forwarded is what was said', () => {
  const { restart } = begun(['ipv6'])
  assert.deepEqual([restart.forwarding('ipv4'), restart.forwarding('ipv6')], [false, true])
})
