/** What waits: packets, ping, TUN devices, notifications. */
import assert from 'node:assert/strict'
import { isDeepStrictEqual } from 'node:util'
import type { CapturedPacket, Change, EchoAnswer, LiveKernel, Subscription } from '../../../src/kernel/live.ts'
import { EtherType, encodeEthernet } from '../../../src/wire/ethernet.ts'
import { decodeIcmp, encodeIcmp, IcmpType, UnreachableCode } from '../../../src/wire/icmp.ts'
import { decodeIpv4, encodeIpv4, IpProtocol } from '../../../src/wire/ipv4.ts'
import { addCarrier, type Case, eventually, has, refused, type World } from './case.ts'

type Subject = Change['subject']

/** What is captured or watched by these ends with the case. */
interface Listening extends World {
  /** Frames of the experiment; what the kernels say to each other on their own is left out. */
  capture(kernel: LiveKernel, options: { link?: string; snapLength?: number }): CapturedPacket[]
  watch(kernel: LiveKernel, subjects: readonly Subject[]): Change[]
}

const NODE = '10.1.0.1'
const CONTAINER = '10.1.0.2'
const NODE_MAC = '02:00:00:00:00:01'
const CONTAINER_MAC = '02:00:00:00:00:02'
/** For an answer that must come: a machine may be busy, and a first ARP or neighbour solicitation lost. Milliseconds. */
const timeout = 30_000
/** An EtherType that is nobody's: IEEE's first for experiments. */
const EXPERIMENT = 0x88b5

