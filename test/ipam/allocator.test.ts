import assert from 'node:assert/strict'
import fc from 'fast-check'
import { test } from 'vitest'
import { formatIp, ipFromBigInt, parseIp } from '../../src/address/ip.ts'
import type { Files } from '../../src/cni/host.ts'
import type { Attachment } from '../../src/cni/plugin.ts'
import { allocate, isExhausted } from '../../src/ipam/allocator.ts'
import { diskStore } from '../../src/ipam/disk-store.ts'
import { completeRangeSets, type RangeSet, rangeOf, readRangeSets } from '../../src/ipam/range.ts'
import { jsonOf } from '../support/configuration.ts'
import { memoryHost } from '../support/memory-host.ts'

const DIRECTORY = '/var/lib/cni/networks/lan'

const setsOf = (ranges: unknown): RangeSet[] => completeRangeSets(readRangeSets(jsonOf({ ranges }), 'ranges'))
const eth0 = (containerId: string): Attachment => ({ containerId, ifName: 'eth0' })

function setUp(ranges: unknown, there: Record<string, string> = {}) {
  const named = Object.entries(there).map(([name, text]) => [`${DIRECTORY}/${name}`, text])
  const { files, tree } = memoryHost({ files: Object.fromEntries(named) })
  const calls: string[] = []
  const counted = new Proxy(files, {
    get: (target, name: keyof Files) =>
      name === 'list' || name === 'create' || name === 'read' || name === 'status'
        ? (path: string, ...rest: [string, number]) => {
            calls.push(`${name} ${path}`)
            return (target[name] as (...all: unknown[]) => unknown)(path, ...rest)
          }
        : target[name],
  })
  const store = diskStore(counted, DIRECTORY)
  const sets = setsOf(ranges)
  return {
    calls,
    files,
    tree: () =>
      Object.fromEntries(
        Object.entries(tree())
          .filter(([path]) => path.startsWith(DIRECTORY))
          .map(([path, text]) => [path.slice(DIRECTORY.length + 1), text]),
      ),
    add: (containerId: string, ...requests: string[]) =>
      store
        .locked((reservations) => allocate(sets, requests.map(parseIp), eth0(containerId), reservations))
        .map(({ ip }) => formatIp(ip)),
    del: (containerId: string) => store.locked((reservations) => reservations.releaseAll(eth0(containerId))),
    collect: (unwanted: string) =>
      store.locked((reservations) => reservations.releaseUnless(({ containerId }) => containerId !== unwanted)),
    isFull: () => store.locked((reservations) => sets.some((set) => isExhausted(set, reservations))),
  }
}

/** `count` reservations of others, one after the other. */
const taken = (first: string, count: number): Record<string, string> => {
  const ip = parseIp(first).reduce((value, byte) => (value << 8n) | BigInt(byte), 0n)
  return Object.fromEntries(
    Array.from({ length: count }, (_, i) => [
      formatIp(ipFromBigInt(ip + BigInt(i), first.includes(':') ? 'ipv6' : 'ipv4')),
      `other${i}\r\neth0`,
    ]),
  )
}

test('a released address rests until all others have been given out', () => {
  const { add, del } = setUp([[{ subnet: '10.1.2.0/29' }]])
  assert.deepEqual(add('a'), ['10.1.2.2'])
  del('a')
  assert.deepEqual(add('b'), ['10.1.2.3'])
  for (const id of ['c', 'd', 'e']) add(id)
  assert.deepEqual(add('f'), ['10.1.2.2'])
})

test('the gateway is never given out, wherever it lies', () => {
  const { add } = setUp([
    [{ subnet: '10.1.2.0/24', rangeStart: '10.1.2.10', rangeEnd: '10.1.2.12', gateway: '10.1.2.11' }],
  ])
  assert.deepEqual([add('a'), add('b')], [['10.1.2.10'], ['10.1.2.12']])
  assert.throws(() => add('c'), {
    code: 103,
    message: 'failed to allocate for range 0: no IP addresses available in range set: 10.1.2.10-10.1.2.12',
  })
})

test('an attachment that holds an address of the set is refused a second one', () => {
  const { add } = setUp([[{ subnet: '10.1.2.0/24' }]])
  add('a')
  assert.throws(() => add('a'), {
    code: 102,
    message: 'failed to allocate for range 0: 10.1.2.2 has been allocated to a, duplicate allocation is not allowed',
  })
})

test('so is one that an old version of the reference reserved for', () => {
  const { add } = setUp([[{ subnet: '10.1.2.0/24' }]], { '10.1.2.9': ' a \n' })
  assert.throws(() => add('a'), { code: 102 })
})

test('a request is served by the first set that holds it, the others in turn', () => {
  const { add } = setUp([[{ subnet: '10.1.2.0/24' }], [{ subnet: '10.2.2.0/24' }], [{ subnet: 'fd00::/64' }]])
  assert.deepEqual(add('a', 'fd00::77', '10.2.2.9'), ['10.1.2.2', '10.2.2.9', 'fd00::77'])
})

