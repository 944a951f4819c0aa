/**
 * Which of several next hops a flow takes: X2. One router with a link in and one out for every next hop; each flow is one
 * UDP datagram, and the link it leaves by is the answer.
 */
import type { LiveKernel } from '../kernel/live.ts'
import type { Machine } from '../lab/machine.ts'
import { EtherType, encodeEthernet } from '../wire/ethernet.ts'
import { encodeIpv4 } from '../wire/ipv4.ts'
import { encodeUdp } from '../wire/udp.ts'
import type { Flow } from './question.ts'

export type AnsweredFlow = Flow & { readonly got: number }

const ROUTER_MAC = '02:00:00:00:00:01'
const SENDER_MAC = '02:00:00:00:00:02'

/** Milliseconds until the last datagram has been seen. */
const PATIENCE = 1_000
const ATTEMPTS = 5

/** Where the ID stands in a frame. */
const IDENTIFICATION = 18

/** `got` is the index of the next hop in the route's order; −1 where the datagram left by none. */
export async function answerFlows(flows: readonly Flow[], machine: Machine): Promise<AnsweredFlow[]> {
  const { kernel } = machine
  const names: string[] = []
  const enter = (name: string): LiveKernel => {
    names.push(`ecmp-${name}-${machine.processes.own.id}`)
    return kernel.enter(kernel.namespaces.add(names.at(-1)!))!
  }
  try {
    const router = enter('router')
    const sender = enter('sender')
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
    const legs = Math.max(...flows.map(({ w }) => w.length))
    for (let i = 0; i < legs; i++) addLeg(i, router, enter(`leg${i}`))
    const got = new Map<number, number>()
    const capture = router.packets.capture({}, ({ packetType, bytes, link }) => {
      const isIpv4 = bytes[12] === 0x08 && bytes[13] === 0x00
      if (packetType !== 'outgoing' || !isIpv4 || !link.startsWith('leg')) return
      got.set((bytes[IDENTIFICATION]! << 8) | bytes[IDENTIFICATION + 1]!, Number(link.slice('leg'.length)))
    })
    try {
      // A link that has just come up loses what it is given until it has a queue: what was not seen is sent again.
      for (let attempt = 0; attempt < ATTEMPTS && got.size < flows.length; attempt++) {
        for (const [i, flow] of flows.entries()) {
          if (got.has(i)) continue
          configure(flow, router)
          sender.packets.send('eth0', frameOf(flow, i))
        }
        await machine.until(() => got.size === flows.length, PATIENCE)
      }
    } finally {
      capture.close()
    }
    return flows.map((flow, i) => ({ ...flow, got: got.get(i) ?? -1 }))
  } finally {
    for (const name of names) kernel.namespaces.delete(name)
  }
}

function configure({ seed, policy, w: weights }: Flow, router: LiveKernel): void {
  router.sysctl.set('net/ipv4/fib_multipath_hash_policy', String(policy))
  router.sysctl.set('net/ipv4/fib_multipath_hash_seed', String(seed))
  router.routes.replace({
    destination: '0.0.0.0/0',
    nextHops: weights.map((weight, i) => ({ gateway: `198.18.${i}.2`, link: `leg${i}`, weight })),
  })
}

/** Its ID is its number. */
function frameOf({ src: source, dst: destination, proto, sport, dport }: Flow, identification: number): Uint8Array {
  const payload = encodeUdp(
    { sourcePort: sport, destinationPort: dport, payload: new Uint8Array(1) },
    { source, destination },
  )
  const packet = encodeIpv4({
    tos: 0,
    identification,
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

/** The i-th link out, with a neighbour behind it. */
function addLeg(i: number, router: LiveKernel, far: LiveKernel): void {
  router.links.add({ kind: 'veth', name: `leg${i}`, up: true, peer: { name: 'eth0', namespace: far } })
  far.links.set('eth0', { up: true })
  router.addresses.add({ link: `leg${i}`, prefix: `198.18.${i}.1/24` })
  router.neighbours.add({ link: `leg${i}`, address: `198.18.${i}.2`, mac: '02:00:00:00:01:00', state: 'permanent' })
}
