/** Who reads when: many that have much to read, and timers between them. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { MessageInput } from '../../src/bgp/message-input.ts'
import { ReadingTurns } from '../../src/bgp/reading-turns.ts'
import type { Connection } from '../../src/bgp/transport.ts'
import { bytes } from './octets.ts'
import { KEEPALIVE } from './speakers.ts'
import { StepClock } from './step-clock.ts'

interface Reader {
  readonly input: MessageInput
  readonly read: number[]
  readonly told: string[]
}

/** One that takes `cost` milliseconds for a message. */
function reader(
  clock: StepClock,
  turns: ReadingTurns,
  cost: number,
  onMessage = (_: MessageInput) => undefined,
): Reader {
  const read: number[] = []
  const told: string[] = []
  const begin = clock.now()
  const connection: Connection = {
    local: undefined,
    remote: { address: '10.0.0.2', port: 179 },
    backlog: 0,
    send: () => undefined,
    pause: () => told.push('pause'),
    resume: () => told.push('resume'),
    close: () => undefined,
  }
  const input = new MessageInput({
    turns,
    connection: () => connection,
    message: () => {
      read.push(clock.now() - begin)
      clock.stall(cost)
      onMessage(input)
    },
    error: (error) => told.push(error.message),
    ended: (why) => told.push(why),
  })
  return { input, read, told }
}

const messages = (count: number) => bytes(KEEPALIVE.repeat(count))

test('a timer waits for no longer than a turn, though ten peers send a table each', () => {
  const clock = new StepClock()
  const turns = new ReadingTurns(clock)
  const readers = Array.from({ length: 10 }, () => reader(clock, turns, 5))
  const late: number[] = []
  const set = () => {
    const due = clock.now() + 10
    clock.after(10, () => {
      late.push(clock.now() - due)
      if (late.length < 100) set()
    })
  }
  set()
  for (const { input } of readers) input.push(messages(50))
  clock.advance(10_000)
  for (const { read } of readers) assert.equal(read.length, 50)
  assert.ok(Math.max(...late) <= 25, String(late))
})

test('ten that have the same to read end about the same time', () => {
  const clock = new StepClock()
  const turns = new ReadingTurns(clock)
  const readers = Array.from({ length: 10 }, () => reader(clock, turns, 5))
  for (const { input } of readers) input.push(messages(40))
  clock.advance(10_000)
  const ends = readers.map(({ read }) => read.at(-1)!)
  // Two rounds of ten turns.
  assert.ok(Math.max(...ends) - Math.min(...ends) <= 400, String(ends))
})

test('the connection is paused while there is more, and its end comes behind all that was read', () => {
  const clock = new StepClock()
  const { input, read, told } = reader(clock, new ReadingTurns(clock), 15)
  input.push(messages(3))
  input.end('closed by the peer')
  assert.deepEqual([read.length, told], [2, ['pause']])
  clock.advance(100)
  assert.deepEqual([read.length, told], [3, ['pause', 'resume', 'closed by the peer']])
})

test('what is held back is read when it is released, or the connection has ended', () => {
  for (const goOn of [(input: MessageInput) => input.release(), (input: MessageInput) => input.end('gone')]) {
    const clock = new StepClock()
    const { input, read } = reader(clock, new ReadingTurns(clock), 0)
    input.hold()
    input.push(messages(2))
    clock.advance(1000)
    assert.deepEqual([read.length, input.isBehind], [0, true])
    goOn(input)
    assert.deepEqual([read.length, input.isBehind], [2, false])
  }
})

test('stopped from within a message it reads no other, and tells nothing', () => {
  const clock = new StepClock()
  const { input, read, told } = reader(clock, new ReadingTurns(clock), 30, (it) => {
    it.stop()
  })
  input.push(messages(5))
  clock.advance(1000)
  assert.deepEqual([read.length, told], [1, []])
})

test('a wrong header is told, and that is the end', () => {
  const clock = new StepClock()
  const { input, told } = reader(clock, new ReadingTurns(clock), 0)
  input.push(bytes('00'.repeat(19)))
  assert.match(told[0]!, /^1\/1/)
})
