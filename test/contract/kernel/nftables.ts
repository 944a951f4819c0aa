/** nftables: what a commit makes, and what is then there. */
import assert from 'node:assert/strict'
import { parseIpv4 } from '../../../src/address/ipv4.ts'
import { isErrno } from '../../../src/kernel/errors.ts'
import {
  joinTypes,
  type NftElement,
  type NftExpression,
  type NftOperation,
  NftType,
} from '../../../src/kernel/nftables.ts'
import { type Case, eventually, refused } from './case.ts'

const table = { family: 'inet', table: 't' } as const
const addTable: NftOperation = { operation: 'add table', table: { family: 'inet', name: 't' } }

const chain = { ...table, name: 'c' } as const
const target = { ...table, name: 'target' } as const
const addresses = { ...table, name: 'addresses', keyType: NftType.ipv4Address, keyLength: 4 } as const
const verdicts = { ...addresses, name: 'verdicts', data: { type: 'verdict' } } as const
const networks = { ...addresses, name: 'networks', interval: true } as const
const services = {
  ...table,
  name: 'services',
  keyType: joinTypes(NftType.ipv4Address, NftType.internetService),
  keyLength: 8,
  interval: true,
} as const

const mark: NftExpression = { type: 'meta', key: 'mark', register: 1 }
const count = (packets: bigint): NftExpression => ({ type: 'counter', packets, bytes: 0n })
const rule = (expressions: readonly NftExpression[], comment?: string) => ({
  ...table,
  chain: 'c',
  expressions,
  ...(comment !== undefined && { comment }),
})
const key = parseIpv4
const add = (set: { readonly name: string }, ...elements: NftElement[]): NftOperation => ({
  operation: 'add elements',
  set: { ...table, name: set.name },
  elements,
})

