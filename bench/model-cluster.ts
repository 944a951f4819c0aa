/**
 * A cluster in the model: `node model-cluster.js NODES PODS [own]`. It writes one line of JSON: seconds until all is there, megabytes
 * that the process has then, and how many of some random pairs reach each other. A program of its own, whose memory nothing else is in.
 *
 *   every node   namespace; eth0, a veth whose other end is a port of one bridge with all nodes; flannel.1 (VXLAN without learning);
 *                the bridge cni0; forwarding
 *                for each other node a route to its pods, and its flannel.1 as neighbour and FDB entry: 3 entries
 *   pods         an address each, all of a node in one namespace, which a veth pair joins to a port of cni0, with a default route
 *   own          each pod in a namespace of its own, lo up, with a veth pair and a port of its own
 *
 * There is no IPv6.
 */
import { parseIp } from '../src/address/ip.ts'
import { parseMac } from '../src/address/mac.ts'
import { RouteProtocol, RouteTable } from '../src/kernel/route.ts'
import { u32 } from '../src/model/bytes.ts'
import { createModel } from '../src/model/create.ts'
import type { Vxlan } from '../src/model/device/vxlan.ts'
import { changeRoute } from '../src/model/ipv4/fib-change.ts'
import { RtScope } from '../src/model/ipv4/fib-route.ts'
import type { ModelKernel } from '../src/model/kernel/model-kernel.ts'

const PAIRS = 100

const [nodes = 1000, pods = 100] = process.argv.slice(2, 4).map(Number)
const own = process.argv[4] === 'own'
const address = (base: number, node: number) => `10.${base + (node >> 8)}.${node & 255}`
/** Of node 0 to 1,023: below 10.64.0.0/10 the nodes, below 10.128.0.0/9 the pods. */
const nodeAddress = (node: number) => `${address(64, node)}.1`
const subnet = (node: number) => address(128, node)
const hex = (byte: number) => byte.toString(16).padStart(2, '0')
const vtepMac = (node: number) => `02:f1:00:00:${hex(node >> 8)}:${hex(node & 255)}`

let state = 1
const start = performance.now()
const numbers = Array.from({ length: nodes }, (_, node) => ({
  subnet: u32(parseIp(`${subnet(node)}.0`), 0),
  address: u32(parseIp(nodeAddress(node)), 0),
  mac: parseMac(vtepMac(node)),
}))
const kernel = createModel()
const make = (name: string): ModelKernel => kernel.enter(kernel.namespaces.add(name))!
const wire = make('wire')
wire.links.add({ kind: 'bridge', name: 'wire', up: true })
const all = Array.from({ length: nodes }, (_, node) => makeNode(node))
for (const [node, host] of all.entries()) {
  const first = makePod(node, host, 0)
  for (let pod = 1; pod < pods; pod++) {
    if (own) makePod(node, host, pod).close()
    else first.addresses.add({ link: 'eth0', prefix: `${subnet(node)}.${pod + 2}/24` })
  }
  first.close()
}
for (const [node, from] of all.entries()) introduce(from, node)
const seconds = (performance.now() - start) / 1000
const megabytes = process.memoryUsage().rss / 1e6

let arrived = 0
for (let pair = 0; pair < PAIRS; pair++) {
  const [from, to] = [draw(nodes), draw(nodes)]
  const source = `${subnet(from)}.${draw(pods) + 2}`
  const sender = kernel.enter(`/run/netns/${podName(from, own ? Number(source.split('.')[3]) - 2 : 0)}`)!
  const answer = await sender.ping(`${subnet(to)}.${draw(pods) + 2}`, { source, timeout: 5000 })
  if (answer.outcome === 'reply') arrived++
}
console.log(JSON.stringify({ seconds, megabytes, pairs: PAIRS, arrived }))

function makeNode(node: number): ModelKernel {
  const made = make(`n${node}`)
  made.sysctl.set('net/ipv6/conf/all/disable_ipv6', '1')
  made.sysctl.set('net/ipv4/ip_forward', '1')
  made.links.set('lo', { up: true })
  const peer = { name: 'eth0', namespace: made }
  wire.links.add({ kind: 'veth', name: `n${node}`, up: true, master: 'wire', peer })
  made.links.set('eth0', { up: true })
  made.addresses.add({ link: 'eth0', prefix: `${nodeAddress(node)}/10` })
  made.links.add({
    kind: 'vxlan',
    name: 'flannel.1',
    mac: vtepMac(node),
    up: true,
    vxlan: { vni: 1, local: nodeAddress(node), device: 'eth0', port: 8472, learning: false },
  })
  made.addresses.add({ link: 'flannel.1', prefix: `${subnet(node)}.0/32` })
  made.links.add({ kind: 'bridge', name: 'cni0', up: true, mtu: 1450 })
  made.addresses.add({ link: 'cni0', prefix: `${subnet(node)}.1/24` })
  return made
}

function makePod(node: number, host: ModelKernel, pod: number): ModelKernel {
  const made = make(podName(node, pod))
  made.sysctl.set('net/ipv6/conf/all/disable_ipv6', '1')
  const peer = { name: 'eth0', namespace: made, mtu: 1450 }
  host.links.add({ kind: 'veth', name: `veth${pod}`, up: true, mtu: 1450, master: 'cni0', peer })
  made.links.set('lo', { up: true })
  made.links.set('eth0', { up: true })
  made.addresses.add({ link: 'eth0', prefix: `${subnet(node)}.${pod + 2}/24` })
  made.routes.add({ destination: '0.0.0.0/0', gateway: `${subnet(node)}.1` })
  return made
}

function podName(node: number, pod: number): string {
  return `p${node}-${pod}`
}

/** Three entries for each other node, in numbers as netlink's messages have them, not in text. */
function introduce({ namespace }: ModelKernel, self: number): void {
  const device = namespace.devices.get('flannel.1') as Vxlan
  for (let node = 0; node < nodes; node++) {
    if (node === self) continue
    const { subnet: destination, address: remote, mac } = numbers[node]!
    namespace.arp.add(device, destination, { mac })
    device.fdb.add(mac, remote, 'permanent', 'add')
    changeRoute(namespace.fib, 'add', {
      destination,
      length: 24,
      table: RouteTable.main,
      type: 'unicast',
      scope: RtScope.universe,
      tos: 0,
      metric: 0,
      protocol: RouteProtocol.boot,
      source: 0,
      metrics: undefined,
      hops: [{ gateway: destination, device, onlink: true }],
    })
  }
}

/** The next of a sequence that is always the same: a linear congruential generator. */
function draw(below: number): number {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0
  return Math.floor((state / 2 ** 32) * below)
}
