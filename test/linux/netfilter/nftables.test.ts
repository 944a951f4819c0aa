/** nft beside us: it shows what we made, we list what it made and make that again so that it sees no difference. */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { afterEach, describe, test } from 'vitest'
import { parseIpv4 } from '../../../src/address/ipv4.ts'
import { isErrno } from '../../../src/kernel/errors.ts'
import { joinTypes, type NftElement, type NftOperation, NftType } from '../../../src/kernel/nftables.ts'
import { linux } from '../../../src/linux/linux.ts'
import { LinuxNftables } from '../../../src/linux/netfilter/nftables.ts'
import { NETLINK_NETFILTER, NetlinkSocket, openNetlink } from '../../../src/linux/netlink/socket.ts'
import { eventually } from '../../contract/kernel/case.ts'

const { nftables } = linux
/** Milliseconds. */
const PATIENCE = 30_000
const fixture = (name: string) => join(import.meta.dirname, '../../fixtures/nftables', name)
const nft = (...args: string[]) => execFileSync('nft', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })

const table = { family: 'inet', table: 't' } as const
const addTable: NftOperation = { operation: 'add table', table: { family: 'inet', name: 't' } }
const addresses = { ...table, name: 'addresses', keyType: NftType.ipv4Address, keyLength: 4 } as const

afterEach(() => void nft('flush', 'ruleset'))

describe('what nft made', () => {
  test('is listed and made again so that nft sees no difference', () => {
    nft('-f', fixture('again.nft'))
    const before = ruleset()
    const { tables, chains, sets, rules } = nftables.list()
    nftables.commit([
      ...tables.map((table) => ({ operation: 'delete table', table }) as const),
      ...tables.map((table) => ({ operation: 'create table', table }) as const),
      ...chains.map((chain) => ({ operation: 'create chain', chain }) as const),
      ...sets.map((set) => ({ operation: 'create set', set }) as const),
      ...sets.map((set) => ({ operation: 'create elements', set, elements: set.elements }) as const),
      ...rules.map((rule) => ({ operation: 'add rule', rule }) as const),
    ])
    assert.ok(before.split('\n').length > 150, 'the fixture is there')
    assert.equal(ruleset(), before)
  })

  test('and we do not know is listed, and the rest whole', () => {
    nft('-f', fixture('beyond.nft'))
    const { sets, rules } = nftables.list({ family: 'inet', table: 'beyond' })
    assert.deepEqual(
      sets.map(({ name, elements }) => [name, elements.length]),
      [
        ['counted', 1],
        ['described', 1],
        ['objects', 1],
        ['__set0', 3],
        ['__map0', 2],
      ],
    )
    const others = rules.flatMap(({ expressions }) => expressions.filter(({ type }) => type === 'other'))
    assert.deepEqual(
      others.map((other) => 'name' in other && other.name),
      ['objref', 'exthdr', 'numgen'],
    )
    assert.deepEqual(rules.at(-1)?.expressions, [{ type: 'verdict', verdict: 'accept' }])
  })

  test('in its order of elements is one of ranges with us', () => {
    nft('add table inet t; add set inet t s { type inet_service; flags interval; }')
    nft('add element inet t s { 443, 0-79, 1024-65535, 80-90 }')
    assert.deepEqual(nftables.elements({ ...table, name: 's' }), [
      { key: port(0), keyEnd: port(80) },
      { key: port(80), keyEnd: port(91) },
      { key: port(443), keyEnd: port(444) },
      { key: port(1024) },
    ])
  })
})