export const nftablesCases: readonly Case[] = [
  {
    title: 'tables, chains and sets are listed as they were made',
    check({ node }) {
      const base = { type: 'nat', hook: 'postrouting', priority: 100, policy: 'accept' } as const
      const made = {
        table: { family: 'inet', name: 't', comment: 'of the table' },
        chain: { ...chain, base, comment: 'of the chain' },
        set: { ...addresses, comment: 'of the set', size: 100, timeout: 60_000 },
      } as const
      node.nftables.commit([
        { operation: 'add table', table: made.table },
        { operation: 'add chain', chain: made.chain },
        { operation: 'add set', set: made.set },
      ])
      assert.deepEqual(node.nftables.list(), {
        tables: [made.table],
        chains: [made.chain],
        sets: [{ ...made.set, elements: [] }],
        rules: [],
      })
    },
  },
  {
    title: 'a ruleset is of its namespace',
    check({ node, container }) {
      node.nftables.commit([addTable])
      assert.deepEqual(container.nftables.list().tables, [])
    },
  },
  {
    title: 'a base chain without a policy accepts',
    check({ node }) {
      const base = { type: 'filter', hook: 'forward', priority: -5 } as const
      node.nftables.commit([addTable, { operation: 'add chain', chain: { ...chain, base } }])
      assert.deepEqual(node.nftables.list().chains, [{ ...chain, base: { ...base, policy: 'accept' } }])
    },
  },
  {
    title: 'chains can be in families bridge, ip and ip6, and on a link in family netdev',
    check({ node }) {
      node.links.add({ kind: 'bridge', name: 'br0' })
      const chains = [
        { family: 'bridge', base: { type: 'filter', hook: 'prerouting', priority: -200 } },
        { family: 'ip', base: { type: 'route', hook: 'output', priority: -150 } },
        { family: 'ip6', base: { type: 'nat', hook: 'prerouting', priority: -100 } },
        { family: 'netdev', base: { type: 'filter', hook: 'ingress', priority: 0, device: 'br0' } },
      ] as const
      for (const { family, base } of chains) {
        const made = { family, table: 't', name: 'c', base: { ...base, policy: 'accept' } } as const
        node.nftables.commit([
          { operation: 'add table', table: { family, name: 't' } },
          { operation: 'add chain', chain: made },
        ])
        assert.deepEqual(node.nftables.list({ family }).chains, [made])
      }
    },
  },
  {
    title: 'a list is of one family or one table where that is asked for',
    check({ node }) {
      for (const family of ['ip', 'inet'] as const) {
        for (const name of ['a', 'b']) {
          node.nftables.commit([
            { operation: 'add table', table: { family, name } },
            { operation: 'add chain', chain: { family, table: name, name: 'c' } },
            { operation: 'add set', set: { ...addresses, family, table: name } },
            { operation: 'add rule', rule: { family, table: name, chain: 'c', expressions: [count(0n)] } },
          ])
        }
      }
      const rows = [
        [{}, ['ip a', 'ip b', 'inet a', 'inet b']],
        [{ family: 'ip' }, ['ip a', 'ip b']],
        [{ table: 'a' }, ['ip a', 'inet a']],
        [{ family: 'inet', table: 'b' }, ['inet b']],
        [{ family: 'inet', table: 'none' }, []],
      ] as const
      for (const [filter, expected] of rows) {
        const { tables, chains, sets, rules } = node.nftables.list(filter)
        const inTables = [chains, sets, rules].map((things) => things.map(({ family, table }) => `${family} ${table}`))
        for (const seen of [tables.map(({ family, name }) => `${family} ${name}`), ...inTables]) {
          assert.deepEqual(seen.toSorted(), expected.toSorted())
        }
      }
    },
  },
  {
    title: 'adding what is there changes nothing, creating it is EEXIST',
    check({ node }) {
      const element: NftElement = { key: key('10.0.0.1') }
      const operations = (verb: 'add' | 'create'): NftOperation[] => [
        { operation: `${verb} table`, table: addTable.table },
        { operation: `${verb} chain`, chain },
        { operation: `${verb} set`, set: addresses },
        { operation: `${verb} elements`, set: addresses, elements: [element] },
      ]
      node.nftables.commit(operations('create'))
      const before = node.nftables.list()
      node.nftables.commit(operations('add'))
      assert.deepEqual(node.nftables.list(), before)
      for (const operation of operations('create')) refused('EEXIST', () => node.nftables.commit([operation]))
      assert.deepEqual(node.nftables.list(), before)
    },
  },
  {
    title: 'a commit of which one change is refused changes nothing and names that one',
    check({ node }) {
      const operations: NftOperation[] = [
        addTable,
        { operation: 'add chain', chain },
        { operation: 'delete chain', chain: { ...chain, name: 'missing' } },
        { operation: 'delete set', set: addresses },
      ]
      assert.throws(() => node.nftables.commit(operations), {
        name: 'KernelError',
        errno: 'ENOENT',
        message: /^Cannot delete chain "missing" of table inet "t": /,
      })
      assert.deepEqual(node.nftables.list().tables, [])
      node.nftables.commit([])
    },
  },
  {
    title: 'deleting a table deletes what is in it',
    check({ node }) {
      node.nftables.commit([
        addTable,
        { operation: 'add chain', chain: target },
        { operation: 'add chain', chain },
        { operation: 'add set', set: verdicts },
        add(verdicts, { key: key('10.0.0.1'), data: { verdict: 'jump', chain: 'target' } }),
        { operation: 'add rule', rule: rule([{ type: 'verdict', verdict: 'jump', chain: 'target' }]) },
      ])
      node.nftables.commit([{ operation: 'delete table', table: addTable.table }])
      assert.deepEqual(node.nftables.list(), { tables: [], chains: [], sets: [], rules: [] })
      refused('ENOENT', () => node.nftables.commit([{ operation: 'delete table', table: addTable.table }]))
    },
  },
  {
    title: 'a chain or a set that a rule or an element leads to is EBUSY',
    check({ node }) {
      node.nftables.commit([
        addTable,
        { operation: 'add chain', chain },
        { operation: 'add chain', chain: target },
        { operation: 'add set', set: verdicts },
        { operation: 'add rule', rule: rule([mark, { type: 'lookup', set: 'verdicts', source: 1, register: 0 }]) },
        add(verdicts, { key: key('10.0.0.1'), data: { verdict: 'goto', chain: 'target' } }),
      ])
      refused('EBUSY', () => node.nftables.commit([{ operation: 'delete chain', chain: target }]))
      refused('EBUSY', () => node.nftables.commit([{ operation: 'delete set', set: verdicts }]))
      node.nftables.commit([
        { operation: 'flush chain', chain },
        { operation: 'flush set', set: verdicts },
        { operation: 'delete chain', chain: target },
        { operation: 'delete set', set: verdicts },
      ])
      const { chains, sets, rules } = node.nftables.list()
      assert.deepEqual([chains, sets, rules], [[chain], [], []])
    },
  },
  {
    title: 'a rule in no chain, or jumping to none, is ENOENT',
    check({ node }) {
      node.nftables.commit([addTable])
      refused('ENOENT', () => node.nftables.commit([{ operation: 'add rule', rule: rule([]) }]))
      const jump = rule([{ type: 'verdict', verdict: 'jump', chain: 'missing' }])
      refused('ENOENT', () =>
        node.nftables.commit([
          { operation: 'add chain', chain },
          { operation: 'add rule', rule: jump },
        ]),
      )
    },
  },
  {
    title: 'rules stand in the order in which they were added and inserted',
    check({ node }) {
      const put = (operation: 'add rule' | 'insert rule', comment: string, at?: bigint) =>
        node.nftables.commit([{ operation, rule: rule([count(0n)], comment), ...(at !== undefined && { at }) }])
      const handle = (comment: string) => rules().find((it) => it.comment === comment)!.handle!
      const rules = () => node.nftables.rules(chain)

      node.nftables.commit([addTable, { operation: 'add chain', chain }])
      put('add rule', 'third')
      put('add rule', 'last')
      put('insert rule', 'first')
      put('insert rule', 'second', handle('third'))
      put('add rule', 'fourth', handle('third'))
      assert.deepEqual(
        rules().map(({ comment }) => comment),
        ['first', 'second', 'third', 'fourth', 'last'],
      )
      assert.deepEqual(node.nftables.list().rules, rules())

      const deletion = (handle: bigint): NftOperation => ({
        operation: 'delete rule',
        rule: { ...table, chain: 'c', handle },
      })
      const third = handle('third')
      node.nftables.commit([deletion(third), deletion(handle('first'))])
      assert.deepEqual(
        rules().map(({ comment }) => comment),
        ['second', 'fourth', 'last'],
      )
      refused('ENOENT', () => node.nftables.commit([deletion(third)]))
    },
  },
  {
    title: 'one chain is found by its name, and a base chain that is added again without a policy keeps its own',
    check({ node }) {
      const regular = { family: 'ip', table: 't', name: 'regular' } as const
      const hook = { type: 'filter', hook: 'forward', priority: 0 } as const
      const base = { family: 'ip', table: 't', name: 'base', base: hook } as const
      node.nftables.commit([
        { operation: 'add table', table: { family: 'ip', name: 't' } },
        { operation: 'add chain', chain: regular },
        { operation: 'add chain', chain: { ...base, base: { ...hook, policy: 'drop' } } },
      ])
      node.nftables.commit([{ operation: 'add chain', chain: base }])
      assert.deepEqual(node.nftables.chain(regular), regular)
      assert.equal(node.nftables.chain(base)?.base?.policy, 'drop')
      assert.equal(node.nftables.chain({ ...regular, name: 'missing' }), undefined)
      assert.equal(node.nftables.chain({ ...regular, table: 'missing' }), undefined)
    },
  },
  {
    title: 'rules of one chain are its own, and none where there is no such chain',
    check({ node }) {
      node.nftables.commit([
        addTable,
        { operation: 'add chain', chain },
        { operation: 'add chain', chain: target },
        { operation: 'add rule', rule: rule([count(1n)]) },
        { operation: 'add rule', rule: { ...rule([count(2n)]), chain: 'target' } },
      ])
      assert.deepEqual(
        node.nftables.rules(target).map(({ expressions }) => expressions),
        [[count(2n)]],
      )
      assert.deepEqual(node.nftables.rules({ ...chain, name: 'missing' }), [])
      assert.deepEqual(node.nftables.rules({ ...chain, table: 'missing' }), [])
    },
  },
  {
    title: 'a rule comes back with its expressions as they were given',
    check({ node }) {
      const expressions: NftExpression[] = [
        { type: 'meta', key: 'nfproto', register: 1 },
        { type: 'cmp', register: 1, operator: 'eq', value: Uint8Array.of(2) },
        { type: 'payload', base: 'network', offset: 12, length: 4, register: 1 },
        { type: 'bitwise', source: 1, register: 1, mask: key('255.255.0.0'), xor: key('0.0.0.0') },
        { type: 'range', register: 1, operator: 'neq', from: key('10.0.0.0'), to: key('10.0.0.9') },
        { type: 'lookup', set: 'addresses', source: 1, inverted: true },
        { type: 'ct', key: 'state', register: 2 },
        { type: 'limit', rate: 10n, unit: 60n, burst: 5, over: true },
        { type: 'log', prefix: 'seen' },
        { type: 'immediate', register: 1, value: Uint8Array.of(0, 0, 0, 5) },
        { type: 'meta set', key: 'mark', source: 1 },
        count(0n),
        { type: 'verdict', verdict: 'jump', chain: 'target' },
      ]
      node.nftables.commit([
        addTable,
        { operation: 'add set', set: addresses },
        { operation: 'add chain', chain: target },
        { operation: 'add chain', chain },
        { operation: 'add rule', rule: rule(expressions, 'all of it') },
      ])
      const [seen] = node.nftables.rules(chain)
      assert.deepEqual({ ...seen, handle: 0n }, { ...rule(expressions, 'all of it'), handle: 0n })
    },
  },
  {
    title: 'elements come and go, each with its comment',
    check({ node }) {
      const first: NftElement = { key: key('10.0.0.1'), comment: 'one' }
      const second: NftElement = { key: key('10.0.0.2') }
      node.nftables.commit([addTable, { operation: 'add set', set: addresses }, add(addresses, first, second)])
      assert.deepEqual(sorted(node.nftables.elements(addresses)), [first, second])
      assert.deepEqual(sorted(node.nftables.list().sets[0]!.elements), [first, second])

      const deletion: NftOperation = { operation: 'delete elements', set: addresses, elements: [first] }
      node.nftables.commit([deletion])
      assert.deepEqual(node.nftables.elements(addresses), [second])
      refused('ENOENT', () => node.nftables.commit([deletion]))
      node.nftables.commit([{ operation: 'flush set', set: addresses }])
      assert.deepEqual(node.nftables.elements(addresses), [])
    },
  },
  {
    title: 'elements of no set are ENOENT, one element of it is undefined',
    check({ node }) {
      for (const set of [addresses, { ...addresses, table: 'missing' }]) {
        refused('ENOENT', () => node.nftables.elements(set))
        refused('ENOENT', () =>
          node.nftables.commit([{ operation: 'add elements', set, elements: [{ key: key('10.0.0.1') }] }]),
        )
        assert.equal(node.nftables.element(set, key('10.0.0.1')), undefined)
        node.nftables.commit([addTable])
      }
    },
  },
  {
    title: 'one element is found by its key, in a set and in maps',
    check({ node }) {
      const marks = { ...addresses, name: 'marks', data: { type: NftType.mark, length: 4 } } as const
      const plain: NftElement = { key: key('10.0.0.1'), comment: 'pod' }
      const leads: NftElement = { key: key('10.0.0.1'), data: { verdict: 'goto', chain: 'target' }, comment: 'pod' }
      const drops: NftElement = { key: key('10.0.0.2'), data: { verdict: 'drop' } }
      const marked: NftElement = { key: key('10.0.0.1'), data: Uint8Array.of(1, 2, 3, 4) }
      node.nftables.commit([
        addTable,
        { operation: 'add chain', chain: target },
        ...[addresses, verdicts, marks].map((set): NftOperation => ({ operation: 'add set', set })),
        add(addresses, plain),
        add(verdicts, leads, drops),
        add(marks, marked),
      ])
      assert.deepEqual(node.nftables.element(addresses, key('10.0.0.1')), plain)
      assert.deepEqual(node.nftables.element(verdicts, key('10.0.0.1')), leads)
      assert.deepEqual(node.nftables.element(verdicts, key('10.0.0.2')), drops)
      assert.deepEqual(node.nftables.element(marks, key('10.0.0.1')), marked)
      for (const set of [addresses, verdicts, marks]) {
        assert.equal(node.nftables.element(set, key('10.0.0.9')), undefined)
      }
      node.nftables.commit([{ operation: 'delete elements', set: verdicts, elements: [{ key: leads.key }] }])
      assert.deepEqual(node.nftables.elements(verdicts), [drops])
    },
  },
  {
    title: 'a key that leads somewhere already cannot be made to lead elsewhere',
    check({ node }) {
      const to = (verdict: 'accept' | 'drop'): NftElement => ({ key: key('10.0.0.1'), data: { verdict } })
      node.nftables.commit([addTable, { operation: 'add set', set: verdicts }, add(verdicts, to('accept'))])
      node.nftables.commit([add(verdicts, to('accept'))])
      // EBUSY before Linux 6.12
      assert.throws(
        () => node.nftables.commit([add(verdicts, to('drop'))]),
        (error) => isErrno(error, 'EEXIST', 'EBUSY'),
      )
    },
  },
  {
    title: 'ranges are listed in order, and found by any key in them',
    check({ node }) {
      const first: NftElement = { key: key('10.0.0.0'), keyEnd: key('10.0.1.0'), comment: 'net' }
      const second: NftElement = { key: key('10.0.1.0'), keyEnd: key('10.0.1.8') }
      const open: NftElement = { key: key('224.0.0.0') }
      node.nftables.commit([addTable, { operation: 'add set', set: networks }, add(networks, open, second, first)])
      assert.deepEqual(node.nftables.elements(networks), [first, second, open])
      const rows = [
        ['10.0.0.0', first],
        ['10.0.0.255', first],
        ['10.0.1.7', second],
        ['10.0.1.8', undefined],
        ['9.255.255.255', undefined],
        ['255.255.255.255', open],
      ] as const
      for (const [address, expected] of rows) {
        assert.deepEqual(node.nftables.element(networks, key(address)), expected, address)
      }
      node.nftables.commit([{ operation: 'delete elements', set: networks, elements: [first] }])
      assert.deepEqual(node.nftables.elements(networks), [second, open])
    },
  },
  {
    title: 'a range that overlaps another is EEXIST',
    check({ node }) {
      const range = (from: string, to: string): NftElement => ({ key: key(from), keyEnd: key(to) })
      node.nftables.commit([
        addTable,
        { operation: 'add set', set: networks },
        add(networks, range('10.0.0.0', '10.0.1.0')),
      ])
      refused('EEXIST', () => node.nftables.commit([add(networks, range('10.0.0.128', '10.0.2.0'))]))
    },
  },
  {
    title: 'a concatenation has a range in each of its parts',
    check({ node }) {
      const endpoint = (address: string, port: number) => Uint8Array.of(...key(address), port >> 8, port & 0xff, 0, 0)
      const range: NftElement = { key: endpoint('10.0.0.0', 80), keyEnd: endpoint('10.0.0.255', 90) }
      const one: NftElement = { key: endpoint('10.9.0.1', 53) }
      node.nftables.commit([addTable, { operation: 'add set', set: services }, add(services, range, one)])
      assert.deepEqual(sorted(node.nftables.elements(services)), [range, one])
      assert.deepEqual(node.nftables.element(services, endpoint('10.0.0.77', 85)), range)
      assert.deepEqual(node.nftables.element(services, endpoint('10.9.0.1', 53)), one)
      assert.equal(node.nftables.element(services, endpoint('10.0.0.77', 91)), undefined)
      node.nftables.commit([{ operation: 'delete elements', set: services, elements: [range] }])
      assert.deepEqual(node.nftables.elements(services), [one])
    },
  },
  {
    title: 'the element with an empty key is for all the keys that no other has',
    check({ node }) {
      const rest: NftElement = { key: new Uint8Array(), data: { verdict: 'drop' } }
      const one: NftElement = { key: key('10.0.0.1'), data: { verdict: 'accept' } }
      node.nftables.commit([addTable, { operation: 'add set', set: verdicts }, add(verdicts, rest, one)])
      assert.deepEqual(sorted(node.nftables.elements(verdicts)), [rest, one])
    },
  },
  {
    title: 'an element is gone when its time is over',
    async check({ node }) {
      const set = { ...addresses, timeout: 0 }
      const brief: NftElement = { key: key('10.0.0.1'), timeout: 2000 }
      const stays: NftElement = { key: key('10.0.0.2') }
      node.nftables.commit([addTable, { operation: 'add set', set }, add(set, brief, stays)])
      assert.equal(node.nftables.elements(set).length, 2)
      await eventually(() => node.nftables.elements(set).length === 1, 'the element is gone')
      assert.deepEqual(node.nftables.elements(set), [stays])
    },
  },
]

function sorted(elements: readonly NftElement[]): NftElement[] {
  return elements.toSorted((a, b) => Buffer.compare(a.key, b.key))
}
