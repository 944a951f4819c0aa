/** What a running speaker is asked, and what it answers. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { beforeEach, describe, test } from 'vitest'
import { ConfigError } from '../../src/bgp/config/problem.ts'
import { answer, type Controlled } from '../../src/bgp/control/answer.ts'
import { COMMAND_NAMES, parseRequest } from '../../src/bgp/control/request.ts'
import { collected } from '../support/collected.ts'
import { type LabSpeaker, neighbour, start } from './lab.ts'
import { world } from './speakers.ts'

const A_WHILE = 15_000

interface Line {
  readonly rows?: readonly Readonly<Record<string, unknown>>[]
  readonly done?: Readonly<Record<string, unknown>>
  readonly error?: { readonly kind: string; readonly message: string }
}

let here: ReturnType<typeof world>
let near: LabSpeaker
let far: LabSpeaker
let controlled: Controlled
let events: string[]

/** Two neighbours, and one that is not there. */
beforeEach(() => {
  here = world()
  here.network.host('10.0.0.9')
  near = start(here, '10.0.0.1', {
    name: 'n1',
    networks: ['10.244.1.0/26'],
    neighbours: [neighbour('10.0.0.2', { password: 'hush' }), neighbour('10.0.0.9', { name: 'gone' })],
  })
  far = start(here, '10.0.0.2', {
    networks: ['10.244.2.0/26', '10.244.2.0/28'],
    neighbours: [neighbour('10.0.0.1', { password: 'hush' })],
  })
  here.clock.advance(A_WHILE)
  events = []
  controlled = {
    speaker: near.speaker,
    version: '1.2.3',
    startedAt: 1,
    fib: near.fib,
    reload: async () => void events.push('reload'),
    dump: async (file) => events.push(`dump ${file}`) && 7,
    announcementsChanged: () => events.push('announcements'),
    warnings: () => ['The store is away'],
  }
})

async function lines(request: unknown): Promise<Line[]> {
  const text = typeof request === 'string' ? request : JSON.stringify(request)
  return (await collected(answer(text, controlled))).map((line) => JSON.parse(line) as Line)
}

async function ask(command: string, given: object = {}) {
  const all = await lines({ command, ...given })
  const { done, error } = all.at(-1)!
  return { rows: all.flatMap(({ rows = [] }) => rows), done, error }
}

describe('what there is', () => {
  test('the speaker: who it is, how many sessions there are, and what is wrong', async () => {
    const { done } = await ask('status')
    assert.deepEqual(done, {
      version: '1.2.3',
      name: 'n1',
      routerId: '10.0.0.1',
      as: 64512,
      startedAt: 1,
      isReady: false,
      problems: ['Not established with gone (10.0.0.9) from 10.0.0.1 (Active): connection refused'],
      established: 1,
      neighbors: 2,
      prefixes: { ipv4: 3, ipv6: 0 },
      announced: 0,
      warnings: ['The store is away'],
      restarting: false,
    })
  })

  test('neighbours: of one without a session the address used and the last error', async () => {
    const { rows } = await ask('neighbors')
    assert.deepEqual(
      rows.map(({ address, state, families }) => ({ address, state, families })),
      [
        { address: '10.0.0.2', state: 'Established', families: { ipv4: { received: 2, accepted: 2 } } },
        { address: '10.0.0.9', state: 'Active', families: { ipv4: { received: 0, accepted: 0 } } },
      ],
    )
    assert.equal(rows[1]!.localAddress, '10.0.0.1')
    assert.match(String(rows[1]!.lastError), /refused/)
  })

  test('a neighbour disabled is not what is missing', async () => {
    near.speaker.disable('10.0.0.9')
    assert.equal((await ask('status')).done!.isReady, true)
  })

  test('one neighbour: what is set, negotiated and sent, and never its password', async () => {
    const { done } = await ask('neighbor', { address: '10.0.0.2' })
    assert.deepEqual(done!.sent, { ipv4: 1 })
    assert.equal(done!.hasPassword, true)
    assert.equal((done!.negotiated as { peerId: string }).peerId, '10.0.0.2')
    for (const command of COMMAND_NAMES) {
      assert.doesNotMatch(JSON.stringify(await lines({ command, address: '10.0.0.2' })), /hush/)
    }
  })

  const scopes: readonly [string, object, string[]][] = [
    ['all routes', {}, ['10.244.1.0/26', '10.244.2.0/26', '10.244.2.0/28']],
    ['routes of a family', { family: 'ipv6' }, []],
    ['routes inside a prefix', { prefix: '10.244.2.0/24' }, ['10.244.2.0/26', '10.244.2.0/28']],
    ['routes for an address, the longest first', { prefix: '10.244.2.1' }, ['10.244.2.0/28', '10.244.2.0/26']],
    ['routes for an address of another family', { prefix: 'fd00::1' }, []],
  ]
  for (const [title, given, expected] of scopes) {
    test(title, async () => {
      const { rows } = await ask('routes', given)
      assert.deepEqual(
        rows.map(({ prefix }) => prefix),
        expected,
      )
    })
  }

  test('how many prefixes have a route', async () => {
    assert.deepEqual((await ask('count', { family: 'ipv4' })).done, { count: 3 })
  })

  test('why: of an address the route that packets to it take', async () => {
    const { rows, done } = await ask('why', { prefix: '10.244.2.63' })
    assert.deepEqual(done, { prefix: '10.244.2.0/26' })
    assert.deepEqual(
      rows.map(({ from, best }) => [from, best]),
      [['10.0.0.2', true]],
    )
    assert.equal((await ask('why', { prefix: '10.9.0.0/16' })).error!.message, 'There is no route for "10.9.0.0/16"')
  })

  test('what a neighbour has announced, and has been sent', async () => {
    const received = await ask('adj-in', { address: '10.0.0.2' })
    assert.deepEqual(received.rows.map(({ prefix }) => prefix).sort(), ['10.244.2.0/26', '10.244.2.0/28'])
    const sent = await ask('adj-out', { address: '10.0.0.2', family: 'ipv4' })
    assert.deepEqual(
      sent.rows.map(({ prefix, nextHop }) => [prefix, nextHop]),
      [['10.244.1.0/26', '10.0.0.1']],
    )
  })

  test('the kernel: what it does not take, and why', async () => {
    const refused = [{ what: '10.0.0.0/8', why: 'EEXIST' }]
    controlled = { ...controlled, fib: { isSettled: false, refused } }
    const { done } = await ask('kernel')
    assert.deepEqual([done!.isWritten, done!.isSettled, done!.refused, done!.protocol], [true, false, refused, 182])
    controlled = { ...controlled, fib: undefined }
    assert.equal((await ask('kernel')).done!.isWritten, false)
  })
})