describe('nft shows', () => {
  test('our comments, on everything that can have one', () => {
    nftables.commit([
      { operation: 'add table', table: { family: 'inet', name: 't', comment: 'of the table' } },
      { operation: 'add chain', chain: { ...table, name: 'c', comment: 'of the chain, ünïcode' } },
      { operation: 'add set', set: { ...addresses, comment: 'of the set' } },
      {
        operation: 'add elements',
        set: addresses,
        elements: [{ key: parseIpv4('10.0.0.1'), comment: 'of the element' }],
      },
      {
        operation: 'add rule',
        rule: { ...table, chain: 'c', expressions: [{ type: 'counter' }], comment: 'of the rule' },
      },
    ])
    const listing = nft('list', 'ruleset')
    for (const thing of ['table', 'chain, ünïcode', 'set', 'element', 'rule']) {
      assert.ok(listing.includes(`comment "of the ${thing}"`), listing)
    }
  })

  test('keys as what they are: types, byte order, concatenations, ranges', () => {
    const service = joinTypes(NftType.ipv6Address, NftType.internetProtocol, NftType.internetService)
    const set = (name: string, keyType: number, keyLength: number, interval = false): NftOperation => ({
      operation: 'add set',
      set: { ...table, name, keyType, keyLength, ...(interval && { interval }) },
    })
    const add = (name: string, ...elements: NftElement[]): NftOperation => ({
      operation: 'add elements',
      set: { ...table, name },
      elements,
    })
    nftables.commit([
      addTable,
      set('marks', NftType.mark, 4),
      add('marks', { key: new Uint8Array(Uint32Array.of(0x2000).buffer) }),
      set('names', NftType.interfaceName, 16),
      add('names', { key: new Uint8Array(Buffer.from('eth0'.padEnd(16, '\0'))) }),
      set('services', service, 24, true),
      add('services', { key: endpoint(0, 6, 80), keyEnd: endpoint(0xff, 6, 90) }, { key: endpoint(1, 17, 53) }),
      set('ports', joinTypes(NftType.interfaceName, NftType.internetService), 20, true),
      add('ports', { key: interfacePort('eth0', 80), keyEnd: interfacePort('eth0', 90) }),
      set('ranges', NftType.ipv4Address, 4, true),
      add('ranges', { key: parseIpv4('10.0.0.0'), keyEnd: parseIpv4('10.0.1.0') }, { key: parseIpv4('255.0.0.0') }),
    ])
    const shown = (name: string) => jsonOf('set', 'inet', 't', name).elem
    assert.deepEqual(shown('marks'), [0x2000])
    assert.deepEqual(shown('names'), ['eth0'])
    assert.deepEqual(shown('services'), [
      { concat: [{ prefix: { addr: '2001:db8::', len: 120 } }, 'tcp', { range: [80, 90] }] },
      { concat: ['2001:db8::1', 'udp', 53] },
    ])
    assert.deepEqual(shown('ports'), [{ concat: ['eth0', { range: [80, 90] }] }])
    assert.deepEqual(shown('ranges'), [
      { prefix: { addr: '10.0.0.0', len: 24 } },
      { prefix: { addr: '255.0.0.0', len: 8 } },
    ])
  })

  test('maps to verdicts and to values, and chains of family bridge', () => {
    const endpoints = joinTypes(NftType.ipv4Address, NftType.internetService)
    nftables.commit([
      addTable,
      { operation: 'add chain', chain: { ...table, name: 'target' } },
      {
        operation: 'add set',
        set: { ...table, name: 'verdicts', keyType: NftType.ipv4Address, keyLength: 4, data: { type: 'verdict' } },
      },
      {
        operation: 'add elements',
        set: { ...table, name: 'verdicts' },
        elements: [{ key: parseIpv4('10.0.0.1'), data: { verdict: 'goto', chain: 'target' } }],
      },
      {
        operation: 'add set',
        set: {
          ...table,
          name: 'targets',
          keyType: NftType.internetService,
          keyLength: 2,
          data: { type: endpoints, length: 8 },
        },
      },
      {
        operation: 'add elements',
        set: { ...table, name: 'targets' },
        elements: [{ key: port(80), data: Uint8Array.of(10, 0, 0, 5, 31, 144, 0, 0) }],
      },
      { operation: 'add table', table: { family: 'bridge', name: 'b' } },
      {
        operation: 'add chain',
        chain: {
          family: 'bridge',
          table: 'b',
          name: 'pre',
          base: { type: 'filter', hook: 'prerouting', priority: -200, policy: 'drop' },
        },
      },
    ])
    assert.deepEqual(jsonOf('map', 'inet', 't', 'verdicts').elem, [['10.0.0.1', { goto: { target: 'target' } }]])
    assert.deepEqual(jsonOf('map', 'inet', 't', 'targets').elem, [[80, { concat: ['10.0.0.5', 8080] }]])
    const { prio, policy } = jsonOf('chain', 'bridge', 'b', 'pre')
    assert.deepEqual([prio, policy], [-200, 'drop'])
  })
})

