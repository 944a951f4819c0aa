/** Notifications: any bytes give a change, nothing, or a DecodeError; `ip monitor` hears what we hear. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import fc from 'fast-check'
import { test } from 'vitest'
import type { Change } from '../../src/kernel/live.ts'
import type { FdbEntry } from '../../src/kernel/neighbour.ts'
import type { Route } from '../../src/kernel/route.ts'
import { decodeLinkName, decodeNftablesChange, decodeRouteChange } from '../../src/linux/change.ts'
import { liveLinux } from '../../src/linux/live.ts'
import type { NetlinkMessage } from '../../src/linux/netlink/message.ts'
import { DecodeError } from '../../src/wire/errors.ts'
import { eventually } from '../contract/kernel/case.ts'

const message = fc.record({
  type: fc.oneof(fc.integer({ min: 0, max: 0xffff }), fc.integer({ min: 16, max: 36 })),
  flags: fc.constant(0),
  sequence: fc.constant(0),
  portId: fc.constant(0),
  payload: fc.uint8Array({ maxLength: 64 }),
})

const decoders: Readonly<Record<string, (given: NetlinkMessage) => unknown>> = {
  decodeRouteChange: (given) => decodeRouteChange(given, new Map()),
  decodeNftablesChange,
  decodeLinkName: ({ payload }) => decodeLinkName(payload),
}

for (const [name, decode] of Object.entries(decoders)) {
  test(`${name}() answers any message with a value, nothing or a DecodeError`, () => {
    fc.assert(
      fc.property(message, (given) => {
        try {
          decode(given)
        } catch (error) {
          assert.ok(error instanceof DecodeError, String(error))
        }
      }),
      { numRuns: 3000 },
    )
  })
}

test('a watch that cannot keep up hears that something was lost, and goes on', async () => {
  const node = liveLinux()
  const heard: (Change | 'lost')[] = []
  const subscription = node.watch(['link'], (change) => heard.push(change))
  try {
    // Nothing is heard till this ends, and it is more than the socket holds.
    for (let i = 0; i < 12_000; i++) node.links.set('lo', { txQueueLength: 1000 + (i % 2) })
    await eventually(() => heard.includes('lost'), 'it hears of the loss')
    node.links.add({ kind: 'bridge', name: 'br0' })
    const isBridge = (change: Change | 'lost') => change !== 'lost' && change.link === 'br0'
    let length = 1000
    await eventually(() => {
      // The kernel keeps nothing more till all that it has kept is heard.
      node.links.set('br0', { txQueueLength: ++length })
      return heard.some(isBridge)
    }, 'it hears of what comes after')
  } finally {
    subscription.close()
    node.close()
  }
})

test("what iproute2 and nft change is heard, by nft's and the links' names", async () => {
  const node = liveLinux()
  const heard: string[] = []
  const subscription = node.watch(['link', 'address', 'route', 'rule', 'neighbour', 'fdb', 'nftables'], (change) => {
    if (change !== 'lost') heard.push(`${change.operation} ${change.subject} ${change.link ?? ''}`.trim())
  })
  const rows = [
    ['ip', 'link add dev br1 type bridge', 'new link br1'],
    ['ip', 'link add dev port1 type veth peer name port2', 'new link port1'],
    ['ip', 'link set dev port1 master br1', 'new link port1'],
    ['bridge', 'fdb add 02:00:00:00:00:07 dev port1 master static', 'new fdb port1'],
    ['ip', 'link set dev port1 nomaster', 'delete fdb port1'],
    ['ip', 'address add 10.8.0.1/24 dev br1', 'new address br1'],
    ['ip', '-6 address add fd08::1/64 dev br1', 'new address br1'],
    ['ip', 'link set dev br1 up', 'new route br1'],
    ['ip', 'neigh add 10.8.0.9 lladdr 02:00:00:00:00:09 dev br1', 'new neighbour br1'],
    ['ip', 'neigh del 10.8.0.9 dev br1', 'delete neighbour br1'],
    ['ip', 'route add blackhole 10.99.0.0/16', 'new route'],
    ['ip', '-6 rule add iif br1 table 9', 'new rule br1'],
    ['ip', '-6 rule del iif br1 table 9', 'delete rule br1'],
    ['nft', 'add table ip x', 'new nftables'],
    ['nft', 'delete table ip x', 'delete nftables'],
    ['ip', 'link del dev br1', 'delete link br1'],
  ] as const
  try {
    for (const [program, line, expected] of rows) {
      heard.length = 0
      execFileSync(program, line.split(' '))
      await eventually(() => heard.includes(expected), `"${expected}" is heard of "${program} ${line}": ${heard}`)
    }
  } finally {
    subscription.close()
    node.close()
  }
})

test('routes, neighbours and FDB entries are told whole, as they are listed', async () => {
  const node = liveLinux()
  const heard: Change[] = []
  const subscription = node.watch(['route', 'neighbour', 'fdb'], (change) => {
    if (change !== 'lost') heard.push(change)
  })
  const told = (subject: Change['subject'], operation: Change['operation']) =>
    heard
      .filter((change) => change.subject === subject && change.operation === operation)
      .map(({ thing }) => thing)
      .find((thing) => /10\.8\.1\.0|02:00:00:00:00:08/.test(JSON.stringify(thing)))
  try {
    node.links.add({ kind: 'vxlan', name: 'vx0', vxlan: { vni: 7, port: 8472 }, up: true })
    node.addresses.add({ link: 'vx0', prefix: '10.8.0.1/32' })
    const route = { destination: '10.8.1.0/24', gateway: '10.8.1.0', link: 'vx0', onlink: true, protocol: 3 }
    const neighbour = { link: 'vx0', address: '10.8.1.0', mac: '02:00:00:00:00:08', state: 'permanent' } as const
    const entry = { link: 'vx0', mac: '02:00:00:00:00:08', owner: 'self', destination: '192.0.2.8' } as const
    node.routes.add(route)
    node.neighbours.replace(neighbour)
    node.fdb.replace(entry)
    await eventually(() => told('fdb', 'new') !== undefined, 'the last is heard')
    assert.deepEqual(told('route', 'new'), node.routes.list({ link: 'vx0', protocol: 3 })[0])
    assert.deepEqual(told('neighbour', 'new'), node.neighbours.list({ link: 'vx0' })[0])
    assert.deepEqual(told('fdb', 'new'), node.fdb.list({ link: 'vx0' })[0])
    node.fdb.delete(entry)
    node.neighbours.delete(neighbour)
    node.routes.delete(route)
    await eventually(() => told('route', 'delete') !== undefined, 'that they have gone is heard')
    assert.equal((told('route', 'delete') as Route).destination, route.destination)
    assert.equal((told('fdb', 'delete') as FdbEntry).mac, entry.mac)
  } finally {
    subscription.close()
    node.links.delete('vx0')
    node.close()
  }
})
