/** The table beside RFC 5880: the pseudocode of §6.8.6, written down once more as the RFC has it. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { type Event, react, transitions } from '../../src/bfd/fsm.ts'
import { BFD_STATES, type BfdState } from '../../src/wire/bfd.ts'

/** bfd.SessionState and bfd.LocalDiag, undefined where that is not set. */
type Outcome = readonly [BfdState, diagnostic?: number]

function received(session: BfdState, remote: BfdState): Outcome {
  if (session === 'AdminDown') return [session]
  if (remote === 'AdminDown') return session === 'Down' ? [session] : ['Down', 3]
  if (session === 'Down') {
    if (remote === 'Down') return ['Init']
    if (remote === 'Init') return ['Up']
  } else if (session === 'Init') {
    if (remote === 'Init' || remote === 'Up') return ['Up']
  } else if (remote === 'Down') return ['Down', 3]
  return [session]
}

for (const session of BFD_STATES) {
  for (const remote of BFD_STATES) {
    test(`${session}, receive ${remote}`, () => {
      const [next, diagnostic = 0] = received(session, remote)
      const step = react(session, `receive ${remote}`)
      assert.equal(step.next, next)
      if (next !== session) assert.equal(step.diagnostic, diagnostic)
    })
  }

  test(`${session}, the detection time expires: §6.8.4`, () => {
    const isHeld = session === 'Init' || session === 'Up'
    const { next, diagnostic } = react(session, 'detection time expires')
    assert.equal(next, isHeld ? 'Down' : session)
    if (isHeld) assert.equal(diagnostic, 1)
  })

  test(`${session}, disabled and enabled: §6.8.16`, () => {
    assert.equal(react(session, 'disable').next, 'AdminDown')
    if (session !== 'AdminDown') assert.equal(react(session, 'disable').diagnostic, 7)
    assert.equal(react(session, 'enable').next, session === 'AdminDown' ? 'Down' : session)
  })
}

test('up is told on the way into Up, and down on the way out of it, unless somebody has switched it off', () => {
  for (const state of BFD_STATES) {
    for (const [event, { next, tell }] of Object.entries(transitions[state])) {
      const isSwitchedOff = (['receive AdminDown', 'disable'] as readonly string[]).includes(event as Event)
      const expected =
        next === 'Up' && state !== 'Up' ? 'up' : state === 'Up' && next !== 'Up' && !isSwitchedOff ? 'down' : undefined
      assert.equal(tell, expected, `${state}, ${event}`)
    }
  }
})
