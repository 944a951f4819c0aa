/**
 * Which of several next hops a flow takes: X2. One router with a link in and one out for every next hop; each flow is one
 * UDP datagram, and the link it leaves by is the answer.
 */
import type { LiveKernel, Subscription } from '../kernel/live.ts'
import { createModel } from '../model/create.ts'
import { EtherType, encodeEthernet } from '../wire/ethernet.ts'
import { encodeIpv4 } from '../wire/ipv4.ts'
import { encodeUdp } from '../wire/udp.ts'
import type { Flow } from './question.ts'

export type AnsweredFlow = Flow & { readonly got: number }

const ROUTER_MAC = '02:00:00:00:00:01'
const SENDER_MAC = '02:00:00:00:00:02'

/** `got` is the index of the next hop in the route's order; −1 where the datagram left by none. */
export function answerFlows(flows: readonly Flow[]): AnsweredFlow[] {
  const kernel = createModel()
  const router = enter(kernel, 'router')
  const sender = enter(kernel, 'sender')
  sender.links.add({
    kind: 'veth',
    name: 'eth0',
    mac: SENDER_MAC,
    up: true,
    peer: { name: 'in', mac: ROUTER_MAC, namespace: router },
  })
  router.links.set('in', { up: true })
  router.addresses.add({ link: 'in', prefix: '192.0.2.1/24' })
  router.sysctl.set('net/ipv4/ip_forward', '1')
  return flows.map((flow) => ({ ...flow, got: legOf(flow, router, sender, kernel) }))
}

function legOf(flow: Flow, router: LiveKernel, sender: LiveKernel, kernel: LiveKernel): number {
  const { seed, policy, w: weights, src, dst } = flow
  for (const i of weights.keys()) ensureLeg(i, router, kernel)
  router.sysctl.set('net/ipv4/fib_multipath_hash_policy', String(policy))
  router.sysctl.set('net/ipv4/fib_multipath_hash_seed', String(seed))
  router.routes.replace({
    destination: '0.0.0.0/0',
    nextHops: weights.map((weight, i) => ({ gateway: `198.18.${i}.2`, link: `leg${i}`, weight })),
  })
  let got = -1
  const captures: Subscription[] = weights.map((_, i) =>
    router.packets.capture({ link: `leg${i}` }, ({ packetType, bytes }) => {
      if (packetType === 'outgoing' && bytes[12] === 0x08 && bytes[13] === 0x00) got = i
    }),
  )
  sender.packets.send('eth0', frameOf(flow, src, dst))
  for (const capture of captures) capture.close()
  return got
}

function frameOf({ proto, sport, dport }: Flow, source: string, destination: string): Uint8Array {
  const payload = encodeUdp(
    { sourcePort: sport, destinationPort: dport, payload: new Uint8Array(1) },
    { source, destination },
  )
  const packet = encodeIpv4({
    tos: 0,
    identification: 1,
    dontFragment: false,
    moreFragments: false,
    fragmentOffset: 0,
    ttl: 64,
    protocol: proto,
    source,
    destination,
    options: [],
    payload,
  })
  return encodeEthernet({
    destination: ROUTER_MAC,
    source: SENDER_MAC,
    tags: [],
    etherType: EtherType.ipv4,
    payload: packet,
  })
}

function enter(kernel: LiveKernel, name: string): LiveKernel {
  return kernel.enter(kernel.namespaces.add(name))!
}

/** The i-th link out, with a neighbour behind it. */
function ensureLeg(i: number, router: LiveKernel, kernel: LiveKernel): void {
  if (router.links.get(`leg${i}`)) return
  const far = enter(kernel, `leg${i}`)
  router.links.add({ kind: 'veth', name: `leg${i}`, up: true, peer: { name: 'eth0', namespace: far } })
  far.links.set('eth0', { up: true })
  router.addresses.add({ link: `leg${i}`, prefix: `198.18.${i}.1/24` })
  router.neighbours.add({ link: `leg${i}`, address: `198.18.${i}.2`, mac: '02:00:00:00:01:00', state: 'permanent' })
}