// what is asked for, the message
const refusedRequests = [
  {
    requests: ['10.1.2.1'],
    message: "failed to allocate for range 0: requested ip 10.1.2.1 is subnet's gateway",
  },
  {
    requests: ['10.1.2.9'],
    message:
      'failed to allocate for range 0: requested IP address 10.1.2.9 is not available in range set 10.1.2.1-10.1.2.254',
  },
  { requests: ['172.16.0.1', 'fd00::1'], message: 'failed to allocate all requested IPs: 172.16.0.1 fd00::1' },
  { requests: ['10.1.2.5', '10.1.2.6'], message: 'failed to allocate all requested IPs: 10.1.2.6' },
]

for (const { requests, message } of refusedRequests) {
  test(`a request for ${requests.join(' and ')} is refused and leaves no reservation`, () => {
    const { add, tree } = setUp([[{ subnet: '10.1.2.0/24' }]], { '10.1.2.9': 'other\r\neth0' })
    assert.throws(() => add('a', ...requests), { code: 102, message })
    assert.deepEqual(
      Object.keys(tree()).filter((name) => /^\d/.test(name)),
      ['10.1.2.9'],
    )
  })
}

test('a failure in a later set gives back what earlier sets gave, and only that', () => {
  const { add, tree } = setUp([[{ subnet: '10.1.2.0/24' }], [{ subnet: '10.2.2.0/30' }]], {
    '10.2.2.2': 'other\r\neth0',
  })
  assert.throws(() => add('a'), { code: 103 })
  assert.throws(() => add('a', '10.1.2.7'), { code: 103 })
  assert.deepEqual(
    Object.keys(tree()).filter((name) => /^\d/.test(name)),
    ['10.2.2.2'],
  )
})

test('the same address asked for twice is one request', () => {
  const { add } = setUp([[{ subnet: '10.1.2.0/24' }]])
  assert.deepEqual(add('a', '10.1.2.60', '10.1.2.60'), ['10.1.2.60'])
})

test('what a dying process left empty is taken when nothing else is left', () => {
  const { add, isFull } = setUp([[{ subnet: '10.1.2.0/30' }]], { '10.1.2.2': '' })
  assert.deepEqual(add('a'), ['10.1.2.2'])
  assert.equal(isFull(), true)
})

test('a set is not exhausted as long as a dying process left one of its addresses empty', () => {
  assert.equal(setUp([[{ subnet: '10.1.2.0/30' }]], { '10.1.2.2': '' }).isFull(), false)
})

test('so is a requested address that a dying process left empty', () => {
  const { add } = setUp([[{ subnet: '10.1.2.0/24' }]], { '10.1.2.9': '' })
  assert.deepEqual(add('a', '10.1.2.9'), ['10.1.2.9'])
})

for (const [family, subnet, first, next] of [
  ['IPv4', '10.0.0.0/16', '10.0.0.2', '10.0.39.18'],
  ['IPv6', 'fd00::/64', 'fd00::2', 'fd00::2712'],
] as const) {
  test(`behind ten thousand taken ${family} addresses in a row the next is found with one look, later with none`, () => {
    const { add, del, calls, tree } = setUp([[{ subnet }]], taken(first, 10_000))
    assert.deepEqual(add('a'), [next])
    del('a')
    const again = () => {
      calls.length = 0
      const [ip] = add('b')
      const made = calls.length
      assert.deepEqual(
        calls.filter((call) => call === `list ${DIRECTORY}`),
        [],
      )
      del('b')
      return [ip, made] as const
    }
    const [ip, made] = again()
    assert.notEqual(ip, next)
    assert.ok(made < 20, `${made} calls`)
    assert.equal(Object.keys(tree()).length, 10_000 + 2)
  })
}

test('from the start of a long run, again and again, the directory is read once', () => {
  const { add, del, calls, tree } = setUp(
    [[{ subnet: '10.0.0.0/16', rangeStart: '10.0.0.2', rangeEnd: '10.0.39.18' }]],
    {
      ...taken('10.0.0.2', 10_000),
    },
  )
  assert.deepEqual(add('a'), ['10.0.39.18'])
  for (const id of ['b', 'c', 'd']) {
    del(tree()['10.0.39.18']!.split('\r\n')[0]!)
    calls.length = 0
    assert.deepEqual(add(id), ['10.0.39.18'])
    assert.equal(calls.includes(`list ${DIRECTORY}`), false)
    assert.ok(calls.length < 30, `${calls.length} calls`)
  }
})

test('from the start of a run of any length, the directory is read once at most', () => {
  for (let length = 1; length < 40; length++) {
    const { add, del, calls, files } = setUp([[{ subnet: '10.0.0.0/24' }]], taken('10.0.0.2', length))
    const looks = ['a', 'b', 'c'].map((id) => {
      files.write(`${DIRECTORY}/last_reserved_ip.0`, '10.0.0.1', 0o600)
      calls.length = 0
      assert.deepEqual(add(id), [`10.0.0.${length + 2}`])
      del(id)
      return calls.filter((call) => call === `list ${DIRECTORY}`).length
    })
    assert.deepEqual(looks.slice(1), [0, 0], `length ${length}`)
  }
})