describe('what is done', () => {
  const has = (prefix: string) => far.fib.routes.has(prefix)

  test('announced prefixes are sent with their communities, kept, and withdrawn again', async () => {
    const given = { prefixes: ['10.96.0.1/32', '10.97.0.0/16'], communities: ['65000:1'] }
    assert.deepEqual((await ask('announce', given)).done, { announced: 2 })
    here.clock.advance(A_WHILE)
    assert.ok(has('10.96.0.1/32') && has('10.97.0.0/16'))
    assert.deepEqual(near.fib.blackholes, ['10.244.1.0/26'])
    assert.deepEqual((await ask('adj-out', { address: '10.0.0.2' })).rows.at(-1)!.communities, ['65000:1'])

    const { done } = await ask('withdraw', { prefixes: ['10.97.0.0/16', '10.98.0.0/16', '10.244.1.0/26'] })
    assert.deepEqual(done, { withdrawn: 1, unknown: ['10.98.0.0/16', '10.244.1.0/26'] })
    here.clock.advance(A_WHILE)
    assert.ok(has('10.96.0.1/32') && !has('10.97.0.0/16') && has('10.244.1.0/26'))
    assert.deepEqual(events, ['announcements', 'announcements'])
  })

  test('announced blocks lead nowhere where it is asked for', async () => {
    await ask('announce', { prefixes: ['10.97.0.0/16'], blackhole: true })
    assert.deepEqual(near.fib.blackholes, ['10.244.1.0/26', '10.97.0.0/16'])
  })

  test('a session is ended with a text, stays down, and comes up again', async () => {
    await ask('disable', { address: '10.0.0.2', text: 'moving house' })
    here.clock.advance(A_WHILE)
    assert.match(far.log.join('\n'), /moving house/)
    assert.equal(near.speaker.neighbour('10.0.0.2')!.state, 'Idle')
    await ask('enable', { address: '10.0.0.2' })
    here.clock.advance(60_000)
    assert.equal(near.speaker.neighbour('10.0.0.2')!.state, 'Established')
    await ask('reset', { address: '10.0.0.2' })
    assert.notEqual(near.speaker.neighbour('10.0.0.2')!.state, 'Established')
  })

  test('routes are asked for again, where there is somebody to ask', async () => {
    assert.deepEqual((await ask('refresh', { address: '10.0.0.2' })).done, { families: ['ipv4'] })
    const { error } = await ask('refresh', { address: '10.0.0.9' })
    assert.equal(error!.kind, 'state')
    assert.match(error!.message, /^Cannot ask neighbor "10.0.0.9" for its routes again/)
  })

  test('all routes are written where the path leads, which is absolute', async () => {
    assert.deepEqual((await ask('dump', { file: '/tmp/rib.mrt' })).done, { octets: 7 })
    assert.deepEqual(events, ['dump /tmp/rib.mrt'])
    assert.equal(
      (await ask('dump', { file: 'rib.mrt' })).error?.message,
      'file is "rib.mrt", expected an absolute path',
    )
  })

  test('a reload that fails says why', async () => {
    assert.deepEqual((await ask('reload')).done, {})
    assert.deepEqual(events, ['reload'])
    controlled = { ...controlled, reload: () => Promise.reject(new Error('as is 0')) }
    assert.deepEqual((await ask('reload')).error, { kind: 'state', message: 'as is 0' })
  })
})

