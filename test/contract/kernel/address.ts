/** Addresses of links. */
import assert from 'node:assert/strict'
import type { NewAddress } from '../../../src/kernel/address.ts'
import type { Kernel } from '../../../src/kernel/kernel.ts'
import { addCarrier, type Case, eventually, has, refused } from './case.ts'

/** What is added to `l0`, and what is then listed of it. */
const rows: readonly { readonly what: string; readonly add: Omit<NewAddress, 'link'>; readonly seen: object }[] = [
  {
    what: 'an IPv4 address, with the broadcast address of its subnet',
    add: { prefix: '10.1.2.3/24' },
    seen: { scope: 'global', broadcast: '10.1.2.255', peer: undefined, label: 'l0', secondary: false },
  },
  {
    what: 'a /30, the longest prefix with a broadcast address',
    add: { prefix: '10.1.2.1/30' },
    seen: { broadcast: '10.1.2.3' },
  },
  { what: 'a /31, which has no broadcast address', add: { prefix: '10.1.2.2/31' }, seen: { broadcast: undefined } },
  { what: 'a /32', add: { prefix: '10.1.2.2/32' }, seen: { broadcast: undefined } },
  {
    what: 'another broadcast address',
    add: { prefix: '10.1.2.3/24', broadcast: '10.1.2.0' },
    seen: { broadcast: '10.1.2.0' },
  },
  { what: 'a label', add: { prefix: '10.1.2.3/24', label: 'l0:web' }, seen: { label: 'l0:web' } },
  { what: 'scope link', add: { prefix: '10.1.2.3/24', scope: 'link' }, seen: { scope: 'link' } },
  { what: 'scope host', add: { prefix: '10.1.2.3/24', scope: 'host' }, seen: { scope: 'host' } },
  { what: 'scope site', add: { prefix: '10.1.2.3/24', scope: 'site' }, seen: { scope: 'site' } },
  { what: 'a scope without a name', add: { prefix: '10.1.2.3/24', scope: 100 }, seen: { scope: 100 } },
  {
    what: 'a peer',
    add: { prefix: '10.1.2.3/32', peer: '10.9.9.9' },
    seen: { peer: '10.9.9.9', broadcast: undefined },
  },
  {
    what: 'an IPv6 address without duplicate address detection',
    add: { prefix: 'fd00::1/64', noDad: true },
    seen: {
      scope: 'global',
      tentative: false,
      dadFailed: false,
      permanent: true,
      broadcast: undefined,
      label: undefined,
    },
  },
  { what: 'a /128', add: { prefix: 'fd00::1/128', noDad: true }, seen: { tentative: false } },
  { what: 'an IPv6 peer', add: { prefix: 'fd00::1/128', peer: 'fd00::2', noDad: true }, seen: { peer: 'fd00::2' } },
]

const destinations = (kernel: Kernel) =>
  kernel.routes.list({ table: 254, link: 'l0' }).map(({ destination }) => destination)

