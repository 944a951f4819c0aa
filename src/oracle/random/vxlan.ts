/**
 * VXLAN between two nodes, or from one node to two others: routed from pod to pod as flannel does it, or as a port of the
 * nodes' bridges. Entries may be missing, wrong, or more than one; networks, ports and MTUs may not fit each other.
 *
 *   p1 ── v1 n1 eth0 ── eth0 n2 v1 ── p2        where there is no n3
 *             eth1 ── eth0 n3                   else: whom the pod reaches is n2 itself and n3
 *
 * Networks 1 and 2 are the pods', 9 is the VXLAN devices' own, 100 and 101 are below.
 */
import fc from 'fast-check'
import type { TopologyInterface, TopologyLink, TopologyNode } from '../../lab/topology.ts'
import { addressOf, macOf, prefixOf, STRANGER } from './address-plan.ts'
import { arpFrames, frames, type Ground, mostly, often, rarely } from './frame.ts'
import type { Kind } from './kind.ts'
import { vxlanEdits, vxlanMarks } from './vxlan-edit.ts'
import { outerFrames } from './vxlan-frame.ts'
import { BELOW, POD, PORT, podMac, ROUTER, TUNNEL, underlayOf, VNI, vtepMac } from './vxlan-plan.ts'
import { type Deed, scenarioOf, type World } from './world.ts'

type Right = 'right' | 'missing' | 'wrong' | 'stray'

/** What one node has that may not fit. */
interface Side {
  readonly vni: number
  readonly port: number
  readonly learning: boolean
  readonly hasDevice: boolean
  readonly hasLocal: boolean
  readonly mtu: number | undefined
  /** Commands for what a topology file has no words for. */
  readonly options: string
  readonly fdb: Right
  readonly neighbour: Right
  /** Frames that no entry knows go to everybody. */
  readonly floods: boolean
  readonly forwarding: boolean
  readonly rpFilter: number
}

const sides: fc.Arbitrary<Side> = fc.record({
  vni: mostly([VNI, VNI + 1], 40),
  port: mostly([PORT, 4789], 20),
  learning: mostly([false, true], 2),
  hasDevice: mostly([true, false]),
  hasLocal: mostly([true, false]),
  mtu: mostly([undefined, 1400, 1450, 1280], 2),
  options: mostly(['', 'noudpcsum', 'ttl 1', 'ttl 9'], 5),
  fdb: mostly<Right>(['right', 'missing', 'wrong', 'stray'], 9),
  neighbour: mostly<Right>(['right', 'missing', 'wrong', 'stray'], 9),
  floods: mostly([false, true], 2),
  forwarding: mostly([true, false], 20),
  rpFilter: mostly([0, 1, 2], 9),
})

interface Shape {
  readonly bridged: boolean
  readonly third: boolean
  readonly sides: readonly Side[]
  readonly below: number
  readonly podMtu: number
}

const shapes: fc.Arbitrary<Shape> = fc.record({
  bridged: mostly([false, true], 1),
  third: rarely(6),
  sides: fc.tuple(sides, sides, sides),
  below: mostly([1500, 1400, 9000]),
  podMtu: mostly([1450, 1500, 1400], 1),
})

const numbersOf = ({ third }: Shape) => (third ? [1, 2, 3] : [1, 2])

