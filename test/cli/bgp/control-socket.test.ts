/** The socket of a speaker: whose it is, what comes over it, and what a slow reader costs. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createConnection, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'vitest'
import type { Controlled } from '../../../src/bgp/control/answer.ts'
import { ask } from '../../../src/cli/bgp/control-client.ts'
import { type ControlServer, serveControl } from '../../../src/cli/bgp/control-server.ts'
import { linesOf } from '../../../src/cli/bgp/lines.ts'
import { CommandError, Exit } from '../../../src/cli/exit.ts'
import { start } from '../../bgp/lab.ts'
import { world } from '../../bgp/speakers.ts'
import { collected } from '../../support/collected.ts'

let folder: string
let path: string
let controlled: Controlled
let server: ControlServer | undefined
let sockets: Socket[]

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'overlab-bgp-'))
  path = join(folder, 'run', 'bgp.sock')
  const { speaker, fib } = start(world(), '10.0.0.1')
  controlled = {
    speaker,
    version: '1',
    startedAt: 0,
    fib,
    reload: () => Promise.resolve(),
    dump: () => Promise.resolve(0),
    announcementsChanged: () => undefined,
    warnings: () => [],
  }
  sockets = []
})

afterEach(() => {
  for (const socket of sockets) socket.destroy()
  server?.close()
  server = undefined
  rmSync(folder, { recursive: true, force: true })
})

async function serve(): Promise<void> {
  server = await serveControl(path, controlled)
}

async function connect(): Promise<Socket> {
  const socket = createConnection(path)
  sockets.push(socket)
  await once(socket, 'connect')
  return socket
}

function announceMany(count: number): void {
  const networks = Array.from({ length: count }, (_, i) => ({
    prefix: `10.${i >> 8}.${i & 255}.0/24`,
    communities: [],
    blackhole: false,
  }))
  controlled.speaker.announce(networks)
}

test('it is of the owner alone, whatever the umask is', async () => {
  const before = process.umask(0)
  try {
    await serve()
  } finally {
    process.umask(before)
  }
  assert.equal(statSync(path).mode & 0o777, 0o600)
  assert.equal(statSync(join(folder, 'run')).mode & 0o777, 0o755)
})

test('one that a killed speaker has left is replaced', async () => {
  mkdirSync(join(folder, 'run'))
  const { promise, resolve } = Promise.withResolvers<void>()
  const dead = createServer().listen(join(folder, 'dead'), resolve)
  await promise
  const { renameSync } = await import('node:fs')
  renameSync(join(folder, 'dead'), path) // closing it does not find it there
  await new Promise((done) => dead.close(done))
  await serve()
  assert.deepEqual((await ask(path, 'count', { family: 'ipv4' })).done, { count: 0 })
})

test('one that another process listens behind is left alone, and so is what is no socket', async () => {
  await serve()
  const refusal = { name: 'CommandError', status: Exit.environment }
  await assert.rejects(serveControl(path, controlled), { ...refusal, message: /another process listens there/ })
  assert.deepEqual((await ask(path, 'count', { family: 'ipv4' })).done, { count: 0 })
  writeFileSync(join(folder, 'file'), 'mine')
  await assert.rejects(serveControl(join(folder, 'file'), controlled), {
    ...refusal,
    message: /something else is there/,
  })
})

test('several requests of one connection are answered in their order', async () => {
  await serve()
  const socket = await connect()
  socket.end('{"command":"count","family":"ipv4"}\nnonsense\n{"command":"count","family":"ipv6"}\n')
  const lines = await collected(linesOf(socket))
  assert.deepEqual([lines[0], lines[2]], ['{"done":{"count":0}}', '{"done":{"count":0}}'])
  assert.match(lines[1]!, /^\{"error":\{"kind":"request","message":"It is no JSON/)
})

test('a request may come in pieces, but not without end', async () => {
  await serve()
  const socket = await connect()
  socket.write('{"command":"count",')
  socket.write('"family":"ipv4"}\n')
  const [answer] = await once(socket, 'data')
  assert.equal(String(answer), '{"done":{"count":0}}\n')
  const other = await connect()
  other.write('x'.repeat((1 << 20) + 1))
  const lines = await collected(linesOf(other))
  assert.match(lines[0]!, /it has more than 1048576 characters/)
})

test('who does not read is waited for, and holds up nobody', async () => {
  announceMany(60_000)
  await serve()
  const slow = await connect()
  slow.pause()
  slow.write('{"command":"routes"}\n')
  const { rows } = await ask(path, 'routes')
  assert.equal(rows.length, 60_000)
  // What is kept for the slow one is a socket's buffer, not the table.
  assert.ok(slow.bytesRead < 2_000_000, `${slow.bytesRead}`)
  slow.resume()
  let count = 0
  for await (const line of linesOf(slow)) {
    const { rows: more = [], done } = JSON.parse(line) as { rows?: unknown[]; done?: unknown }
    count += more.length
    if (done) break
  }
  assert.equal(count, 60_000)
})

test('between two pieces of a table everything else has its turn', async () => {
  announceMany(20_000)
  await serve()
  let turns = 0
  const turn = () => {
    turns++
    next = setImmediate(turn)
  }
  let next = setImmediate(turn)
  await ask(path, 'routes')
  clearImmediate(next)
  assert.ok(turns >= 20_000 / 250, `${turns} turns`)
})

test('a client that breaks off is forgotten', async () => {
  announceMany(20_000)
  await serve()
  const socket = await connect()
  socket.write('{"command":"routes"}\n')
  await once(socket, 'data')
  socket.destroy()
  assert.deepEqual((await ask(path, 'count', { family: 'ipv4' })).done, { count: 20_000 })
})

test('who asks is told that there is no speaker, that it has ended, or that it cannot', async () => {
  const error = async (asked: Promise<unknown>): Promise<CommandError> => {
    const answer = await asked.catch((reason: unknown) => reason)
    assert.ok(answer instanceof CommandError, String(answer))
    return answer
  }
  const nobody = await error(ask(path, 'status'))
  assert.equal(nobody.status, Exit.environment)
  assert.match(nobody.message, /no speaker is running there; start one with "overlab bgp run"/)
  await serve()
  assert.equal((await error(ask(path, 'neighbor', { address: '10.0.0.9' }))).status, Exit.no)
  assert.equal((await error(ask(path, 'why', { prefix: 'x' }))).status, Exit.usage)
  controlled = { ...controlled, reload: () => new Promise(() => undefined) }
  server?.close()
  await serve()
  const waiting = error(ask(path, 'reload'))
  const witness = await connect() // so the one before is connected, too
  witness.destroy()
  server?.close()
  assert.match((await waiting).message, /has ended|broke off/)
})

test('lines are found however a stream is cut', async () => {
  const octets = new TextEncoder().encode('eins\nzwölf\n\nlast')
  for (const size of [1, 2, 3, 7, 100]) {
    const pieces = Array.from({ length: Math.ceil(octets.length / size) }, (_, i) =>
      octets.subarray(i * size, (i + 1) * size),
    )
    const stream = (async function* () {
      yield* pieces
    })()
    assert.deepEqual(await collected(linesOf(stream)), ['eins', 'zwölf', ''])
  }
})