const cases: readonly { readonly title: string; check(world: Listening): void | Promise<void> }[] = [
  {
    title: 'ping answers who replied, with which TTL, after how long',
    async check(world) {
      await join(world)
      const start = performance.now()
      const answer = await world.node.ping(CONTAINER, { timeout })
      const took = performance.now() - start
      assert.equal(answer.outcome, 'reply')
      has(answer, { from: CONTAINER, ttl: 64 })
      assert.ok('milliseconds' in answer && answer.milliseconds >= 0 && answer.milliseconds <= took)
      const answer6 = await world.node.ping('fd01::2', { size: 0, source: 'fd01::1', timeout })
      has(answer6, { outcome: 'reply', from: 'fd01::2', ttl: 64 })
    },
  },
  {
    title: 'ping of what no route leads to is refused, as is a source that is not ours',
    async check(world) {
      await join(world)
      assert.deepEqual(await world.node.ping('10.99.0.1'), { outcome: 'refused', errno: 'ENETUNREACH' })
      assert.deepEqual(await world.node.ping(CONTAINER, { source: '10.1.0.77' }), {
        outcome: 'refused',
        errno: 'EADDRNOTAVAIL',
      })
    },
  },
  {
    title: 'ping times out where nobody answers',
    async check(world) {
      await join(world)
      world.container.sysctl.set('net/ipv4/icmp_echo_ignore_all', '1')
      assert.deepEqual(await world.node.ping(CONTAINER, { timeout: 50 }), { outcome: 'timeout' })
    },
  },
  {
    title: 'pings at the same time hear each its own answer',
    async check(world) {
      await join(world)
      world.container.sysctl.set('net/ipv4/ip_forward', '1')
      world.container.routes.add({ destination: '10.9.0.0/16', type: 'blackhole' })
      world.node.routes.add({ destination: '10.9.0.0/16', gateway: CONTAINER })
      const [silent, ...others] = await Promise.all([
        world.node.ping('10.9.0.1', { timeout: 200 }),
        world.node.ping(CONTAINER, { timeout }),
        world.node.ping('fd01::2', { timeout }),
        world.node.ping(NODE, { timeout }),
      ])
      assert.deepEqual(silent, { outcome: 'timeout' })
      assert.deepEqual(
        others.map((answer) => 'from' in answer && answer.from),
        [CONTAINER, 'fd01::2', NODE],
      )
    },
  },
  {
    title: 'echoes of one identifier that are sent without waiting hear each its own answer',
    async check(world) {
      await join(world)
      const answers: EchoAnswer[] = []
      for (const sequence of [1, 2, 3]) {
        const request = { identifier: 77, sequence, timeout, ...(sequence === 3 && { ttl: 255 }) }
        world.node.sendPing(CONTAINER, request, (answer) => answers.push(answer))
      }
      // Where the clock stands still unless somebody waits, this moves it.
      await world.node.ping(CONTAINER, { timeout })
      await eventually(() => answers.length === 3, 'all are answered')
      for (const answer of answers) has(answer, { outcome: 'reply', from: CONTAINER })
    },
  },
  {
    title: 'ping answers the error of a router: time exceeded, no route',
    async check(world) {
      await join(world)
      const destination = '10.9.0.0/16'
      world.container.sysctl.set('net/ipv4/ip_forward', '1')
      world.container.routes.add({ destination, gateway: NODE })
      world.node.routes.add({ destination, gateway: CONTAINER })
      assert.deepEqual(await world.node.ping('10.9.0.1', { ttl: 1, timeout }), {
        outcome: 'error',
        from: CONTAINER,
        type: IcmpType.timeExceeded,
        code: 0,
      })
      world.container.routes.delete({ destination, gateway: NODE })
      assert.deepEqual(await world.node.ping('10.9.0.1', { timeout }), {
        outcome: 'error',
        from: CONTAINER,
        type: IcmpType.destinationUnreachable,
        code: UnreachableCode.network,
      })
    },
  },
  {
    title: 'ping that must not be cut up is refused where it does not fit',
    async check(world) {
      await join(world)
      assert.deepEqual(await world.node.ping(CONTAINER, { size: 1473, dontFragment: true }), {
        outcome: 'refused',
        errno: 'EMSGSIZE',
      })
      has(await world.node.ping(CONTAINER, { size: 1472, dontFragment: true, timeout }), { outcome: 'reply' })
      has(await world.node.ping(CONTAINER, { size: 4000, timeout }), { outcome: 'reply' })
    },
  },
  {
    title: 'a rule of nftables that drops is why ping is refused, or hears nothing',
    async check(world) {
      await join(world)
      const { node, container } = world
      const drop = (kernel: LiveKernel, hook: 'input' | 'output') => {
        const base = { type: 'filter', hook, priority: 0, policy: 'drop' } as const
        kernel.nftables.commit([
          { operation: 'add table', table: { family: 'ip', name: 't' } },
          { operation: 'add chain', chain: { family: 'ip', table: 't', name: 'c', base } },
          {
            operation: 'add rule',
            rule: { family: 'ip', table: 't', chain: 'c', expressions: [{ type: 'counter' }] },
          },
        ])
      }
      drop(container, 'input')
      assert.deepEqual(await node.ping(CONTAINER, { timeout: 50, size: 100 }), { outcome: 'timeout' })
      const counted = () => container.nftables.rules({ family: 'ip', table: 't', name: 'c' })[0]?.expressions
      const nothing = [{ type: 'counter', packets: 0n, bytes: 0n }]
      await eventually(() => !isDeepStrictEqual(counted(), nothing), 'the request is counted')
      assert.deepEqual(counted(), [{ type: 'counter', packets: 1n, bytes: 128n }])
      drop(node, 'output')
      assert.deepEqual(await node.ping(CONTAINER), { outcome: 'refused', errno: 'EPERM' })
    },
  },
  {
    title: 'a frame that is sent is captured at both ends, with its direction',
    async check(world) {
      await join(world)
      const out = world.capture(world.node, { link: 'eth0' })
      const into = world.capture(world.container, { link: 'eth0' })
      const frame = experiment(CONTAINER_MAC)
      world.node.packets.send('eth0', frame)
      await eventually(() => out.length === 1 && into.length === 1, 'the frame is captured')
      has(out[0], { link: 'eth0', packetType: 'outgoing', bytes: frame, length: frame.length })
      has(into[0], { link: 'eth0', packetType: 'host', bytes: frame, length: frame.length })
      assert.ok(into[0]!.time >= out[0]!.time, 'it does not come before it goes')
    },
  },
  {
    title: 'a capture tells whom a frame was for',
    async check(world) {
      await join(world)
      const packets = world.capture(world.container, { link: 'eth0' })
      for (const destination of [CONTAINER_MAC, 'ff:ff:ff:ff:ff:ff', '01:00:5e:00:00:fb', '02:00:00:00:00:99']) {
        world.node.packets.send('eth0', experiment(destination))
      }
      await eventually(() => packets.length === 4, 'all are captured')
      assert.deepEqual(
        packets.map(({ packetType }) => packetType),
        ['host', 'broadcast', 'multicast', 'otherhost'],
      )
    },
  },
  {
    title: 'a VLAN tag is in the frame that is captured',
    async check(world) {
      await join(world)
      const packets = world.capture(world.container, { link: 'eth0' })
      const frame = experiment(CONTAINER_MAC, [{ protocol: EtherType.vlan, priority: 3, dropEligible: false, vlan: 5 }])
      world.node.packets.send('eth0', frame)
      await eventually(() => packets.length === 1, 'it is captured')
      assert.deepEqual(packets[0]!.bytes, frame)
    },
  },
  {
    title: 'a capture keeps no more of a frame than it is told to, and says how long it was',
    async check(world) {
      await join(world)
      const packets = world.capture(world.container, { link: 'eth0', snapLength: 20 })
      const frame = experiment(CONTAINER_MAC)
      world.node.packets.send('eth0', frame)
      await eventually(() => packets.length === 1, 'it is captured')
      has(packets[0], { bytes: frame.subarray(0, 20), length: frame.length })
    },
  },
  {
    title: 'a capture of all links names each',
    async check(world) {
      await join(world)
      world.node.links.add({ kind: 'veth', name: 'left', peer: { name: 'right' }, up: true })
      world.node.links.set('right', { up: true })
      await carrier(world.node, 'left')
      await carrier(world.node, 'right')
      const packets = world.capture(world.node, {})
      world.node.packets.send('eth0', experiment(CONTAINER_MAC))
      world.node.packets.send('left', experiment(CONTAINER_MAC))
      await eventually(() => packets.length === 3, 'all are captured')
      assert.deepEqual(packets.map(({ link }) => link).sort(), ['eth0', 'left', 'right'])
    },
  },
  {
    title: 'frames are captured in their order, and none when the capture is closed',
    async check(world) {
      await join(world)
      const numbers: number[] = []
      const all = world.capture(world.node, { link: 'eth0' })
      const subscription = world.node.packets.capture({ link: 'eth0' }, (packet) => {
        if (isExperiment(packet)) numbers.push((packet.bytes[14]! << 8) | packet.bytes[15]!)
        if (numbers.length === 500) subscription.close()
      })
      for (let i = 0; i < 600; i++) {
        world.node.packets.send('eth0', experiment(CONTAINER_MAC, [], Uint8Array.of(i >> 8, i & 0xff)))
      }
      await eventually(() => numbers.length >= 500 && all.length === 600, 'they are captured')
      subscription.close()
      assert.deepEqual(
        numbers,
        Array.from({ length: 500 }, (_, i) => i),
      )
    },
  },
  {
    title: 'sending on, or capturing from, a link that is not there is ENODEV; one that is down ENETDOWN',
    check({ node }) {
      refused('ENODEV', () => node.packets.send('missing', experiment(NODE_MAC)))
      refused('ENODEV', () => node.packets.capture({ link: 'missing' }, () => {}))
      node.links.add({ kind: 'bridge', name: 'br0' })
      refused('ENETDOWN', () => node.packets.send('br0', experiment(NODE_MAC)))
    },
  },
  {
    title: 'packets that a route leads into a tun come to its owner, and what he writes comes from it',
    async check({ node }) {
      const seen: Uint8Array[] = []
      const tun = node.tuns.open('tun0', 'tun', (packet) => {
        if (packet[0]! >> 4 === 4) seen.push(packet) // the kernel itself solicits IPv6 routers
      })
      try {
        node.addresses.add({ link: 'tun0', prefix: '10.5.0.1/24' })
        node.links.set('tun0', { up: true })
        tun.write(echo('10.5.0.2', '10.5.0.1'))
        await eventually(() => seen.length === 1, 'the reply comes')
        const { source, destination, payload } = decodeIpv4(seen[0]!)
        assert.deepEqual([source, destination], ['10.5.0.1', '10.5.0.2'])
        has(decodeIcmp(payload), { kind: 'echo', reply: true, identifier: 7 })
      } finally {
        tun.close()
      }
      tun.close()
      await eventually(() => node.links.get('tun0') === undefined, 'the device is gone')
    },
  },
  {
    title: 'a tap has frames; its name may be left to the kernel',
    async check({ node, capture }) {
      const seen: Uint8Array[] = []
      const tap = node.tuns.open('tap%d', 'tap', (frame) => seen.push(frame))
      assert.equal(tap.name, 'tap0')
      node.links.set(tap.name, { up: true })
      const frame = experiment(CONTAINER_MAC)
      node.packets.send(tap.name, frame)
      await eventually(() => seen.some((it) => Buffer.compare(it, frame) === 0), 'the frame comes')

      const packets = capture(node, { link: tap.name })
      tap.write(frame)
      await eventually(() => packets.some(({ packetType }) => packetType === 'otherhost'), 'the frame is captured')
      tap.close()
    },
  },
  {
    title: 'a device of the other kind, or one that is open, cannot be opened',
    check({ node }) {
      node.links.add({ kind: 'tun', name: 'tun0', tun: { mode: 'tun' } })
      refused('EINVAL', () => node.tuns.open('tun0', 'tap', () => {}))
      const tun = node.tuns.open('tun0', 'tun', () => {})
      refused('EBUSY', () => node.tuns.open('tun0', 'tun', () => {}))
      tun.close()
      assert.equal(node.links.get('tun0')?.kind, 'tun') // it is persistent
    },
  },
  {
    title: 'a watch hears of each subject what is made and what goes, by the name of its link',
    async check({ node, watch }) {
      const subjects = ['link', 'address', 'route', 'rule', 'neighbour', 'fdb', 'nftables'] as const
      const heard = watch(node, subjects)
      const address = { link: 'br0', prefix: '10.1.0.1/24' }
      const neighbour = { link: 'br0', address: CONTAINER }
      const entry = { link: 'left', mac: CONTAINER_MAC, owner: 'master' } as const
      const table = { family: 'ip', name: 't' } as const
      node.links.add({ kind: 'bridge', name: 'br0', up: true })
      node.links.add({ kind: 'veth', name: 'left', peer: { name: 'right' }, master: 'br0' })
      node.addresses.add(address)
      node.routes.add({ destination: '10.7.0.0/16', link: 'br0' })
      node.rules.add({ family: 'ipv4', priority: 100, inputLink: 'br0', table: 7 })
      node.neighbours.add({ ...neighbour, mac: CONTAINER_MAC, state: 'permanent' })
      node.fdb.add({ ...entry, state: 'static' })
      node.nftables.commit([{ operation: 'add table', table }])
      await expectChanges(heard, subjects, 'new')

      heard.length = 0
      node.nftables.commit([{ operation: 'delete table', table }])
      node.fdb.delete(entry)
      node.neighbours.delete(neighbour)
      node.rules.delete({ family: 'ipv4', priority: 100, inputLink: 'br0', table: 7 })
      node.routes.delete({ destination: '10.7.0.0/16', link: 'br0' })
      node.addresses.delete(address)
      node.links.delete('left')
      await expectChanges(heard, subjects, 'delete')
    },
  },
  {
    title: 'a watch hears of its subjects only, and nothing when it is closed',
    async check({ node, container, watch }) {
      const heard: (Change | 'lost')[] = []
      const other = watch(node, ['address'])
      const subscription = node.watch(['address'], (change) => heard.push(change))
      container.links.set('lo', { up: true })
      node.links.add({ kind: 'bridge', name: 'br0' })
      node.addresses.add({ link: 'br0', prefix: '10.1.0.1/24' })
      await eventually(() => heard.length > 0, 'it hears of the address')
      assert.deepEqual(heard, [{ subject: 'address', operation: 'new', link: 'br0' }])
      subscription.close()
      subscription.close()
      node.addresses.delete({ link: 'br0', prefix: '10.1.0.1/24' })
      await eventually(() => other.length === 2, 'another hears that it goes')
      assert.equal(heard.length, 1)
    },
  },
  {
    title: 'a watch can leave out what its own handle does to routes, and nobody else',
    async check({ node }) {
      node.links.add({ kind: 'bridge', name: 'br0' })
      const other = node.enter(node.namespacePath)!
      const heard: Change[] = []
      const note = (change: Change | 'lost') => void (change !== 'lost' && heard.push(change))
      const subscription = node.watch(['route', 'address'], note, { exceptOwnRoutes: true })
      try {
        node.routes.add({ destination: '10.5.0.0/16', type: 'blackhole' })
        node.routes.add({ destination: 'fd05::/48', type: 'blackhole' })
        node.routes.replace({ destination: '10.5.0.0/16', type: 'unreachable' })
        node.addresses.add({ link: 'br0', prefix: '10.1.0.1/24' })
        other.routes.delete({ destination: '10.5.0.0/16' })
        other.routes.delete({ destination: 'fd05::/48' })
        await eventually(() => heard.filter(({ operation }) => operation === 'delete').length === 2, 'it hears of both')
      } finally {
        subscription.close()
        other.close()
      }
      // The address brings no route while its link is down, but that of the local table.
      const told = heard.filter(({ subject, link }) => subject === 'route' && link !== 'br0')
      assert.deepEqual(
        told.map(({ operation }) => operation),
        ['delete', 'delete'],
      )
      assert.ok(heard.some(({ subject }) => subject === 'address'))
    },
  },
  {
    title: 'a watch hears that a link was down, also when it is up again',
    async check({ node, watch }) {
      addCarrier(node, 'l0')
      const heard = watch(node, ['link'])
      node.links.set('l0', { up: false })
      node.links.set('l0', { up: true })
      node.links.set('l0', { alias: 'last' })
      const ups = () => heard.flatMap(({ link, up }) => (link === 'l0' && up !== undefined ? [up] : []))
      await eventually(
        () => ups().lastIndexOf(true) > ups().indexOf(false) && ups().includes(false),
        'it hears of both',
      )
    },
  },
  {
    title: 'a link is called by its new name when it was renamed, also when it goes',
    async check({ node, watch }) {
      node.links.add({ kind: 'bridge', name: 'before' })
      node.addresses.add({ link: 'before', prefix: '10.1.0.1/24' })
      const heard = watch(node, ['link', 'address'])
      node.links.set('before', { name: 'after' })
      node.links.delete('after')
      const deletion = (subject: Subject) =>
        heard.some((change) => change.subject === subject && change.operation === 'delete')
      await eventually(() => deletion('link') && deletion('address'), 'it hears of the deletion')
      assert.deepEqual([...new Set(heard.map(({ link }) => link))], ['after'])
    },
  },
]