export const addressCases: readonly Case[] = [
  ...rows.map(({ what, add, seen }) => ({
    title: `an address is added, listed and deleted: ${what}`,
    check({ node }: Parameters<Case['check']>[0]) {
      addCarrier(node)
      const address = { link: 'l0', ...add }
      const find = () => node.addresses.list('l0').find(({ prefix }) => prefix === add.prefix)
      node.addresses.add(address)
      has(find(), { prefix: add.prefix, link: 'l0', permanent: true, ...seen })
      has(
        node.addresses.list().find(({ prefix }) => prefix === add.prefix),
        { link: 'l0' },
      )
      refused('EEXIST', () => node.addresses.add(address))
      node.addresses.delete({ link: 'l0', prefix: add.prefix })
      assert.equal(find(), undefined)
      refused('EADDRNOTAVAIL', () => node.addresses.delete({ link: 'l0', prefix: add.prefix }))
    },
  })),
  {
    title: 'an address of a link that is not there is ENODEV',
    check({ node }) {
      refused('ENODEV', () => node.addresses.list('nothing'))
      refused('ENODEV', () => node.addresses.add({ link: 'nothing', prefix: '10.0.0.1/24' }))
      refused('ENODEV', () => node.addresses.replace({ link: 'nothing', prefix: '10.0.0.1/24' }))
      refused('ENODEV', () => node.addresses.delete({ link: 'nothing', prefix: '10.0.0.1/24' }))
    },
  },
  {
    title: 'list of a link lists its addresses alone',
    check({ node }) {
      node.links.add({ kind: 'bridge', name: 'b0' })
      node.links.add({ kind: 'bridge', name: 'b1' })
      node.addresses.add({ link: 'b0', prefix: '10.0.0.1/24' })
      node.addresses.add({ link: 'b1', prefix: '10.0.1.1/24' })
      assert.deepEqual(
        node.addresses.list('b1').map(({ prefix }) => prefix),
        ['10.0.1.1/24'],
      )
    },
  },
  {
    title: 'one address may be there with two prefix lengths, and each is deleted by its own',
    check({ node }) {
      addCarrier(node)
      node.addresses.add({ link: 'l0', prefix: '10.0.0.1/24' })
      refused('EADDRNOTAVAIL', () => node.addresses.delete({ link: 'l0', prefix: '10.0.0.1/16' }))
      node.addresses.add({ link: 'l0', prefix: '10.0.0.1/16' })
      node.addresses.delete({ link: 'l0', prefix: '10.0.0.1/24' })
      const left = node.addresses.list('l0').filter(({ prefix }) => prefix.startsWith('10.'))
      assert.deepEqual(
        left.map(({ prefix }) => prefix),
        ['10.0.0.1/16'],
      )
    },
  },
  {
    title: 'a second IPv4 address of the same subnet is secondary',
    check({ node }) {
      addCarrier(node)
      node.addresses.add({ link: 'l0', prefix: '10.0.0.1/24' })
      node.addresses.add({ link: 'l0', prefix: '10.0.0.2/24' })
      node.addresses.add({ link: 'l0', prefix: '10.0.1.1/24' })
      const secondary = node.addresses.list('l0').filter((address) => address.secondary)
      assert.deepEqual(
        secondary.map(({ prefix }) => prefix),
        ['10.0.0.2/24'],
      )
    },
  },
  {
    title: 'an address brings the route to its subnet, while the link is up',
    check({ node }) {
      addCarrier(node)
      node.addresses.add({ link: 'l0', prefix: '10.0.0.1/24' })
      node.addresses.add({ link: 'l0', prefix: 'fd00::1/64', noDad: true })
      const [route] = node.routes.list({ family: 'ipv4', table: 254 })
      has(route, { destination: '10.0.0.0/24', link: 'l0', source: '10.0.0.1', scope: 'link', protocol: 2 })
      assert.ok(destinations(node).includes('fd00::/64'))
      assert.equal(node.routes.lookup('10.0.0.1')?.type, 'local')
      node.links.set('l0', { up: false })
      assert.deepEqual(destinations(node), [])
    },
  },
  {
    title: 'an address with noPrefixRoute brings none',
    check({ node }) {
      addCarrier(node)
      node.addresses.add({ link: 'l0', prefix: '10.0.0.1/24', noPrefixRoute: true })
      node.addresses.add({ link: 'l0', prefix: 'fd00::1/64', noPrefixRoute: true, noDad: true })
      assert.deepEqual(
        destinations(node).filter((prefix) => prefix !== 'fe80::/64'),
        [],
      )
    },
  },
  {
    title: 'an address without subnet has no route but to itself',
    check({ node }) {
      addCarrier(node)
      node.addresses.add({ link: 'l0', prefix: '10.0.0.1/32' })
      assert.deepEqual(node.routes.list({ family: 'ipv4', table: 254 }), [])
      assert.equal(node.routes.lookup('10.0.0.1')?.type, 'local')
    },
  },
  {
    title: 'deleting an address takes its route away',
    check({ node }) {
      addCarrier(node)
      node.addresses.add({ link: 'l0', prefix: '10.0.0.1/24' })
      node.addresses.delete({ link: 'l0', prefix: '10.0.0.1/24' })
      assert.deepEqual(node.routes.list({ family: 'ipv4' }), [])
    },
  },
  {
    title: 'addresses go with their link',
    check({ node }) {
      node.links.add({ kind: 'bridge', name: 'b0' })
      node.addresses.add({ link: 'b0', prefix: '10.0.0.1/24' })
      node.links.delete('b0')
      assert.deepEqual(node.addresses.list(), [])
    },
  },
  {
    title: 'an IPv6 address is tentative until duplicate address detection is over',
    async check({ node }) {
      addCarrier(node)
      node.addresses.add({ link: 'l0', prefix: 'fd00::1/64' })
      const find = () => node.addresses.list('l0').find(({ prefix }) => prefix === 'fd00::1/64')
      assert.ok(find()?.tentative)
      await eventually(() => find()?.tentative === false, 'detection is over')
      assert.equal(find()?.dadFailed, false)
    },
  },
  {
    title: 'an IPv6 address that a neighbour has already fails duplicate address detection',
    async check({ node, container }) {
      node.links.add({ kind: 'veth', name: 'veth0', up: true, peer: { name: 'eth0', namespace: container } })
      node.addresses.add({ link: 'veth0', prefix: 'fd00::1/64', noDad: true })
      container.links.set('eth0', { up: true })
      await eventually(() => node.links.get('veth0')?.operState === 'up', 'the link carries packets')
      container.addresses.add({ link: 'eth0', prefix: 'fd00::1/64' })
      const failed = () =>
        container.addresses.list('eth0').some(({ prefix, dadFailed }) => prefix === 'fd00::1/64' && dadFailed)
      await eventually(failed, 'detection fails')
    },
  },
  {
    title: 'a link that carries packets gets a link-local IPv6 address from the kernel',
    async check({ node }) {
      addCarrier(node)
      const find = () => node.addresses.list('l0').find(({ prefix }) => prefix.startsWith('fe80:'))
      await eventually(() => find() !== undefined, 'it is there')
      has(find(), { scope: 'link', permanent: true })
    },
  },
  {
    title: 'the loopback link gets its addresses when it is set up',
    check({ node }) {
      node.links.set('lo', { up: true })
      const prefixes = node.addresses.list('lo').map(({ prefix, scope }) => `${prefix} ${scope}`)
      assert.deepEqual(prefixes.sort(), ['127.0.0.1/8 host', '::1/128 host'])
    },
  },

  // replace
  {
    title: 'replace adds an address that is not there, and leaves one that is there as it should be',
    check({ node }) {
      addCarrier(node)
      for (const prefix of ['10.0.0.1/24', 'fd00::1/64']) {
        const address = { link: 'l0', prefix, noDad: true }
        node.addresses.replace(address)
        const before = node.addresses.list('l0').find((listed) => listed.prefix === prefix)
        node.addresses.replace(address)
        assert.deepEqual(
          node.addresses.list('l0').find((listed) => listed.prefix === prefix),
          before,
        )
      }
    },
  },
  {
    title: 'replace makes an address look as asked',
    check({ node }) {
      addCarrier(node)
      node.addresses.add({ link: 'l0', prefix: '10.0.0.1/24', label: 'l0:old', broadcast: '10.0.0.0' })
      node.addresses.replace({ link: 'l0', prefix: '10.0.0.1/24', scope: 'link' })
      has(
        node.addresses.list('l0').find(({ prefix }) => prefix === '10.0.0.1/24'),
        {
          label: 'l0',
          broadcast: '10.0.0.255',
          scope: 'link',
        },
      )
    },
  },
  {
    title: 'replace leaves the other addresses of the subnet alone',
    check({ node }) {
      addCarrier(node)
      for (const host of [1, 2, 3]) node.addresses.add({ link: 'l0', prefix: `10.0.0.${host}/24` })
      node.addresses.replace({ link: 'l0', prefix: '10.0.0.1/24' })
      assert.equal(node.addresses.list('l0').filter(({ prefix }) => prefix.startsWith('10.')).length, 3)
    },
  },
]
