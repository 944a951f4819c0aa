/**
 * What may differ between two runs, and nothing else: test/golden/README.md, "What may differ".
 *
 *   IPv4 IDs, IPv6 fragment IDs and flow labels of packets that a kernel made: any, the same wherever the packet is seen
 *   source ports of VXLAN: from the range, one to one
 *   ports and echo identifiers that NAT has drawn: of the same class, one to one
 *
 * Each such value of the expected run is bound to the found run's at first sight; from then on it must be that.
 */
import { toHex } from '../trace/hex.ts'
import { ipv4Header } from '../wire/ipv4.ts'
import { fragmentHeader, ipv6Header } from '../wire/ipv6.ts'
import { type Layer, wordAt } from './layers.ts'
import { classOf, type Leeway } from './leeway.ts'
import { type Flow, flowOf, formatFlow, formatUndirected, type ReadFrame } from './read-frame.ts'
import { carrySums } from './sums.ts'

export interface Expected {
  /** The expected frame with the found one's values where they may differ. */
  readonly bytes: Uint8Array
  /** Why one of the found values was not taken over. */
  readonly why?: string
}

/** A field that may differ: its place, and what its value is bound by. */
interface OpenValue {
  readonly at: number
  readonly size: 2 | 4
  /** Bits of the field that are its. */
  readonly mask: number
  readonly key: string
  /** No two keys of one pool may be bound to the same value. */
  readonly pool?: string
  readonly why: string
  allows(value: number): boolean
}

const ICMP = 1
const TCP = 6
const UDP = 17
const ANY: readonly [low: number, high: number] = [0, 0xffff]
const DONT_FRAGMENT = 0x4000
const IS_FRAGMENT = 0x3fff
const LABEL = 0xfffff

export class OpenValues {
  readonly #bound = new Map<string, number>()
  /** By pool and value: the key that has it. */
  readonly #taken = new Map<string, string>()
  readonly #log: (() => void)[] = []
  /** IDs, labels and tunnels of the given frames, which stay as they are. */
  readonly #given = new Set<string>()
  readonly #namedPorts: Set<number>
  readonly #leeway: Leeway

  constructor(given: readonly ReadFrame[], leeway: Leeway) {
    this.#leeway = leeway
    this.#namedPorts = new Set(leeway.namedPorts)
    for (const frame of given) {
      for (const layer of frame.layers) {
        for (const name of namesOf(frame, layer)) this.#given.add(name)
        if (isEcho(frame.bytes, layer)) this.#namedPorts.add(wordAt(frame.bytes, layer.at + 4))
        if (!hasPorts(layer)) continue
        if (isTunnel(frame, layer)) this.#given.add(nameOfTunnel(frame, layer))
        this.#namedPorts.add(wordAt(frame.bytes, layer.at)).add(wordAt(frame.bytes, layer.at + 2))
      }
    }
  }

  /** A place to come back to, by `undo`. */
  get mark(): number {
    return this.#log.length
  }