function worldOf(shape: Shape): World {
  const { third, podMtu } = shape
  const nodes: Record<string, TopologyNode> = {}
  for (const n of numbersOf(shape)) nodes[`n${n}`] = nodeOf(n, shape)
  const pods = third ? [1] : [1, 2]
  for (const p of pods) nodes[`p${p}`] = { routes: [{ to: 'default', via: gatewayOf(p, shape) }] }
  const below: TopologyLink = {
    endpoints: [endpoint('n1', 'eth0', macOf(1, 1)), endpoint('n2', 'eth0', macOf(2, 1))],
    ipv4: [`${underlayOf(1)}/24`, `${underlayOf(2)}/24`],
    mtu: shape.below,
  }
  const ofPods = pods.map(
    (p): TopologyLink => ({
      endpoints: [
        endpoint(`p${p}`, 'eth0', podMac(p)),
        endpoint(`n${p}`, 'v1', shape.bridged ? macOf(p, 2) : podMac(3 - p)),
      ],
      ipv4: shape.bridged ? [`${podAddress(p)}/22`] : [`${podAddress(p)}/24`, `${gatewayOf(p, shape)}/24`],
      mtu: podMtu,
    }),
  )
  // In this order n1 and n2 know the wire between them by different indices: settled() of world.ts.
  const links = [ofPods[0]!, below, ...ofPods.slice(1)]
  if (third) {
    links.push({
      endpoints: [endpoint('n1', 'eth1', macOf(1, 3)), endpoint('n3', 'eth0', macOf(3, 1))],
      ipv4: [`${addressOf(BELOW + 1, 1)}/24`, `${underlayOf(3)}/24`],
      mtu: 1500,
    })
  }
  const made = numbersOf(shape).map((n) => `n${n}:vx`)
  return { nodes, links, made: made.filter((device) => !('vx' in (nodes[device.slice(0, 2)]!.interfaces ?? {}))) }
}

const endpoint = (node: string, device: string, mac: string) => ({ node, interface: device, mac })

/**
 * Routed, each pod has a network of its own; bridged, one of 22 bits is around them. A pod's next hop to the other has the
 * same MAC either way: the node's device has that of the other pod. So the same frames make sense in both.
 */
const podAddress = (p: number) => addressOf(p, POD + p)
const gatewayOf = (p: number, { bridged }: Shape) => (bridged ? addressOf(1, p) : addressOf(p, ROUTER))

function nodeOf(n: number, shape: Shape): TopologyNode {
  const side = shape.sides[n - 1]!
  const others = numbersOf(shape).filter((other) => other !== n)
  const sysctls = {
    'net.ipv4.ip_forward': side.forwarding ? 1 : 0,
    'net.ipv4.conf.all.rp_filter': side.rpFilter,
  }
  const overlay: Overlay = {
    routes: shape.bridged ? [] : others.map(routeTo),
    fdb: others.flatMap((other) => fdbOf(other, side, shape)),
    neighbours: shape.bridged ? [] : others.flatMap((other) => neighbourOf(other, side)),
  }
  const below = n === 1 ? [] : [{ to: 'default', via: addressOf(n === 3 ? BELOW + 1 : BELOW, 1) }]
  const bridge = shape.bridged && { br0: bridgeOf(n, shape) }
  if (side.options !== '') {
    return { sysctls, ...(bridge && { interfaces: bridge }), routes: below, exec: commandsOf(n, side, overlay, shape) }
  }
  const { routes } = overlay
  return { sysctls, interfaces: { vx: deviceOf(n, side), ...bridge }, ...overlay, routes: [...below, ...routes] }
}

type Overlay = Required<Pick<TopologyNode, 'routes' | 'fdb' | 'neighbours'>>

/** The same by commands, which know more options. */
function commandsOf(n: number, side: Side, { routes, fdb, neighbours }: Overlay, { bridged }: Shape): string[] {
  const { vni, port, learning, hasDevice, hasLocal, mtu, options } = side
  const kind = [
    `id ${vni} dstport ${port} ${options}`,
    ...(learning ? [] : ['nolearning']),
    ...(hasDevice ? ['dev eth0'] : []),
    ...(hasLocal ? [`local ${underlayOf(n)}`] : []),
  ]
  const size = mtu === undefined ? '' : `mtu ${mtu} `
  return [
    `ip link add vx address ${vtepMac(n)} ${size}type vxlan ${kind.join(' ')}`,
    `ip link set vx ${bridged ? 'master br0 ' : ''}up`,
    `ip address add ${addressOf(TUNNEL, n)}/32 dev vx`,
    ...neighbours.map(({ ip, mac, dev }) => `ip neigh replace ${ip} lladdr ${mac} dev ${dev} nud permanent`),
    ...fdb.map(({ mac, dev, dst }) => `bridge fdb append ${mac} dev ${dev} dst ${dst} self permanent`),
    ...routes.map(({ to, via, dev }) => `ip route add ${to} via ${via} dev ${dev} onlink`),
  ]
}

