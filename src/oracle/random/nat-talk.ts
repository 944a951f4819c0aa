/**
 * What is said through a translator: connections from both of their ends, and errors about them. What the far end sees of
 * a connection is reckoned from the services and the source NAT; where other rules make it something else, its answers
 * are strays, which is as good.
 */
import fc from 'fast-check'
import { encodeIcmp, type Icmp } from '../../wire/icmp.ts'
import { encodeIpv4, IpProtocol } from '../../wire/ipv4.ts'
import { encodeTcp, TcpFlag } from '../../wire/tcp.ts'
import { encodeUdp } from '../../wire/udp.ts'
import { STRANGER } from './address-plan.ts'
import { countedBytes, type FrameStep, fits, frameStep, mostly, often, plainHeader, rarely } from './frame.ts'
import { BACKEND_PORTS, NARROW, SERVICE_PORTS, type Service, type SourceNat } from './nat-rules.ts'
import { ANSWERING, type NatWorld, OWN, type Party, POOL, partiesOf, SECOND, SERVICES } from './nat-world.ts'

export interface Flow {
  /** Which of the parties begins. */
  readonly client: number
  readonly to: string
  readonly protocol: 'tcp' | 'udp' | 'icmp' | 'other'
  readonly sourcePort: number
  readonly destinationPort: number
}

export interface Word {
  /** Which of the flows. */
  readonly flow: number
  readonly side: 'client' | 'server' | 'client, error' | 'server, error' | 'router, error'
  readonly segment: (typeof SEGMENTS)[number]
  readonly error: (typeof ERRORS)[number]
  readonly ttl: number
  readonly size: number
  readonly dontFragment: boolean
  /** Of the transport. */
  readonly wrongChecksum: boolean
  /** Bytes behind the header of a packet that an error quotes. */
  readonly quoted: number
  /** Which of those that it could be thinks that it is the server, or the client's address there. */
  readonly guess: number
}

export interface Talk {
  readonly flows: readonly Flow[]
  readonly words: readonly Word[]
}

const { syn, ack, fin, rst, psh } = TcpFlag
/** A connection in its order, of whichever side; and others. */
const SEGMENTS = [syn, syn | ack, ack, psh | ack, fin | ack, rst, rst | ack, 0, syn | fin] as const

const ERRORS: readonly (readonly [type: number, code: number])[] = [
  [3, 3],
  [3, 4],
  [11, 0],
  [3, 1],
  [3, 13],
  [5, 1],
  [12, 0],
  [4, 0],
  [3, 16],
]

export function talkOf(world: Pick<NatWorld, 'bridged'>, services: readonly Service[]): fc.Arbitrary<Talk> {
  const parties = partiesOf(world)
  const addresses = parties.map(({ address }) => address)
  const client = fc.nat(parties.length - 1)
  const sourcePort = mostly([40_000, 40_001, 600, 80, NARROW], 2)
  const protocol = mostly(['icmp', 'udp', 'tcp', 'other'] as const, 3)
  const toService: fc.Arbitrary<Flow> = fc
    .record({ client, sourcePort, protocol, service: fc.constantFrom(...services) })
    .map(({ service, ...flow }) => ({
      ...flow,
      protocol: service.protocol ?? flow.protocol,
      to: service.address,
      destinationPort: service.port,
    }))
  const toAny: fc.Arbitrary<Flow> = fc.record({
    client,
    to: often(
      fc.constantFrom(...addresses.slice(0, ANSWERING), OWN.w, OWN.p),
      fc.constantFrom(...addresses, ...SERVICES, SECOND),
      2,
    ),
    protocol,
    sourcePort,
    destinationPort: fc.constantFrom(...SERVICE_PORTS, ...BACKEND_PORTS),
  })
  const flow = often(toService, toAny, 1)
  const word: fc.Arbitrary<Word> = fc.record({
    flow: fc.nat(9),
    side: mostly(['client', 'server', 'server, error', 'client, error', 'router, error'], 2),
    segment: mostly(SEGMENTS, 1),
    error: mostly(ERRORS, 1),
    ttl: mostly([64, 2, 1, 3], 12),
    size: mostly([1, 0, 100, 1372, 1472], 4),
    dontFragment: rarely(3),
    wrongChecksum: rarely(24),
    quoted: mostly([8, 100, 20, 4, 0], 3),
    guess: mostly([0, 1, 2], 4),
  })
  return fc.record({
    flows: fc.array(flow, { minLength: 1, maxLength: 4 }),
    words: fc.array(word, { minLength: 1, maxLength: 14 }),
  })
}

/** A packet's ends, with ports where there are any. */
interface Tuple {
  readonly source: string
  readonly destination: string
  readonly sourcePort: number
  readonly destinationPort: number
}

interface Situation {
  readonly world: NatWorld
  readonly services: readonly Service[]
  readonly sourceNat: SourceNat
  readonly parties: readonly Party[]
}

export function framesOf(
  { flows, words }: Talk,
  world: NatWorld,
  services: readonly Service[],
  sourceNat: SourceNat,
): FrameStep[] {
  const situation = { world, services, sourceNat, parties: partiesOf(world) }
  const frames = words.map((word, i) => frameOf(word, flows[word.flow % flows.length]!, i, situation))
  return frames.filter((frame) => fits(frame, frame.ns === 'w' ? world.mtu : 1500))
}