  undo(mark: number): void {
    while (this.#log.length > mark) this.#log.pop()!()
  }

  /** What `found` must be to be this frame. */
  expected(frame: ReadFrame, found: Uint8Array): Expected {
    const { bytes, layers } = frame
    if (bytes.length !== found.length) return { bytes, why: 'length' }
    const changed = bytes.slice()
    let why: string | undefined
    for (const layer of layers) {
      for (const value of this.#openValues(frame, layer)) {
        const theirs = readValue(found, value)
        if (!value.allows(theirs) || !this.#bind(value, theirs)) why ??= value.why
        else writeValue(changed, value, theirs)
      }
    }
    if (changed.some((byte, i) => byte !== bytes[i])) carrySums(bytes, changed, found, layers)
    return { bytes: changed, ...(why !== undefined && { why }) }
  }

  #openValues(frame: ReadFrame, layer: Layer): OpenValue[] {
    if (hasPorts(layer)) return this.#openPorts(frame, layer)
    if (isEcho(frame.bytes, layer)) return this.#natPort(ICMP, layer.at + 4, wordAt(frame.bytes, layer.at + 4))
    if (layer.behind > layer.end || this.#given.has(namesOf(frame, layer)[0] ?? '')) return []
    if (layer.protocol === 'ipv4') return openId(frame, layer)
    if (layer.protocol === 'ipv6') return openLabel(frame, layer)
    if (layer.protocol === 'fragment') return openFragmentId(frame, layer)
    return []
  }

  #openPorts(frame: ReadFrame, layer: Layer): OpenValue[] {
    const protocol = layer.protocol === 'tcp' ? TCP : UDP
    const isOfTunnel = isTunnel(frame, layer)
    const isGiven = isOfTunnel && this.#given.has(nameOfTunnel(frame, layer))
    const ports = isOfTunnel ? [layer.at + 2] : [layer.at, layer.at + 2]
    return [
      ...(isOfTunnel && !isGiven ? [this.#tunnelPort(frame, layer)] : []),
      ...ports.flatMap((at) => this.#natPort(protocol, at, wordAt(frame.bytes, at))),
    ]
  }

  /**
   * One to one. Should two flows have one port by chance in the expected run, each has its own. Of real TCP sockets there is
   * one per direction of a flow. Where hashes are kept, a flow has several, and several flows have one.
   */
  #tunnelPort(frame: ReadFrame, layer: Layer): OpenValue {
    const { bytes, layers } = frame
    const { at, isQuoted } = layer
    const { portRange, realSockets = false, keptHashes = false } = this.#leeway
    // Of the frame inside, but not of what that may quote: all that is not IP is one flow.
    const inside = layers.filter((inner) => inner.at > at && inner.within === `${layer.within}inner.`)
    const flow = flowOf(bytes, inside, isQuoted)
    const boundBy = () => {
      if (keptHashes) return { key: nameOfTunnel(frame, layer) }
      if (realSockets && flow?.protocol === TCP) return { key: `tunnel ${formatFlow(flow)}` }
      return { key: `tunnel ${wordAt(bytes, at)} ${undirected(flow)}`, pool: 'tunnel' }
    }
    return {
      at,
      size: 2,
      mask: 0xffff,
      ...boundBy(),
      why: 'VXLAN source port: from ip_local_port_range, and one per inner flow',
      allows: (port) => port >= portRange[0] && port <= portRange[1],
    }
  }

  /** Of ICMP it is the identifier. */
  #natPort(protocol: number, at: number, port: number): OpenValue[] {
    const { drawnPorts, namedPorts } = this.#leeway
    const drawn = drawnPorts?.find((each) => each.port === port && (each.protocol === 'tcp' ? TCP : UDP) === protocol)
    if (!drawn && (namedPorts === undefined || this.#namedPorts.has(port))) return []
    const [low, high] = drawn?.range ?? (protocol === ICMP ? ANY : classOf(port))
    return [
      {
        at,
        size: 2,
        mask: 0xffff,
        key: `nat ${protocol} ${port}`,
        pool: `nat ${protocol}`,
        why: 'NAT port: outside its range, taken, or not the same everywhere',
        allows: (theirs) => theirs >= low && theirs <= high && !this.#namedPorts.has(theirs),
      },
    ]
  }

  #bind({ key, pool }: OpenValue, value: number): boolean {
    if (this.#bound.has(key)) return this.#bound.get(key) === value
    if (pool !== undefined) {
      const place = `${pool} ${value}`
      if (this.#taken.has(place)) return false
      this.#taken.set(place, key)
      this.#log.push(() => this.#taken.delete(place))
    }
    this.#bound.set(key, value)
    this.#log.push(() => this.#bound.delete(key))
    return true
  }
}

const hasPorts = ({ protocol, at, end }: Layer) => (protocol === 'tcp' || protocol === 'udp') && at + 4 <= end

/** Requests and answers, of either family: RFC 792, RFC 4443 §4. */
const isEcho = (bytes: Uint8Array, { protocol, at, end }: Layer) =>
  at + 6 <= end &&
  ((protocol === 'icmp' && (bytes[at] === 8 || bytes[at] === 0)) ||
    (protocol === 'icmpv6' && (bytes[at] === 128 || bytes[at] === 129)))

const isTunnel = ({ layers }: ReadFrame, { behind }: Layer) =>
  layers.some(({ protocol, at }) => protocol === 'vxlan' && at === behind)

/** The outer packet's ID, and the port that it comes from. */
function nameOfTunnel({ bytes, layers }: ReadFrame, layer: Layer): string {
  const outer = layers[layers.indexOf(layer) - 1]
  const id = outer ? wordAt(bytes, outer.at + ipv4Header.offsets.identification) : 0
  return `tunnel ${id} ${wordAt(bytes, layer.at)}`
}

const undirected = (flow: Flow | undefined) => (flow ? formatUndirected(flow) : '')

/** ID 0 with DF is what a kernel writes that needs none (RFC 6864). */
function openId({ bytes }: ReadFrame, { at }: Layer): OpenValue[] {
  const { identification, flagsAndOffset, protocol, source } = ipv4Header.offsets
  const id = wordAt(bytes, at + identification)
  const flags = wordAt(bytes, at + flagsAndOffset)
  if (id === 0 && (flags & DONT_FRAGMENT) !== 0) return []
  // A tunnel packet keeps its addresses, an ICMP error may be translated on its way.
  const keeps = bytes[at + protocol] === UDP
  const addresses = keeps ? toHex(bytes.subarray(at + source, at + source + 8)) : ''
  return [
    {
      at: at + identification,
      size: 2,
      mask: 0xffff,
      key: `id ${bytes[at + protocol]} ${id} ${addresses}`,
      ...((flags & IS_FRAGMENT) !== 0 && { pool: 'id' }),
      why: 'not the ID that this packet had at another tap',
      allows: () => true,
    },
  ]
}

function openFragmentId({ bytes }: ReadFrame, { at }: Layer): OpenValue[] {
  const place = { at: at + fragmentHeader.offsets.identification, size: 4, mask: 0xffffffff } as const
  const key = `fragment ${readValue(bytes, place)}`
  return [{ ...place, key, pool: 'fragment', why: 'not one ID for all of a packet', allows: () => true }]
}

function openLabel({ bytes }: ReadFrame, { at }: Layer): OpenValue[] {
  const place = { at: at + ipv6Header.offsets.versionClassLabel, size: 4, mask: LABEL } as const
  const label = readValue(bytes, place)
  if (label === 0) return []
  return [{ ...place, key: `label ${label}`, why: 'not the flow label that it had before', allows: () => true }]
}

/**
 * Its own name, and those under which the ID or the label of a given packet is known again. An ID alone is no name: by
 * chance a kernel gives it to a tunnel packet, or to the ICMP error about the packet that has it.
 */
function namesOf({ bytes, layers }: ReadFrame, layer: Layer): string[] {
  const { at, protocol } = layer
  if (protocol === 'ipv6') {
    const label = readValue(bytes, { at: at + ipv6Header.offsets.versionClassLabel, size: 4, mask: LABEL })
    return [`label ${label}`]
  }
  if (protocol === 'fragment') {
    return [
      `fragment ${readValue(bytes, { at: at + fragmentHeader.offsets.identification, size: 4, mask: 0xffffffff })}`,
    ]
  }
  if (protocol !== 'ipv4') return []
  const id = wordAt(bytes, at + ipv4Header.offsets.identification)
  const name = `id ${bytes[at + ipv4Header.offsets.protocol]} ${id}`
  if ((wordAt(bytes, at + ipv4Header.offsets.flagsAndOffset) & 0x1fff) !== 0) return [`${name} fragment`]
  const carried = layers[layers.indexOf(layer) + 1]
  const isTunnel = layers[layers.indexOf(layer) + 2]?.protocol === 'vxlan'
  const kind = isTunnel ? 'tunnel' : carried?.protocol === 'icmp' ? `icmp ${bytes[carried.at]}` : ''
  return [`${name} ${kind}`, `${name} fragment`]
}

type Place = Pick<OpenValue, 'at' | 'size' | 'mask'>

function readValue(bytes: Uint8Array, { at, size, mask }: Place): number {
  const value = size === 2 ? wordAt(bytes, at) : wordAt(bytes, at) * 0x10000 + wordAt(bytes, at + 2)
  return (value & mask) >>> 0
}

function writeValue(bytes: Uint8Array, { at, size, mask }: Place, value: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  if (size === 2) view.setUint16(at, value)
  else view.setUint32(at, ((view.getUint32(at) & ~mask) | value) >>> 0)
}
