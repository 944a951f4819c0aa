/** The thread that waits: whom it calls, whom not, and that it keeps no process from ending. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'vitest'
import { sys } from '#sys'
import { reactor } from '../../src/linux/reactor.ts'
import { live } from '../../src/linux/sys.live.ts'
import { eventually } from '../contract/kernel/case.ts'

const EFD_NONBLOCK = 0o4000
const one = new Uint8Array(BigUint64Array.of(1n).buffer)
/** So long a process may take on a busy machine. Milliseconds. */
const PATIENCE = 60_000

const open = () => live.eventfd(EFD_NONBLOCK)
const make = (descriptor: number) => void sys.write(descriptor, one, 8)
const take = (descriptor: number) => void sys.read(descriptor, new Uint8Array(8))

test('calls back when a descriptor can be read, and again while it can', async () => {
  const descriptor = open()
  let calls = 0
  const remove = reactor.add(descriptor, () => {
    if (++calls === 3) take(descriptor)
  })
  await round()
  assert.equal(calls, 0)
  make(descriptor)
  await eventually(() => calls >= 3, 'it is called back')
  await round()
  assert.equal(calls, 3)
  remove()
  make(descriptor)
  await round()
  assert.equal(calls, 3)
  sys.close(descriptor)
})

test('does not call back one that a callback before it removed', async () => {
  const descriptors = [open(), open()] as const
  const called: number[] = []
  const removals = descriptors.map((descriptor, i) =>
    reactor.add(descriptor, () => {
      called.push(i)
      for (const remove of removals) remove()
    }),
  )
  for (const descriptor of descriptors) make(descriptor) // both events come with one wake-up
  await round()
  assert.equal(called.length, 1)
  for (const descriptor of descriptors) sys.close(descriptor)
})

test('an event for a closed descriptor does not reach the next that has its number', async () => {
  const first = open()
  const second = open()
  const called: string[] = []
  let next = -1
  const removeSecond = reactor.add(second, () => called.push('second'))
  const removeFirst = reactor.add(first, () => {
    removeFirst()
    removeSecond()
    sys.close(second)
    next = open()
    reactor.add(next, () => {
      called.push('next')
      take(next)
    })
  })
  make(first)
  make(second)
  await round()
  if (next >= 0) assert.equal(next, second, 'the number comes again')
  assert.ok(!called.includes('next'), called.join())
  sys.close(first)
})

test('goes on when a callback throws', async () => {
  const script = `
    const bad = live.eventfd(2048), good = live.eventfd(2048)
    const one = new Uint8Array(BigUint64Array.of(1n).buffer)
    process.once('uncaughtException', () => setImmediate(() => {
      const removeGood = reactor.add(good, () => { removeGood(); console.log('called') })
      sys.write(good, one, 8)
    }))
    const removeBad = reactor.add(bad, () => { removeBad(); throw new Error('bad') })
    sys.write(bad, one, 8)`
  const { stdout, status } = run(script)
  assert.deepEqual([stdout, status], ['called\n', 0])
})

const endings = [
  { title: 'ends by itself when nobody listens any more', script: 'remove()', status: 0 },
  { title: 'ends when it exits while somebody listens', script: 'process.exit(3)', status: 3 },
  { title: 'ends when an error is thrown while somebody listens', script: 'throw new Error("end")', status: 1 },
  // What ends it is no reason to stay.
  { title: 'does not end while somebody listens', script: 'setTimeout(() => process.exit(7), 500).unref()', status: 7 },
]
for (const { title, script, status } of endings) {
  test(`a process ${title}`, () => {
    const listening = `
      const remove = reactor.add(live.eventfd(2048), () => {})
      setTimeout(() => { ${script} }, 30)`
    assert.equal(run(listening).status, status)
  })
}

test('a process that listens again after nobody did is called back', () => {
  const script = `
    const one = new Uint8Array(BigUint64Array.of(1n).buffer)
    let rounds = 0
    const round = () => {
      const descriptor = live.eventfd(2048)
      const remove = reactor.add(descriptor, () => {
        remove()
        sys.close(descriptor)
        if (++rounds < 50) setTimeout(round, rounds % 3)
        else console.log(rounds)
      })
      sys.write(descriptor, one, 8)
    }
    round()`
  assert.deepEqual(run(script).stdout, '50\n')
})

/** Till the reactor has told of all that could be read before. */
async function round(): Promise<void> {
  const descriptor = open()
  make(descriptor)
  await new Promise<void>((resolve) => {
    const remove = reactor.add(descriptor, () => {
      remove()
      resolve()
    })
  })
  sys.close(descriptor)
}

/** Runs the module in a process of its own. */
function run(script: string) {
  const root = join(import.meta.dirname, '../..')
  const imports = `
    import { sys } from '#sys'
    import { reactor } from ${JSON.stringify(join(root, 'src/linux/reactor.ts'))}
    import { live } from ${JSON.stringify(join(root, 'src/linux/sys.live.ts'))}\n`
  return spawnSync(process.execPath, ['--input-type=module', '-e', imports + script], {
    cwd: root,
    encoding: 'utf8',
    timeout: PATIENCE,
  })
}