export const liveCases: readonly Case[] = cases.map(({ title, check }) => ({
  title,
  async check(world) {
    const subscriptions: Subscription[] = []
    try {
      await check({
        ...world,
        capture(kernel, options) {
          const packets: CapturedPacket[] = []
          const keep = (packet: CapturedPacket) => void (isExperiment(packet) && packets.push(packet))
          subscriptions.push(kernel.packets.capture(options, keep))
          return packets
        },
        watch(kernel, subjects) {
          const heard: Change[] = []
          subscriptions.push(kernel.watch(subjects, (change) => void (change !== 'lost' && heard.push(change))))
          return heard
        },
      })
    } finally {
      for (const subscription of subscriptions) subscription.close()
    }
  },
}))

/** node 10.1.0.1 ── eth0 ── eth0 ── 10.1.0.2 container, and fd01::1, fd01::2. */
async function join({ node, container }: World): Promise<void> {
  for (const kernel of [node, container]) {
    // Of its own, the kernel sends nothing that a capture would see.
    kernel.sysctl.set('net/ipv6/conf/default/addr_gen_mode', '1')
    kernel.sysctl.set('net/ipv6/conf/default/router_solicitations', '0')
    kernel.links.set('lo', { up: true })
  }
  node.links.add({
    kind: 'veth',
    name: 'eth0',
    mac: NODE_MAC,
    peer: { name: 'eth0', mac: CONTAINER_MAC, namespace: container },
  })
  for (const [kernel, address, address6] of [
    [node, NODE, 'fd01::1'],
    [container, CONTAINER, 'fd01::2'],
  ] as const) {
    kernel.links.set('eth0', { up: true })
    kernel.addresses.add({ link: 'eth0', prefix: `${address}/24` })
    kernel.addresses.add({ link: 'eth0', prefix: `${address6}/64`, noDad: true })
  }
  await carrier(node, 'eth0')
  await carrier(container, 'eth0')
}