describe('a list while another commits', () => {
  const chain = { ...table, name: 'both' }
  const set = { ...addresses, name: 'both' }
  const add: NftOperation[] = [
    { operation: 'add chain', chain },
    { operation: 'add set', set },
    { operation: 'add elements', set, elements: [{ key: parseIpv4('10.0.0.1') }] },
  ]
  const remove: NftOperation[] = [
    { operation: 'delete chain', chain },
    { operation: 'delete set', set },
  ]

  /** Calls back behind each part that is listed. */
  class Interrupted extends NetlinkSocket {
    onPart = () => {}

    override dump<T>(...given: Parameters<typeof NetlinkSocket.prototype.dump<T>>): T[] {
      const list = super.dump<T>(...given)
      this.onPart()
      return list
    }
  }

  const interrupted = (onPart: () => void) => {
    const socket = new Interrupted(openNetlink(NETLINK_NETFILTER))
    socket.onPart = onPart
    try {
      return new LinuxNftables(() => socket).list(table)
    } finally {
      socket.close()
    }
  }

  for (const [title, before, change] of [
    ['what it lists', remove, add],
    ['it away', add, remove],
  ] as const) {
    test(`that makes ${title} is of one moment, wherever it comes between`, () => {
      for (let at = 1, parts = at; at <= parts; at++) {
        nftables.commit([addTable, ...add, ...(before === remove ? remove : [])])
        parts = 0
        const { chains, sets } = interrupted(() => {
          if (++parts === at) nftables.commit(change)
        })
        assert.deepEqual([sets.length, sets[0]?.elements.length ?? 0], [chains.length, chains.length], `part ${at}`)
        nft('flush', 'ruleset')
      }
    })
  }

  test('at each of its parts ends with EINTR', () => {
    nftables.commit([addTable])
    let here = false
    const onPart = () => {
      nftables.commit(here ? remove : add)
      here = !here
    }
    assert.throws(() => interrupted(onPart), { name: 'KernelError', errno: 'EINTR' })
  })
})

test('a list is of one moment, however busy others are', async () => {
  nftables.commit([addTable])
  const root = join(import.meta.dirname, '../../..')
  const script = `
    import { linux } from ${JSON.stringify(join(root, 'src/linux/linux.ts'))}
    const table = { family: 'inet', table: 't' }
    const chain = { ...table, name: 'both' }
    const set = { ...table, name: 'both', keyType: 7, keyLength: 4 }
    for (;;) {
      linux.nftables.commit([{ operation: 'add chain', chain }, { operation: 'add set', set },
        { operation: 'add elements', set, elements: [{ key: Uint8Array.of(1, 2, 3, 4) }] }])
      linux.nftables.commit([{ operation: 'delete chain', chain }, { operation: 'delete set', set }])
    }`
  const busy = spawn(process.execPath, ['--input-type=module', '-e', script], { cwd: root, stdio: 'ignore' })
  try {
    await eventually(() => nftables.list().chains.length > 0, 'they have begun')
    const seen = new Set<boolean>()
    const end = performance.now() + PATIENCE
    for (let i = 0; i < 3000 || (seen.size < 2 && performance.now() < end); i++) {
      const { chains, sets } = nftables.list({ family: 'inet', table: 't' })
      assert.deepEqual([sets.length, sets[0]?.elements.length ?? 0], [chains.length, chains.length])
      seen.add(chains.length === 1)
    }
    assert.equal(seen.size, 2, 'it was seen with and without')
  } finally {
    busy.kill('SIGKILL')
    await once(busy, 'exit')
  }
})