test('an address released out of a known run is given out when its turn comes, before those behind the run', () => {
  const { add, del, collect } = setUp([[{ subnet: '10.0.0.0/24', rangeEnd: '10.0.0.102' }]], taken('10.0.0.2', 99))
  assert.deepEqual(add('a'), ['10.0.0.101']) // the run is known now
  assert.deepEqual(add('b'), ['10.0.0.102'])
  del('a')
  del('other50')
  assert.deepEqual([add('c'), add('d')], [['10.0.0.52'], ['10.0.0.101']])
  del('d')
  collect('other60')
  assert.deepEqual(add('e'), ['10.0.0.62'])
})

test("a gateway of the other family takes no address, whatever its number's value", () => {
  const { add } = setUp([[{ subnet: '10.1.2.0/29', rangeStart: '10.1.2.3', gateway: '::a01:203' }]])
  assert.deepEqual(add('a'), ['10.1.2.3'])
})

test('whatever is asked, released and reserved by others, the answers are those of the simplest allocator', () => {
  const ranges = [
    [
      { subnet: '10.1.2.0/28', rangeStart: '10.1.2.3' },
      { subnet: '10.1.3.0/29', gateway: '10.1.3.4' },
    ],
    [{ subnet: 'fd00::/123' }],
  ]
  const ids = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h')
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ do: fc.constant('add' as const), id: ids }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('del' as const), id: ids }) },
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constant('request' as const),
        id: ids,
        requests: fc.array(fc.constantFrom('10.1.2.1', '10.1.2.5', '10.1.3.4', '10.1.3.6', 'fd00::9', '192.0.2.1'), {
          maxLength: 3,
        }),
      }),
    },
  )
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 12 }), fc.array(step, { maxLength: 40 }), (others, steps) => {
      const there = { ...taken('10.1.2.4', others), ...taken('fd00::2', 2 * others) }
      const ours = setUp(ranges, there)
      const naive = new Naive(setsOf(ranges), there)
      for (const each of steps) {
        if (each.do === 'del') {
          ours.del(each.id)
          naive.del(each.id)
          continue
        }
        const requests = each.do === 'request' ? each.requests : []
        assert.deepEqual(
          outcome(() => ours.add(each.id, ...requests)),
          outcome(() => naive.add(each.id, requests)),
        )
      }
      const { lock: _, ...rest } = ours.tree()
      assert.deepEqual(rest, naive.tree())
    }),
    { numRuns: 300 },
  )
})

function outcome(call: () => string[]): string[] | 'refused' {
  try {
    return call()
  } catch {
    return 'refused'
  }
}

/** Step by step, with no memory but the files. */
class Naive {
  readonly #sets: readonly RangeSet[]
  readonly #files: Map<string, string>

  constructor(sets: readonly RangeSet[], there: Record<string, string>) {
    this.#sets = sets
    this.#files = new Map(Object.entries(there))
  }

  add(id: string, requests: readonly string[]): string[] {
    const open = [...new Set(requests)]
    const given: string[] = []
    try {
      for (const [index, set] of this.#sets.entries()) {
        const wanted = open.findIndex((text) => rangeOf(set, parseIp(text)))
        const ip = wanted >= 0 ? this.#requested(set, open.splice(wanted, 1)[0]!) : this.#next(set, index, id)
        this.#files.set(ip, `${id}\r\neth0`)
        this.#files.set(`last_reserved_ip.${index}`, ip)
        given.push(ip)
      }
      if (open.length > 0) throw new Error('left over')
    } catch (error) {
      for (const ip of given) this.#files.delete(ip)
      throw error
    }
    return given
  }

  del(id: string): void {
    for (const [name, text] of this.#files) if (text === `${id}\r\neth0`) this.#files.delete(name)
  }

  tree(): Record<string, string> {
    return Object.fromEntries(this.#files)
  }

  #requested(set: RangeSet, ip: string): string {
    const range = rangeOf(set, parseIp(ip))!
    if (formatIp(range.gateway) === ip || this.#files.has(ip)) throw new Error('refused')
    return ip
  }

  #next(set: RangeSet, index: number, id: string): string {
    const all = set.flatMap((range) => {
      const ips: string[] = []
      for (let ip = range.first; ip <= range.last; ip++) ips.push(formatIp(ipFromBigInt(ip, range.family)))
      return ips.map((ip) => ({ ip, isGateway: ip === formatIp(range.gateway) }))
    })
    if (all.some(({ ip }) => this.#files.get(ip) === `${id}\r\neth0`)) throw new Error('duplicate')
    const last = all.findIndex(({ ip }) => ip === this.#files.get(`last_reserved_ip.${index}`))
    for (let i = 1; i <= all.length; i++) {
      const { ip, isGateway } = all[(last + i) % all.length]!
      if (!isGateway && !this.#files.has(ip)) return ip
    }
    throw new Error('exhausted')
  }
}
