/** Forwarding databases of bridges and of vxlan devices. */
import assert from 'node:assert/strict'
import type { Kernel } from '../../../src/kernel/kernel.ts'
import type { FdbEntry } from '../../../src/kernel/neighbour.ts'
import { addCarrier, type Case, eventually, has, refused } from './case.ts'

const MAC = '02:00:00:00:00:09'
const DEFAULT = '00:00:00:00:00:00'

/** A bridge `br0` with the port `p0`, which forwards, and a vxlan device `vx0`. */
async function addDevices(kernel: Kernel): Promise<void> {
  kernel.links.add({ kind: 'bridge', name: 'br0', up: true })
  addCarrier(kernel, 'p0')
  kernel.links.set('p0', { master: 'br0' })
  // A port that is not yet forwarding takes no dynamic entries.
  await eventually(() => kernel.links.get('p0')?.port?.state === 'forwarding', 'the port forwards')
  kernel.links.add({ kind: 'vxlan', name: 'vx0', up: true, vxlan: { vni: 7, port: 4789, local: '10.0.0.1' } })
}

const rows: readonly { readonly what: string; readonly entry: FdbEntry; readonly seen?: Partial<FdbEntry> }[] = [
  {
    what: "a bridge's own, when no state is given",
    entry: { link: 'p0', mac: MAC, owner: 'master' },
    seen: { state: 'permanent' },
  },
  { what: 'static on a bridge', entry: { link: 'p0', mac: MAC, owner: 'master', state: 'static' } },
  {
    what: 'dynamic on a bridge',
    entry: { link: 'p0', mac: MAC, owner: 'master', state: 'dynamic' },
    seen: { learnt: true },
  },
  {
    what: 'behind a VTEP',
    entry: { link: 'vx0', mac: MAC, owner: 'self', destination: '10.0.0.2' },
    seen: { state: 'permanent' },
  },
  {
    what: 'static behind a VTEP',
    entry: { link: 'vx0', mac: MAC, owner: 'self', state: 'static', destination: '10.0.0.2' },
  },
  {
    what: 'behind a VTEP with another port and VNI',
    entry: { link: 'vx0', mac: MAC, owner: 'self', state: 'permanent', destination: '10.0.0.2', port: 8472, vni: 99 },
  },
  {
    what: "a vxlan's default",
    entry: { link: 'vx0', mac: DEFAULT, owner: 'self', state: 'permanent', destination: '10.0.0.2' },
  },
]

export const fdbCases: readonly Case[] = [
  ...rows.map(({ what, entry, seen }) => ({
    title: `a forwarding entry is added, listed and deleted: ${what}`,
    async check({ node }: Parameters<Case['check']>[0]) {
      await addDevices(node)
      const find = (link?: string) =>
        node.fdb
          .list(link === undefined ? {} : { link })
          .find((listed) => listed.link === entry.link && listed.mac === entry.mac)
      node.fdb.add(entry)
      assert.deepEqual(find(entry.link), { ...entry, ...seen })
      assert.deepEqual(find(), find(entry.link))
      refused('EEXIST', () => node.fdb.add(entry))
      node.fdb.delete(entry)
      assert.equal(find(), undefined)
      refused('ENOENT', () => node.fdb.delete(entry))
    },
  })),
  {
    title: 'an entry of a link that is not there is ENODEV',
    check({ node }) {
      const entry = { link: 'nothing', mac: MAC, owner: 'self' } as const
      refused('ENODEV', () => node.fdb.list({ link: 'nothing' }))
      refused('ENODEV', () => node.fdb.add(entry))
      refused('ENODEV', () => node.fdb.append(entry))
      refused('ENODEV', () => node.fdb.replace(entry))
      refused('ENODEV', () => node.fdb.delete(entry))
    },
  },
  {
    title: 'append gives a MAC a further destination, and each is deleted alone',
    async check({ node }) {
      await addDevices(node)
      const destinations = () =>
        node.fdb
          .list({ link: 'vx0' })
          .filter(({ mac }) => mac === DEFAULT)
          .map(({ destination }) => destination)
          .sort()
      for (const destination of ['10.0.0.2', '10.0.0.3']) {
        node.fdb.append({ link: 'vx0', mac: DEFAULT, owner: 'self', destination })
      }
      assert.deepEqual(destinations(), ['10.0.0.2', '10.0.0.3'])
      node.fdb.delete({ link: 'vx0', mac: DEFAULT, owner: 'self', destination: '10.0.0.2' })
      assert.deepEqual(destinations(), ['10.0.0.3'])
    },
  },
  {
    title: 'replace adds an entry, or changes it',
    async check({ node }) {
      await addDevices(node)
      const find = () => node.fdb.list({ link: 'vx0' }).filter(({ mac }) => mac === MAC)
      node.fdb.replace({ link: 'vx0', mac: MAC, owner: 'self', destination: '10.0.0.2' })
      node.fdb.replace({ link: 'vx0', mac: MAC, owner: 'self', destination: '10.0.0.3' })
      assert.equal(find().length, 1)
      has(find()[0], { destination: '10.0.0.3' })
      const onBridge = () => node.fdb.list({ link: 'p0' }).find(({ mac }) => mac === MAC)
      node.fdb.replace({ link: 'p0', mac: MAC, owner: 'master', state: 'dynamic' })
      node.fdb.replace({ link: 'p0', mac: MAC, owner: 'master', state: 'static' })
      has(onBridge(), { state: 'static' })
    },
  },
  {
    title: 'a bridge has an entry of its own for the MAC of each port',
    async check({ node }) {
      await addDevices(node)
      const own = node.fdb.list({ link: 'p0' }).find(({ mac }) => mac === node.links.get('p0')!.mac)
      has(own, { owner: 'master', state: 'permanent' })
    },
  },
  {
    title: 'entries go with the link that they lead to',
    async check({ node }) {
      await addDevices(node)
      node.fdb.add({ link: 'p0', mac: MAC, owner: 'master', state: 'static' })
      node.links.delete('p0')
      assert.ok(!node.fdb.list().some(({ mac }) => mac === MAC))
    },
  },
]
