import assert from 'node:assert/strict'
import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished, test } from 'vitest'
import { files } from '../../../src/linux/files.ts'
import type { StoreFiles } from '../../../src/store/file/files.ts'
import { nodeFiles } from '../../../src/store/file/node-files.ts'
import type { Store } from '../../../src/store/store.ts'
import { put, refused, until, Witness } from '../../contract/store/case.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { openDirectory } from '../../support/open-directory.ts'

const moment = { passTime: () => new Promise<void>((resolve) => setTimeout(resolve, 10)) }

function newDirectory(): string {
  const folder = mkdtempSync(join(tmpdir(), 'overlab-store-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return join(folder, 'store')
}

function open(directory: string, options?: Parameters<typeof openDirectory>[1]): Store {
  const store = openDirectory(directory, options)
  onTestFinished(() => store.close())
  return store
}

async function watching(store: Store, prefix = '/'): Promise<Witness> {
  const witness = new Witness()
  store.watch(prefix, witness)
  await until(moment, () => witness.told.length > 0, 'the watch lists')
  return witness
}

const pairs = async (store: Store) => (await store.list('')).entries.map(({ key, value }) => `${key}=${value}`)

test('only its owner may read or write the store, whatever the umask is', async () => {
  const directory = newDirectory()
  const before = process.umask(0)
  onTestFinished(() => void process.umask(before))
  await put(open(directory), '/a', '1')
  assert.equal(statSync(directory).mode & 0o7777, 0o700)
  assert.deepEqual(readdirSync(directory).sort(), ['lock', 'log'])
  for (const name of ['lock', 'log']) assert.equal(statSync(join(directory, name)).mode & 0o7777, 0o600, name)
})

test('reading makes nothing', async () => {
  const directory = newDirectory()
  const store = open(directory)
  assert.equal(await store.get('/a'), undefined)
  assert.deepEqual(await store.list('/'), { entries: [], revision: 1n })
  assert.throws(() => statSync(directory))
})

test('a store that is opened again has what it had, leases too', async () => {
  const directory = newDirectory()
  const first = open(directory)
  const lease = await first.grant(1000)
  await put(first, '/a', '1', lease)
  await put(first, '/b', '2')
  const listing = await first.list('/')
  first.close()
  const second = open(directory)
  assert.deepEqual(await second.list('/'), listing)
  assert.equal((await second.timeToLive(lease))?.granted, 1000)
  await second.revoke(lease)
  assert.deepEqual(await pairs(second), ['/b=2'])
})

test('a log that ends anywhere is a store as it was before the last change, and can be written', async () => {
  const directory = newDirectory()
  const log = join(directory, 'log')
  const store = open(directory)
  await put(store, '/a', '1')
  const before = statSync(log).size
  await store.transact(
    [],
    [
      { put: '/a', value: '2' },
      { put: '/b', value: '2' },
    ],
  )
  const whole = readFileSync(log)
  for (let length = before; length < whole.length; length++) {
    writeFileSync(log, whole)
    truncateSync(log, length)
    const after = openDirectory(directory)
    assert.deepEqual(await pairs(after), ['/a=1'], `${length} of ${whole.length} bytes`)
    await put(after, '/c', '3')
    assert.deepEqual(await pairs(after), ['/a=1', '/c=3'])
    after.close()
    const again = openDirectory(directory)
    assert.deepEqual(await pairs(again), ['/a=1', '/c=3'])
    again.close()
  }
})

test('a line that cannot be read is named and left out; the others count', async () => {
  const directory = newDirectory()
  const log = join(directory, 'log')
  const first = open(directory)
  await put(first, '/a', '1')
  for (const line of [
    'garbage',
    '{"revision":-1}',
    '{"revision":3,"writes":[{"put":5}]}',
    '{"writes":[{"delete":"/a"}]}',
    '[]',
  ]) {
    appendFileSync(log, `${line}\n`)
  }
  await put(first, '/b', '2').catch(() => {})
  const problems: string[] = []
  const second = open(directory, { report: (problem) => problems.push(problem) })
  await put(second, '/c', '3')
  const seen = await pairs(second)
  assert.ok(seen.includes('/a=1') && seen.includes('/c=3'), seen.join())
  assert.deepEqual(
    problems,
    [3, 4, 5, 6].map((line) => `Cannot read line ${line} of "${log}": it is left out`),
  )
})

test('a file that is no log of ours is refused by name and stays as it is', async () => {
  const directory = newDirectory()
  await put(open(directory), '/a', '1')
  const log = join(directory, 'log')
  for (const text of ['', 'hello\n', '{"store":2,"id":"x","compacted":1}\n']) {
    writeFileSync(log, text)
    const store = openDirectory(directory)
    await refused(() => store.get('/a'), 'refused')
    await refused(() => put(store, '/a', '2'), 'refused')
    await assert.rejects(store.list(''), (error: Error) => error.message.includes(`"${log}"`))
    assert.equal(readFileSync(log, 'utf8'), text)
    store.close()
  }
})

test('a log does not grow for ever, and whoever watches goes on', async () => {
  const directory = newDirectory()
  const [one, other] = [open(directory), open(directory)]
  const lease = await one.grant(86_400)
  await put(one, '/kept', '1', lease)
  const witness = await watching(other)
  let longest = 0
  let compactions = 0
  for (let round = 0; round < 40; round++) {
    const { ino } = statSync(join(directory, 'log'))
    for (let at = 0; at < 5; at++) await put(one, `/${at}`, `${round} ${'x'.repeat(20_000)}`)
    const { ino: now, size } = statSync(join(directory, 'log'))
    longest = Math.max(longest, size)
    if (now !== ino) compactions++
    const entries = JSON.stringify((await one.list('/')).entries.map(({ value }) => value))
    const seen = () => JSON.stringify(witness.entries.map(({ value }) => value))
    await until(moment, () => seen() === entries, 'the watch has what the store has')
  }
  assert.ok(longest < 2 ** 21 && compactions > 1, `${longest} bytes, ${compactions} compactions`)
  assert.deepEqual(witness.entries, (await one.list('/')).entries)
  assert.deepEqual(await open(directory).get('/kept'), await one.get('/kept'))
  assert.equal((await open(directory).timeToLive(lease))?.granted, 86_400)
})

test('a directory that is deleted is an empty store, which can be written again', async () => {
  const directory = newDirectory()
  const [one, other] = [open(directory), open(directory)]
  await put(one, '/a', '1')
  const witness = await watching(one)
  rmSync(directory, { recursive: true })
  await until(moment, () => witness.told.length === 2, 'the watch is told')
  assert.deepEqual(witness.told, ['listed /a=1', 'listed'])
  await put(other, '/b', '2')
  await until(moment, () => witness.keys.join() === '/b', 'the watch is told of the new one')
})

test('a lease ends by the clock, while somebody watches or when somebody comes by', async () => {
  const directory = newDirectory()
  const clock = new ManualClock()
  const [one, other] = [open(directory, { clock }), open(directory, { clock })]
  const lease = await one.grant(10)
  await put(one, '/a', '1', lease)
  await clock.advance(10_000)
  const { size } = statSync(join(directory, 'log'))
  assert.deepEqual(await pairs(other), [])
  assert.ok(statSync(join(directory, 'log')).size > size)

  await put(one, '/b', '2', await one.grant(10))
  const witness = await watching(other)
  await clock.advance(9_999)
  assert.deepEqual(witness.told, ['listed /b=2'])
  await clock.advance(1)
  await until(moment, () => witness.told.length === 2, 'the deletion is told')
  assert.deepEqual(witness.told, ['listed /b=2', 'delete /b'])
})

const DAY = 86_400_000

test.each([DAY, -DAY])('who sees a lease granted ends it in time, though a clock is wrong by %i ms', async (wrong) => {
  for (const whose of ['grants', 'looks'] as const) {
    const directory = newDirectory()
    const clocks = { grants: new ManualClock(), looks: new ManualClock() }
    const [one, other] = [open(directory, { clock: clocks.grants }), open(directory, { clock: clocks.looks })]
    const advance = async (milliseconds: number) => {
      for (const clock of [clocks.grants, clocks.looks]) await clock.advance(milliseconds)
    }
    await put(other, '/before', '0')
    clocks[whose].set(wrong)
    const lease = await one.grant(10)
    await put(one, '/a', '1', lease)
    assert.deepEqual(await pairs(other), ['/a=1', '/before=0'])
    await advance(5_000)
    await pairs(other)
    await one.keepAlive(lease)
    assert.equal((await other.timeToLive(lease))?.left, 10)
    clocks[whose].set(0)
    await advance(5_000)
    clocks[whose].set(-wrong)
    await put(other, '/before', '1')
    // What is written anew says of a lease what it said.
    for (let at = 0; at < 3; at++) await put(other, '/before', 'x'.repeat(1_000_000))
    await put(other, '/before', '2')
    await advance(4_999)
    assert.deepEqual(await pairs(other), ['/a=1', '/before=2'])
    assert.deepEqual(await pairs(one), ['/a=1', '/before=2'])
    await advance(1)
    assert.deepEqual(await pairs(other), ['/before=2'], `${whose}`)
  }
})

test('who begins with a clock that is ahead ends leases once: those that are made again stay', async () => {
  const directory = newDirectory()
  const [right, ahead] = [new ManualClock(), new ManualClock()]
  ahead.set(DAY)
  const one = open(directory, { clock: right })
  await put(one, '/a', '1', await one.grant(10))
  const other = open(directory, { clock: ahead })
  assert.deepEqual(await pairs(other), [])
  await put(one, '/a', '2', await one.grant(10))
  assert.deepEqual(await pairs(other), ['/a=2'])
  await put(other, '/b', '1', await other.grant(10))
  assert.deepEqual(await pairs(other), ['/a=2', '/b=1'])
})

test('a call that fails keeps nothing from the watches', async () => {
  const directory = newDirectory()
  const [one, other] = [open(directory), open(directory)]
  const witness = await watching(one)
  await put(other, '/a', '1')
  await refused(() => one.keepAlive('123'), 'not found')
  await until(moment, () => witness.has('put /a=1'), 'the change is told')
})

test('a lock that others hold is waited for', async () => {
  const directory = newDirectory()
  await put(open(directory), '/a', '1')
  const lock = files.lock(join(directory, 'lock'), 0o600)
  const store = open(directory)
  const written = put(store, '/a', '2')
  await moment.passTime()
  assert.equal((await store.get('/a'))?.value, '1')
  lock.release()
  await written
  assert.equal((await store.get('/a'))?.value, '2')
})

test('a change that does not fit on the disk is unavailable, and did not take place', async () => {
  const directory = newDirectory()
  await put(open(directory), '/a', '1')
  const real = nodeFiles(files.tryLock)
  let isFull = true
  const full: StoreFiles = {
    ...real,
    openLog(path) {
      const log = real.openLog(path)
      const append = (end: number, text: string) => {
        if (isFull) throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
        return log!.append(end, text)
      }
      return log && { ...log, append }
    },
  }
  const store = open(directory, { files: full })
  await refused(() => put(store, '/a', '2'), 'unavailable')
  assert.equal((await store.get('/a'))?.value, '1')
  isFull = false
  await put(store, '/a', '3')
  assert.deepEqual(await pairs(open(directory)), ['/a=3'])
})