/** Linux notices a carrier a moment later, and drops till then what is sent. */
function carrier({ links }: LiveKernel, link: string): Promise<void> {
  return eventually(() => links.get(link)?.operState === 'up', `"${link}" is up`)
}

function isExperiment({ bytes }: CapturedPacket): boolean {
  const at = bytes[12] === 0x81 ? 16 : 12
  return ((bytes[at]! << 8) | bytes[at + 1]!) === EXPERIMENT
}

async function expectChanges(heard: Change[], subjects: readonly Subject[], operation: Change['operation']) {
  const names = { link: 'left', fdb: 'left', nftables: undefined }
  for (const subject of subjects) {
    const link = subject in names ? names[subject as keyof typeof names] : 'br0'
    await eventually(
      () => heard.some((it) => it.subject === subject && it.operation === operation && it.link === link),
      `it hears of ${operation} ${subject} ${link}: ${JSON.stringify(heard)}`,
    )
  }
}

function experiment(
  destination: string,
  tags: Parameters<typeof encodeEthernet>[0]['tags'] = [],
  start = new Uint8Array(2),
): Uint8Array {
  const payload = new Uint8Array(60)
  payload.set(start)
  return encodeEthernet({ destination, source: NODE_MAC, tags, etherType: EXPERIMENT, payload })
}

function echo(source: string, destination: string): Uint8Array {
  const payload = encodeIcmp({ kind: 'echo', reply: false, identifier: 7, sequence: 1, data: new Uint8Array(8) })
  return encodeIpv4({
    tos: 0,
    identification: 0,
    dontFragment: false,
    moreFragments: false,
    fragmentOffset: 0,
    ttl: 64,
    protocol: IpProtocol.icmp,
    source,
    destination,
    options: [],
    payload,
  })
}