describe('a commit', () => {
  const many: NftElement[] = Array.from({ length: 20_000 }, (_, i) => ({
    key: Uint8Array.of(10, 5, i >> 8, i & 0xff),
    comment: `container ${i}`,
  }))

  test('of 20,000 elements is one', () => {
    nftables.commit([
      addTable,
      { operation: 'add set', set: addresses },
      { operation: 'add elements', set: addresses, elements: many },
    ])
    assert.equal(nftables.elements(addresses).length, many.length)
    nftables.commit([{ operation: 'delete elements', set: addresses, elements: many }])
    assert.deepEqual(nftables.elements(addresses), [])
  })

  test('of 3,000 changes that are all refused names the first', () => {
    const operations = Array.from(
      { length: 3000 },
      (_, i): NftOperation => ({
        operation: 'delete chain',
        chain: { ...table, name: `c${i}` },
      }),
    )
    assert.throws(() => nftables.commit([addTable, ...operations]), {
      name: 'KernelError',
      errno: 'ENOENT',
      message: 'Cannot delete chain "c0" of table inet "t": ENOENT',
    })
    assert.deepEqual(nftables.list().tables, [])
  })

  test('that makes a loop of jumps below a base chain is refused', () => {
    const jump = (from: string, to: string): NftOperation => ({
      operation: 'add rule',
      rule: { ...table, chain: from, expressions: [{ type: 'verdict', verdict: 'jump', chain: to }] },
    })
    const add = (name: string): NftOperation => ({ operation: 'add chain', chain: { ...table, name } })
    const base = { type: 'filter', hook: 'forward', priority: 0 } as const
    const addBase: NftOperation = { operation: 'add chain', chain: { ...table, name: 'base', base } }
    assert.throws(
      () => nftables.commit([addTable, addBase, add('a'), add('b'), jump('base', 'a'), jump('a', 'b'), jump('b', 'a')]),
      (error) => isErrno(error, 'ELOOP', 'EMLINK'),
    )
  })

  test('that cannot be written says so before it asks the kernel', () => {
    const hook = { type: 'filter', hook: 'egress', priority: 0 } as const
    assert.throws(() => nftables.commit([{ operation: 'add chain', chain: { ...table, name: 'c', base: hook } }]), {
      name: 'RangeError',
      message: 'Cannot hook a chain of family inet to "egress": it has none',
    })
    assert.throws(
      () => nftables.commit([{ operation: 'add table', table: { ...addTable.table, comment: 'x'.repeat(200) } }]),
      RangeError,
    )
    const uneven = { ...addresses, keyType: joinTypes(7, 13), keyLength: 6, interval: true }
    assert.throws(() => nftables.commit([addTable, { operation: 'add set', set: uneven }]), RangeError)
  })
})

function port(number: number): Uint8Array {
  return Uint8Array.of(number >> 8, number & 0xff)
}

function interfacePort(name: string, number: number): Uint8Array {
  const key = new Uint8Array(20)
  key.set(Buffer.from(name))
  key.set(port(number), 16)
  return key
}

/** A key of address, protocol and port, each padded to 4 bytes. */
function endpoint(last: number, protocol: number, number: number): Uint8Array {
  const key = new Uint8Array(24)
  key.set([0x20, 0x01, 0x0d, 0xb8])
  key[15] = last
  key[16] = protocol
  key.set(port(number), 20)
  return key
}

/** nft's listing, without what changes by itself. */
function ruleset(): string {
  return nft('list', 'ruleset').replace(/ expires \w+/g, '')
}

function jsonOf(kind: string, family: string, tableName: string, name: string) {
  const listing = JSON.parse(nft('-j', 'list', kind, family, tableName, name)) as {
    nftables: Record<string, { elem: unknown; prio: number; policy: string }>[]
  }
  return listing.nftables.find((row) => kind in row)![kind]!
}
