/** Neighbours. */
import assert from 'node:assert/strict'
import type { Neighbour } from '../../../src/kernel/neighbour.ts'
import { addCarrier, type Case, has, refused } from './case.ts'

const MAC = '02:00:00:00:00:09'

const rows: readonly { readonly what: string; readonly neighbour: Neighbour; readonly seen?: Partial<Neighbour> }[] = [
  {
    what: 'permanent when nothing is said',
    neighbour: { link: 'l0', address: '10.0.0.9', mac: MAC },
    seen: { state: 'permanent' },
  },
  { what: 'noarp', neighbour: { link: 'l0', address: '10.0.0.9', mac: MAC, state: 'noarp' } },
  { what: 'reachable', neighbour: { link: 'l0', address: '10.0.0.9', mac: MAC, state: 'reachable' } },
  { what: 'stale', neighbour: { link: 'l0', address: '10.0.0.9', mac: MAC, state: 'stale' } },
  { what: 'of a protocol', neighbour: { link: 'l0', address: '10.0.0.9', mac: MAC, state: 'permanent', protocol: 42 } },
  { what: 'of IPv6', neighbour: { link: 'l0', address: 'fd00::9', mac: MAC, state: 'permanent' } },
  { what: 'an IPv6 router', neighbour: { link: 'l0', address: 'fd00::9', mac: MAC, state: 'permanent', router: true } },
]

export const neighbourCases: readonly Case[] = [
  ...rows.map(({ what, neighbour, seen }) => ({
    title: `a neighbour is added, listed and deleted: ${what}`,
    check({ node }: Parameters<Case['check']>[0]) {
      addCarrier(node)
      const find = () => node.neighbours.list({ link: 'l0' }).find(({ address }) => address === neighbour.address)
      node.neighbours.add(neighbour)
      assert.deepEqual(find(), { ...neighbour, ...seen })
      refused('EEXIST', () => node.neighbours.add(neighbour))
      node.neighbours.delete(neighbour)
      // The kernel may keep it a moment as failed.
      assert.ok([undefined, 'failed', 'none'].includes(find()?.state))
    },
  })),
  {
    title: 'a neighbour on a link that is not there is ENODEV',
    check({ node }) {
      const neighbour = { link: 'nothing', address: '10.0.0.9', mac: MAC }
      refused('ENODEV', () => node.neighbours.list({ link: 'nothing' }))
      refused('ENODEV', () => node.neighbours.add(neighbour))
      refused('ENODEV', () => node.neighbours.replace(neighbour))
      refused('ENODEV', () => node.neighbours.delete(neighbour))
    },
  },
  {
    title: 'deleting a neighbour that is not there is ENOENT',
    check({ node }) {
      addCarrier(node)
      refused('ENOENT', () => node.neighbours.delete({ link: 'l0', address: '10.0.0.9' }))
      refused('ENOENT', () => node.neighbours.delete({ link: 'l0', address: '10.0.0.9', proxy: true }))
    },
  },
  {
    title: 'replace adds a neighbour, or gives it another MAC',
    check({ node }) {
      addCarrier(node)
      const find = () =>
        node.neighbours.list({ link: 'l0', family: 'ipv4' }).find(({ address }) => address === '10.0.0.9')
      node.neighbours.replace({ link: 'l0', address: '10.0.0.9', mac: MAC })
      has(find(), { mac: MAC })
      node.neighbours.replace({ link: 'l0', address: '10.0.0.9', mac: '02:00:00:00:00:0a' })
      has(find(), { mac: '02:00:00:00:00:0a', state: 'permanent' })
    },
  },
  {
    title: 'what is answered for is a list of its own',
    check({ node }) {
      addCarrier(node)
      node.neighbours.add({ link: 'l0', address: '10.0.0.9', proxy: true })
      node.neighbours.add({ link: 'l0', address: 'fd00::9', proxy: true })
      const proxies = node.neighbours.list({ proxy: true })
      assert.deepEqual(
        proxies.map(({ address, proxy }) => ({ address, proxy })),
        [
          { address: '10.0.0.9', proxy: true },
          { address: 'fd00::9', proxy: true },
        ],
      )
      assert.ok(!node.neighbours.list().some(({ address }) => address === '10.0.0.9'))
      node.neighbours.delete({ link: 'l0', address: '10.0.0.9', proxy: true })
      assert.equal(node.neighbours.list({ proxy: true }).length, 1)
    },
  },
  {
    title: 'list keeps to the link and the family',
    check({ node }) {
      addCarrier(node, 'a')
      addCarrier(node, 'b')
      node.neighbours.add({ link: 'a', address: '10.0.0.9', mac: MAC })
      node.neighbours.add({ link: 'a', address: 'fd00::9', mac: MAC })
      node.neighbours.add({ link: 'b', address: '10.0.0.9', mac: MAC })
      const permanent = (filter: Parameters<typeof node.neighbours.list>[0]) =>
        node.neighbours
          .list(filter)
          .filter(({ state }) => state === 'permanent')
          .map(({ link, address }) => `${link} ${address}`)
          .sort()
      assert.deepEqual(permanent({ link: 'a' }), ['a 10.0.0.9', 'a fd00::9'])
      assert.deepEqual(permanent({ family: 'ipv4' }), ['a 10.0.0.9', 'b 10.0.0.9'])
      assert.deepEqual(permanent({ link: 'a', family: 'ipv6' }), ['a fd00::9'])
      assert.equal(permanent(undefined).length, 3)
    },
  },
]