const routeTo = (other: number) => ({ to: prefixOf(other), via: addressOf(TUNNEL, other), dev: 'vx', onlink: true })

function deviceOf(n: number, { vni, port, learning, hasDevice, hasLocal, mtu }: Side): TopologyInterface {
  return {
    type: 'vxlan',
    id: vni,
    port,
    learning,
    mac: vtepMac(n),
    ...(hasDevice && { dev: 'eth0' }),
    ...(hasLocal && { local: underlayOf(n) }),
    ...(mtu !== undefined && { mtu }),
    addresses: [`${addressOf(TUNNEL, n)}/32`],
  }
}

function bridgeOf(n: number, { third, sides }: Shape): TopologyInterface {
  const pod = third && n > 1 ? [] : [{ interface: 'v1' }]
  const ports = sides[n - 1]!.options === '' ? [...pod, { interface: 'vx' }] : pod
  return { type: 'bridge', mac: macOf(n, 9), addresses: [`${addressOf(1, n)}/22`], ports }
}

function fdbOf(other: number, { fdb, floods }: Side, { bridged }: Shape) {
  const everybody = floods || bridged ? [{ mac: '00:00:00:00:00:00', dev: 'vx', dst: underlayOf(other) }] : []
  const mac = bridged ? podMac(other) : vtepMac(other)
  if (fdb === 'missing') return everybody
  const dst = fdb === 'right' ? underlayOf(other) : fdb === 'wrong' ? underlayOf(1) : STRANGER.address
  return [{ mac, dev: 'vx', dst }, ...everybody]
}

function neighbourOf(other: number, { neighbour }: Side) {
  if (neighbour === 'missing') return []
  const mac = neighbour === 'right' ? vtepMac(other) : neighbour === 'wrong' ? STRANGER.mac : vtepMac(1)
  return [{ ip: addressOf(TUNNEL, other), mac, dev: 'vx' }]
}

function podGround(p: number): Ground {
  const other = 3 - p
  return {
    ns: `p${p}`,
    dev: 'eth0',
    from: [podMac(p), podMac(other)],
    to: [podMac(other), macOf(p, 9), 'ff:ff:ff:ff:ff:ff', macOf(other, 9), macOf(p, 2), STRANGER.mac],
    sources: [podAddress(p), podAddress(other), addressOf(TUNNEL, other)],
    destinations: [
      podAddress(other),
      addressOf(TUNNEL, other),
      addressOf(TUNNEL, 3),
      addressOf(other, ROUTER),
      addressOf(1, other),
      addressOf(1, 3),
      underlayOf(other),
      addressOf(p, ROUTER),
      STRANGER.address,
    ],
    mtus: [1450, 1400, 1350, 1280],
    sound: 3,
  }
}

const sent: fc.Arbitrary<Deed> = fc
  .oneof(
    { withCrossShrink: true },
    { weight: 5, arbitrary: fc.oneof(frames(podGround(1)), frames(podGround(2))) },
    { weight: 1, arbitrary: fc.oneof(arpFrames(podGround(1)), arpFrames(podGround(2))) },
    { weight: 2, arbitrary: outerFrames },
  )
  .map((step) => [step])

export const vxlan: Kind = {
  name: 'vxlan',
  scenarios: fc
    .tuple(
      shapes,
      often(fc.constant([]), vxlanMarks, 4),
      fc.array(often(sent, vxlanEdits, 4), { minLength: 1, maxLength: 8, size: 'max' }),
    )
    .map(([shape, marks, deeds]) => scenarioOf(worldOf(shape), [marks, ...deeds])),
}
