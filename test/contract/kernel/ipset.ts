/** IP sets: what they keep, and what rules find in them. */
import assert from 'node:assert/strict'
import type { LiveKernel } from '../../../src/kernel/live.ts'
import { IpProtocol } from '../../../src/wire/ipv4.ts'
import { type Case, eventually, refused } from './case.ts'

const TCP_80 = { protocol: IpProtocol.tcp, port: 80 }

function entriesOf({ ipsets }: LiveKernel, name: string) {
  return (
    ipsets
      .get(name)
      ?.entries.map(({ first, port, second }) =>
        [first && `${first.address}/${first.prefixLength ?? ''}`, port?.port, second?.address].join(' ').trim(),
      )
      .sort() ?? []
  )
}

export const ipSetCases: readonly Case[] = [
  {
    title: 'a set is told with what it was made with, and what the kernel chose',
    check({ node: { ipsets } }) {
      ipsets.add({
        name: 'a',
        type: 'hash:ip',
        hashSize: 100,
        netmask: 24,
        timeout: 50,
        counters: true,
        comments: true,
      })
      const { initialValue, memorySize: _, ...set } = ipsets.get('a')!
      assert.equal(typeof initialValue, 'number')
      assert.deepEqual(set, {
        name: 'a',
        type: 'hash:ip',
        family: 'ipv4',
        hashSize: 128,
        maxElements: 65536,
        bucketSize: 12,
        netmask: 24,
        timeout: 50,
        counters: true,
        comments: true,
        revision: set.revision,
        references: 0,
        size: 0,
        entries: [],
      })
      assert.equal(ipsets.get('b'), undefined)
      refused('EEXIST', () => ipsets.add({ name: 'a', type: 'hash:net' }))
      ipsets.add(
        { name: 'a', type: 'hash:ip', netmask: 24, timeout: 50, counters: true, comments: true },
        { exist: true },
      )
      refused('EEXIST', () => ipsets.add({ name: 'a', type: 'hash:ip' }, { exist: true }))
    },
  },
  {
    title: 'an entry of a set can be a range, and is kept as single ones',
    check({ node }) {
      const { ipsets } = node
      ipsets.add({ name: 'a', type: 'hash:ip,port' })
      const entry = { first: { address: '10.0.0.1', to: '10.0.0.2' }, port: { ...TCP_80, to: 81 } }
      ipsets.addEntry('a', entry)
      assert.deepEqual(entriesOf(node, 'a'), ['10.0.0.1/ 80', '10.0.0.1/ 81', '10.0.0.2/ 80', '10.0.0.2/ 81'])
      refused('IPSET_ERR_EXIST', () => ipsets.addEntry('a', entry))
      ipsets.addEntry('a', entry, { exist: true })
      ipsets.deleteEntry('a', { first: { address: '10.0.0.0', prefixLength: 24 }, port: TCP_80 }, { exist: true })
      assert.deepEqual(entriesOf(node, 'a'), ['10.0.0.1/ 81', '10.0.0.2/ 81'])
      refused('IPSET_ERR_EXIST', () => ipsets.deleteEntry('a', { first: { address: '10.0.0.1' }, port: TCP_80 }))
      refused('ENOENT', () => ipsets.addEntry('b', entry))
      refused('IPSET_ERR_PROTOCOL', () => ipsets.addEntry('a', { first: { address: 'fd00::1' }, port: TCP_80 }))
      refused('IPSET_ERR_MISSING_PROTO', () =>
        ipsets.addEntry('a', { first: { address: '10.0.0.1' }, port: { port: 1 } }),
      )
    },
  },
  {
    title: 'the smallest network of a set that an address is in decides',
    check({ node }) {
      const { ipsets } = node
      ipsets.add({ name: 'a', type: 'hash:net' })
      ipsets.addEntry('a', { first: { address: '10.0.0.0', prefixLength: 8 } })
      ipsets.addEntry('a', { first: { address: '10.1.0.0', prefixLength: 16 }, noMatch: true })
      const isIn = (address: string) => ipsets.hasEntry('a', { first: { address } })
      assert.deepEqual([isIn('10.9.0.1'), isIn('10.1.0.1'), isIn('11.0.0.1')], [true, false, false])
      assert.equal(ipsets.hasEntry('a', { first: { address: '10.1.0.1' }, noMatch: true }), true)
      refused('IPSET_ERR_INVALID_CIDR', () => ipsets.addEntry('a', { first: { address: '10.0.0.0', prefixLength: 0 } }))
    },
  },
  {
    title: 'what a set was not made for is refused',
    check({ node: { ipsets } }) {
      ipsets.add({ name: 'a', type: 'hash:ip', maxElements: 1 })
      const first = { address: '10.0.0.1' }
      refused('IPSET_ERR_TIMEOUT', () => ipsets.addEntry('a', { first, timeout: 5 }))
      refused('IPSET_ERR_COUNTER', () => ipsets.addEntry('a', { first, packets: 5n }))
      refused('IPSET_ERR_COMMENT', () => ipsets.addEntry('a', { first, comment: 'c' }))
      ipsets.addEntry('a', { first })
      refused('IPSET_ERR_HASH_FULL', () => ipsets.addEntry('a', { first: { address: '10.0.0.2' } }))
      ipsets.add({ name: 'b', type: 'bitmap:port', ports: { from: 80, to: 90 } })
      refused('IPSET_ERR_BITMAP_RANGE', () => ipsets.addEntry('b', { port: { port: 91 } }))
    },
  },
  {
    title: 'sets of one type change places, and names',
    check({ node }) {
      const { ipsets } = node
      for (const name of ['a', 'b']) ipsets.add({ name, type: 'hash:ip' })
      ipsets.add({ name: 'c', type: 'hash:net' })
      ipsets.addEntry('a', { first: { address: '10.0.0.1' } })
      ipsets.swap('a', 'b')
      assert.deepEqual([entriesOf(node, 'a'), entriesOf(node, 'b')], [[], ['10.0.0.1/']])
      refused('IPSET_ERR_TYPE_MISMATCH', () => ipsets.swap('a', 'c'))
      refused('IPSET_ERR_EXIST_SETNAME2', () => ipsets.swap('a', 'x'))
      refused('ENOENT', () => ipsets.swap('x', 'a'))
      refused('IPSET_ERR_EXIST_SETNAME2', () => ipsets.rename('a', 'b'))
      ipsets.rename('a', 'x')
      ipsets.flush('b')
      assert.deepEqual(entriesOf(node, 'b'), [])
      ipsets.delete('b')
      refused('ENOENT', () => ipsets.delete('b'))
      assert.deepEqual(
        ipsets.list().map(({ name }) => name),
        ['x', 'c'],
      )
      ipsets.delete()
      assert.deepEqual(ipsets.list(), [])
    },
  },
  {
    title: 'an entry of a set ends when its time has come',
    async check({ node }) {
      const { ipsets } = node
      ipsets.add({ name: 'a', type: 'hash:ip', timeout: 0 })
      ipsets.addEntry('a', { first: { address: '10.0.0.1' }, timeout: 1 })
      ipsets.addEntry('a', { first: { address: '10.0.0.2' } })
      assert.deepEqual(
        ipsets
          .get('a')!
          .entries.map(({ timeout }) => timeout)
          .sort(),
        [0, 1],
      )
      await eventually(() => !ipsets.hasEntry('a', { first: { address: '10.0.0.1' } }), 'the entry has ended')
      assert.deepEqual(entriesOf(node, 'a'), ['10.0.0.2/'])
    },
  },
  {
    title: 'a rule holds the set that it looks into, and counts what it finds there',
    async check({ node, container }) {
      node.links.add({ kind: 'veth', name: 'l0', up: true, peer: { name: 'l0', namespace: container } })
      container.links.set('l0', { up: true })
      node.addresses.add({ link: 'l0', prefix: '10.1.0.1/24' })
      container.addresses.add({ link: 'l0', prefix: '10.1.0.2/24' })
      node.ipsets.add({ name: 'peers', type: 'hash:net', counters: true })
      node.ipsets.addEntry('peers', { first: { address: '10.1.0.0', prefixLength: 24 } })
      const set = { name: 'peers', sides: ['dst'] } as const
      const table = { family: 'ip', table: 't' } as const
      const rule = (name: string) => ({
        operation: 'add rule' as const,
        rule: {
          ...table,
          chain: 'f',
          expressions: [{ type: 'xt match', match: 'set', set: { ...set, name }, invert: false } as const],
        },
      })
      node.nftables.commit([
        { operation: 'add table', table: { family: 'ip', name: 't' } },
        {
          operation: 'add chain',
          chain: { ...table, name: 'f', base: { type: 'filter', hook: 'output', priority: 0 } },
        },
        rule('peers'),
      ])
      refused('ENOENT', () => node.nftables.commit([rule('nobody')]))
      await node.ping('10.1.0.2', { timeout: 30_000 })
      const { references, entries } = node.ipsets.get('peers')!
      assert.deepEqual([references, entries[0]?.packets, entries[0]?.bytes], [1, 1n, 84n])
      assert.deepEqual(node.nftables.rules({ ...table, name: 'f' })[0]?.expressions, rule('peers').rule.expressions)
      refused('IPSET_ERR_BUSY', () => node.ipsets.delete('peers'))
      refused('IPSET_ERR_REFERENCED', () => node.ipsets.rename('peers', 'others'))
    },
  },
]