function frameOf(word: Word, flow: Flow, i: number, situation: Situation): FrameStep {
  const { side, dontFragment, ttl } = word
  const { parties } = situation
  const client = parties[flow.client]!
  const asked: Tuple = { source: client.address, destination: flow.to, ...portsOf(flow) }
  const seen = asSeenByServer(asked, flow, word.guess, situation)
  const server = parties.find(({ address }) => address === seen.destination) ?? parties.at(-1)!
  const header = (of: Tuple) => ({ ...plainHeader(of), identification: 0x1000 + i, ttl, dontFragment })
  const packet = (tuple: Tuple, fromClient: boolean) =>
    encodeIpv4({ ...header(tuple), ...transportOf(word, flow, tuple, fromClient) })
  const error = (of: Tuple, quoted: Uint8Array) =>
    encodeIpv4({ ...header(of), dontFragment: false, protocol: IpProtocol.icmp, payload: errorOf(word, quoted) })
  switch (side) {
    case 'client':
      return send(client, asked.destination, packet(asked, true), situation)
    case 'server':
      return send(server, seen.source, packet(reversed(seen), false), situation)
    case 'server, error':
      return send(server, seen.source, error(reversed(seen), packet(seen, true)), situation)
    case 'client, error':
      return send(client, asked.destination, error(asked, packet(reversed(asked), false)), situation)
    case 'router, error': {
      // Of a router behind w.
      const there = parties.find(({ ns }) => ns === 'w')!
      const ends = { ...reversed(seen), source: STRANGER.address }
      return send(there, seen.source, error(ends, packet(seen, true)), situation)
    }
  }
}

/** To n1, or on a bridge to whoever has the address. */
function send(from: Party, to: string, packet: Uint8Array, { world, parties }: Situation): FrameStep {
  const neighbour = parties.find(({ ns, address }) => address === to && ns !== from.ns)
  const direct = world.bridged && isPod(from) && neighbour !== undefined && isPod(neighbour)
  const destination = direct ? neighbour.mac : from.gateway
  return frameStep({ ns: from.ns, dev: 'eth0' }, { source: from.mac, destination }, packet)
}

const isPod = ({ ns }: Party) => ns.startsWith('p')

const reversed = ({ source, destination, sourcePort, destinationPort }: Tuple): Tuple => ({
  source: destination,
  destination: source,
  sourcePort: destinationPort,
  destinationPort: sourcePort,
})

const portsOf = ({ sourcePort, destinationPort }: Flow) => ({ sourcePort, destinationPort })

function asSeenByServer(asked: Tuple, { protocol, to }: Flow, guess: number, situation: Situation): Tuple {
  const { services, sourceNat, parties } = situation
  const service = services.find(
    (each) =>
      each.address === to &&
      (each.protocol === undefined || (each.protocol === protocol && each.port === asked.destinationPort)),
  )
  const destination = service?.backend ?? to
  const destinationPort = (service?.protocol && service.backendPort) ?? asked.destinationPort
  const there = parties.find(({ address }) => address === destination)
  const own = !there ? OWN.w : isPod(there) ? OWN.p : there.ns === 'x' ? OWN.x : OWN.w
  const fromPod = asked.source.startsWith('10.0.1.')
  const toPod = there !== undefined && isPod(there)
  const isTranslated =
    sourceNat === 'all' ||
    (sourceNat === 'pods' && fromPod && !toPod) ||
    (sourceNat === 'marked' && to === SERVICES[0]) ||
    (sourceNat === 'hairpin' && fromPod && toPod) ||
    (sourceNat === 'narrow' && own === OWN.w && (protocol === 'tcp' || protocol === 'udp'))
  const usual = sourceNat === 'pool' && own === OWN.w ? POOL[guess]! : isTranslated ? own : asked.source
  const source = guess === 0 || sourceNat === 'pool' ? usual : guess === 1 ? asked.source : own
  const sourcePort = sourceNat === 'narrow' && isTranslated ? NARROW : asked.sourcePort
  return { source, destination, sourcePort, destinationPort }
}

function transportOf(word: Word, { protocol }: Flow, tuple: Tuple, fromClient: boolean) {
  const { size, segment, wrongChecksum } = word
  const ports = { sourcePort: tuple.sourcePort, destinationPort: tuple.destinationPort }
  const payload = countedBytes(size)
  switch (protocol) {
    case 'udp':
      return { protocol: IpProtocol.udp, payload: flip(encodeUdp({ ...ports, payload }, tuple), wrongChecksum) }
    case 'tcp': {
      const data = countedBytes(segment & psh ? Math.max(0, size - 12) : 0)
      const opened = segment & syn ? 0 : 1
      const [own, other] = fromClient ? [1000, 5000] : [5000, 1000]
      const fields = {
        sequence: own + opened,
        acknowledgment: segment & ack ? other + 1 : 0,
        flags: segment,
        window: 65_000,
        urgentPointer: 0,
        options: [],
      }
      return {
        protocol: IpProtocol.tcp,
        payload: flip(encodeTcp({ ...ports, ...fields, payload: data }, tuple), wrongChecksum),
      }
    }
    case 'icmp': {
      const identifier = fromClient ? tuple.sourcePort : tuple.destinationPort
      const echo = encodeIcmp({ kind: 'echo', reply: !fromClient, identifier, sequence: 1, data: payload })
      return { protocol: IpProtocol.icmp, payload: flip(echo, wrongChecksum) }
    }
    case 'other':
      return { protocol: 253, payload }
  }
}

function flip(bytes: Uint8Array, wrong: boolean): Uint8Array {
  if (wrong) bytes[bytes.length - 1]! ^= 1
  return bytes
}

/** About a packet, of which so many bytes behind its header are quoted. */
function errorOf({ error: [type, code], quoted, wrongChecksum }: Word, packet: Uint8Array): Uint8Array {
  const rest = type === 3 && code === 4 ? 1400 : type === 5 ? 0x0a000202 : 0
  const icmp: Icmp = { kind: 'other', type, code, rest, data: packet.subarray(0, 20 + quoted) }
  return flip(encodeIcmp(icmp), wrongChecksum)
}
