import assert from 'node:assert/strict'
import { test } from 'vitest'
import type { Address } from '../../src/kernel/address.ts'
import type { NftExpression } from '../../src/kernel/nftables.ts'
import { compare } from '../../src/reconcile/compare.ts'
import type { SeenState, State } from '../../src/reconcile/state.ts'
import { seenLink } from './naive.ts'

const eth0 = seenLink({ name: 'eth0', kind: 'veth' })
const route = { destination: '0.0.0.0/0', gateway: '10.1.2.1', link: 'eth0' }
const chain = { family: 'inet', table: 't', name: 'c' } as const
const rule = (expression: NftExpression) => ({ expressions: [expression] })

const rows: { readonly name: string; readonly desired: State; readonly seen: SeenState; readonly says: string[] }[] = [
  {
    name: 'a missing route',
    desired: { routes: [route] },
    seen: {},
    says: ['route 0.0.0.0/0 via 10.1.2.1 dev eth0 is missing'],
  },
  {
    name: 'a route by another way',
    desired: { routes: [route] },
    seen: { routes: [{ ...route, gateway: '10.1.2.9' }] },
    says: [
      'route 0.0.0.0/0 via 10.1.2.1 dev eth0 is not as it was set up: path is "via 10.1.2.9 dev eth0" instead of "via 10.1.2.1 dev eth0"',
    ],
  },
  {
    name: 'a route in another table, which is another route',
    desired: { routes: [{ ...route, table: 77 }] },
    seen: { routes: [route] },
    says: ['route 0.0.0.0/0 via 10.1.2.1 dev eth0 table 77 is missing'],
  },
  {
    name: 'next hops in another order, which is no difference',
    desired: { routes: [{ destination: 'fd00::/64', nextHops: [{ gateway: 'fd01::1' }, { gateway: 'fd01::2' }] }] },
    seen: { routes: [{ destination: 'fd00::/64', nextHops: [{ gateway: 'fd01::2' }, { gateway: 'fd01::1' }] }] },
    says: [],
  },
  {
    name: 'an address that another host has too',
    desired: { addresses: [{ link: 'eth0', prefix: 'fd00::1/64' }] },
    seen: { addresses: [{ link: 'eth0', prefix: 'fd00::1/64', dadFailed: true } as Address] },
    says: [
      'address fd00::1/64 dev eth0 is not as it was set up: another host has it: duplicate address detection failed',
    ],
  },
  {
    name: 'a port that has left its bridge and its hairpin mode',
    desired: { links: [{ name: 'eth0', kind: 'veth', master: 'cni0', port: { hairpin: true } }] },
    seen: { links: [eth0] },
    says: [
      'veth "eth0" is not as it was set up: hairpin is not set instead of true, master is not set instead of cni0',
    ],
  },
  {
    name: 'a link of another kind',
    desired: { links: [{ name: 'eth0', kind: 'bridge' }] },
    seen: { links: [eth0] },
    says: ['Cannot make bridge "eth0": veth "eth0" is in the way, and not ours to remove (EEXIST)'],
  },
  {
    name: 'a VLAN too many on a port of ours',
    desired: { owned: { vlans: { links: ['eth0'] } } },
    seen: { vlans: [{ link: 'eth0', vlan: 7, pvid: false, untagged: false }] },
    says: ['VLAN 7 on "eth0" should not be there'],
  },
  {
    name: 'a setting that was changed',
    desired: { sysctls: [{ key: 'net/ipv4/ip_forward', value: '1' }] },
    seen: { sysctls: [{ key: 'net/ipv4/ip_forward', value: '0' }] },
    says: ['sysctl net/ipv4/ip_forward is not as it was set up: value is 0 instead of 1'],
  },
  {
    name: 'a setting that this kernel does not have, which cannot be wrong',
    desired: { sysctls: [{ key: 'net/ipv6/conf/eth0/accept_dad', value: '0', optional: true }] },
    seen: { sysctls: [] },
    says: [],
  },
  {
    name: 'a rule too many in a chain of ours',
    desired: { nftChains: [{ chain, content: [] }] },
    seen: { nftChains: [{ chain, content: [rule({ type: 'verdict', verdict: 'drop' })] }] },
    says: ['nftables chain inet t c is not as it was set up: its rules are others'],
  },
  {
    name: 'a counter that has counted, which is no difference',
    desired: { nftChains: [{ chain, content: [rule({ type: 'counter' })] }] },
    seen: { nftChains: [{ chain, content: [rule({ type: 'counter', packets: 5n, bytes: 400n })] }] },
    says: [],
  },
  {
    name: "an element that is somebody else's by now",
    desired: {
      nftElements: [{ ...chain, set: 's', element: { key: Uint8Array.of(10, 0, 0, 1), comment: 'a' } }],
    },
    seen: { nftElements: [{ ...chain, set: 's', element: { key: Uint8Array.of(10, 0, 0, 1), comment: 'b' } }] },
    says: ['nftables element 10.0.0.1 in inet t s is not as it was set up: it belongs to "b" instead of "a"'],
  },
]

for (const { name, desired, seen, says } of rows) {
  test(`compare() names ${name}`, () => assert.deepEqual(compare(desired, seen), says))
}