test('big tables come in pieces, of which each is made when it is asked for', async () => {
  const prefixes = Array.from({ length: 1000 }, (_, i) => `10.${i >> 8}.${i & 255}.0/24`)
  await ask('announce', { prefixes })
  const all = answer('{"command":"routes"}', controlled)
  const first = JSON.parse((await all.next()).value as string) as Line
  assert.equal(first.rows!.length, 250)
  await ask('withdraw', { prefixes })
  const rest = (await collected(all)).map((line) => JSON.parse(line) as Line)
  assert.deepEqual(rest.at(-1), { done: {} })
})

describe('what is refused', () => {
  const refused: readonly [unknown, RegExp][] = [
    ['', /^It is no JSON: /],
    ['nonsense', /^It is no JSON: /],
    [5, /^It is 5, expected a request as {"command": "neighbors"}$/],
    [[], /^It is an empty list, expected a request/],
    [{}, /^command is missing/],
    [{ command: 'neighbours' }, /^command is "neighbours"; did you mean "neighbors"\?/],
    [{ command: 'toString' }, /^command is "toString"/],
    [{ command: 'neighbor' }, /^address is missing, expected an IPv4 or IPv6 address$/],
    [{ command: 'neighbor', adress: '10.0.0.2' }, /adress is not known; did you mean "address"\?/],
    [{ command: 'count', family: 'ipx' }, /^family is "ipx"/],
    [
      { command: 'why', prefix: '10.0.0.1/8' },
      /^prefix is "10.0.0.1\/8", which has host bits set; the prefix is "10.0.0.0\/8"$/,
    ],
    [{ command: 'announce', prefixes: [] }, /^prefixes is an empty list/],
    [{ command: 'announce', prefixes: ['10.0.0.1/8'] }, /^prefixes\[0\] is "10.0.0.1\/8", which has host bits/],
    [{ command: 'announce', prefixes: ['10.0.0.0/8'], communities: ['x'] }, /^communities\[0\] is "x"/],
    [
      { command: 'disable', address: '10.0.0.2', text: 'x'.repeat(256) },
      /^text is "x+…, expected text of 1 to 255 octets$/,
    ],
  ]
  for (const [request, says] of refused) {
    test(`${JSON.stringify(request).slice(0, 60)}: ${says.source}`, async () => {
      const [{ error }, ...more] = (await lines(request)) as [Line, ...Line[]]
      assert.equal(error!.kind, 'request')
      assert.match(error!.message, says)
      assert.deepEqual(more, [])
    })
  }

  test('a neighbour that is not there', async () => {
    for (const command of ['neighbor', 'adj-in', 'adj-out', 'refresh', 'enable', 'disable', 'reset']) {
      const { error } = await ask(command, { address: '10.0.0.3' })
      assert.deepEqual(error, {
        kind: 'state',
        message: 'There is no neighbor "10.0.0.3"; did you mean "10.0.0.2"? (10.0.0.2, 10.0.0.9)',
      })
    }
  })

  test('anything is either a request or refused', () => {
    const request = fc.record(
      {
        command: fc.oneof(fc.constantFrom(...COMMAND_NAMES), fc.jsonValue()),
        address: fc.jsonValue(),
        prefixes: fc.jsonValue(),
      },
      { requiredKeys: [] },
    )
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          request.map((each) => JSON.stringify(each)),
        ),
        (line) => {
          try {
            assert.ok(COMMAND_NAMES.includes(parseRequest(line).command))
          } catch (error) {
            assert.ok(error instanceof ConfigError, String(error))
          }
        },
      ),
      { numRuns: 2000 },
    )
  })
})
