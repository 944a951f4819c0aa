/** The structures of iptables' matches, a row each: linux/netfilter/xt_*.h, linux/netfilter_ipv4/ipt_*.h. */
import type { XtAddressType, XtMatch, XtRange } from '../../kernel/xtables.ts'
import { conntrack } from './xt-conntrack.ts'
import { readSet, setFlags, writeSet } from './xt-set.ts'
import { type Structure, type StructureCodec, withoutUndefined } from './xt-structure.ts'

type Name = XtMatch['match']
type Named<M, N> = M extends { readonly match: infer Own } ? (N extends Own ? M : never) : never
type Of<N extends Name> = Named<XtMatch, N>
type Invertible<T> = { readonly value: T; readonly invert: boolean }

const LAST_PORT = 0xffff
const IFNAMSIZ = 16
const INET_ADDRESS = 16

/** Bits are those of RTN_*. */
const ADDRESS_TYPES: readonly XtAddressType[] = [
  'UNSPEC',
  'UNICAST',
  'LOCAL',
  'BROADCAST',
  'ANYCAST',
  'MULTICAST',
  'BLACKHOLE',
  'UNREACHABLE',
  'PROHIBIT',
]

const RECENT_ACTIONS = { rcheck: 1, set: 2, update: 4, remove: 8 } as const
const RECENT_REAP = 32
const PHYSDEV_BITS = { input: 1, output: 2, isBridged: 4, isIn: 8, isOut: 16 } as const
const PACKET_TYPES = ['unicast', 'broadcast', 'multicast', 'otherhost'] as const
const MULTIPORT_SIDES = ['source', 'destination', 'either'] as const
const MULTI_PORTS = 15

function markCodec(name: 'mark' | 'connmark'): StructureCodec<Of<'mark' | 'connmark'>> {
  return {
    revision: 1,
    size: 16,
    write: (to, { mark, mask, invert }) => to.setU32(0, mark).setU32(4, mask).setU8(8, Number(invert)),
    read: (from) => ({ match: name, mark: from.u32(0), mask: from.u32(4), invert: from.u8(8) !== 0 }),
  }
}

function icmpCodec(name: 'icmp' | 'icmp6'): StructureCodec<Of<'icmp' | 'icmp6'>> {
  return {
    revision: 0,
    size: 8,
    write: (to, { icmpType, codes, invert }) =>
      to.setU8(0, icmpType).setU8(1, codes.from).setU8(2, codes.to).setU8(3, Number(invert)),
    read: (from) => ({
      match: name,
      icmpType: from.u8(0),
      codes: { from: from.u8(1), to: from.u8(2) },
      invert: from.u8(3) !== 0,
    }),
  }
}

const INVERT_SOURCE = 1
const INVERT_DESTINATION = 2
const INVERT_FLAGS = 4
const INVERT_OPTION = 8

/** Ports of tcp and udp, and what of them is turned round. */
function writePorts(to: Structure, { sourcePorts, destinationPorts }: Omit<Of<'udp'>, 'match'>): number {
  writeRange(to, 0, sourcePorts?.value ?? { from: 0, to: LAST_PORT })
  writeRange(to, 4, destinationPorts?.value ?? { from: 0, to: LAST_PORT })
  return (sourcePorts?.invert ? INVERT_SOURCE : 0) | (destinationPorts?.invert ? INVERT_DESTINATION : 0)
}

function readPorts(from: Structure, inverted: number): Pick<Of<'udp'>, 'sourcePorts' | 'destinationPorts'> {
  const told = (at: number, bit: number): Invertible<XtRange> | undefined => {
    const value = readRange(from, at)
    const invert = (inverted & bit) !== 0
    return value.from === 0 && value.to === LAST_PORT && !invert ? undefined : { value, invert }
  }
  const [sourcePorts, destinationPorts] = [told(0, INVERT_SOURCE), told(4, INVERT_DESTINATION)]
  return { ...(sourcePorts && { sourcePorts }), ...(destinationPorts && { destinationPorts }) }
}

function writeRange(to: Structure, at: number, range: XtRange): void {
  to.setU16(at, range.from).setU16(at + 2, range.to)
}

function readRange(from: Structure, at: number): XtRange {
  return { from: from.u16(at), to: from.u16(at + 2) }
}

export const MATCHES: { readonly [N in Name]: StructureCodec<Of<N>> } = {
  conntrack,
  state: conntrack,
  comment: {
    revision: 0,
    size: 256,
    text: [0, 256],
    write: (to, { comment }) => to.setText(0, 256, comment),
    read: (from) => ({ match: 'comment', comment: from.text(0, 256) }),
  },
  mark: markCodec('mark'),
  connmark: markCodec('connmark'),
  addrtype: {
    revision: 1,
    size: 8,
    write(to, { source, destination, limitInterface }) {
      const bits = (types: readonly XtAddressType[] | undefined) =>
        ADDRESS_TYPES.reduce((sum, type, bit) => (types?.includes(type) ? sum | (1 << bit) : sum), 0)
      to.setU16(0, bits(source?.value)).setU16(2, bits(destination?.value))
      const limit = limitInterface === 'in' ? 4 : limitInterface === 'out' ? 8 : 0
      to.setU32(4, (source?.invert ? 1 : 0) | (destination?.invert ? 2 : 0) | limit)
    },
    read(from) {
      const flags = from.u32(4)
      const told = (at: number, bit: number) => {
        const value = ADDRESS_TYPES.filter((_, type) => from.u16(at) & (1 << type))
        return value.length > 0 ? { value, invert: (flags & bit) !== 0 } : undefined
      }
      const [source, destination] = [told(0, 1), told(2, 2)]
      const limit = flags & 4 ? 'in' : flags & 8 ? 'out' : undefined
      return {
        match: 'addrtype',
        ...(source && { source }),
        ...(destination && { destination }),
        ...(limit && { limitInterface: limit }),
      }
    },
  },
  icmp: icmpCodec('icmp'),
  icmp6: icmpCodec('icmp6'),
  tcp: {
    revision: 0,
    size: 16,
    write(to, match) {
      const { flags, option } = match
      to.setU8(8, option?.value ?? 0)
        .setU8(9, flags?.value.mask ?? 0)
        .setU8(10, flags?.value.set ?? 0)
      const inverted = (flags?.invert ? INVERT_FLAGS : 0) | (option?.invert ? INVERT_OPTION : 0)
      to.setU8(11, writePorts(to, match) | inverted)
    },
    read(from) {
      const inverted = from.u8(11)
      const flags = { value: { mask: from.u8(9), set: from.u8(10) }, invert: (inverted & INVERT_FLAGS) !== 0 }
      const option = { value: from.u8(8), invert: (inverted & INVERT_OPTION) !== 0 }
      return {
        match: 'tcp',
        ...readPorts(from, inverted),
        ...((flags.value.mask > 0 || flags.invert) && { flags }),
        ...((option.value > 0 || option.invert) && { option }),
      }
    },
  },
  udp: {
    revision: 0,
    size: 16,
    write: (to, match) => to.setU8(8, writePorts(to, match)),
    read: (from) => ({ match: 'udp', ...readPorts(from, from.u8(8)) }),
  },
  multiport: {
    revision: 1,
    size: 48,
    write(to, { which, ports, invert }) {
      let count = 0
      for (const { from, to: last } of ports) {
        to.setU16(2 + 2 * count, from)
        if (last === from) count++
        else {
          to.setU8(32 + count, 1).setU16(4 + 2 * count, last)
          count += 2
        }
      }
      if (count > MULTI_PORTS)
        throw new RangeError(`Cannot encode ${ports.length} ports: multiport has room for ${MULTI_PORTS}`)
      to.setU8(0, MULTIPORT_SIDES.indexOf(which)).setU8(1, count).setU8(47, Number(invert))
    },
    read(from) {
      const which = MULTIPORT_SIDES[from.u8(0)]
      const ports: XtRange[] = []
      for (let i = 0; i < Math.min(from.u8(1), MULTI_PORTS); i++) {
        const first = from.u16(2 + 2 * i)
        if (from.u8(32 + i) === 1) i++
        ports.push({ from: first, to: from.u16(2 + 2 * i) })
      }
      return which && { match: 'multiport', which, ports, invert: from.u8(47) !== 0 }
    },
  },
  statistic: {
    revision: 0,
    size: 24,
    idle: [12, 4],
    write(to, match) {
      to.setU16(2, Number(match.invert))
      // iptables fills the last field in either mode, and looks at it when it compares rules.
      if (match.mode === 'random') to.setU32(4, match.probability).setU32(12, match.probability)
      else {
        // The kernel counts from here up to `every`, which is one less there.
        const { every, packet } = match
        to.setU16(0, 1)
          .setU32(4, every - 1)
          .setU32(8, packet)
          .setU32(12, every - 1 - packet)
      }
    },
    read(from) {
      const invert = from.u16(2) !== 0
      const mode = from.u16(0)
      if (mode === 0) return { match: 'statistic', mode: 'random', probability: from.u32(4), invert }
      if (mode !== 1) return undefined
      return { match: 'statistic', mode: 'nth', every: from.u32(4) + 1, packet: from.u32(8), invert }
    },
  },
  physdev: {
    revision: 0,
    size: 72,
    write(to, match) {
      const { input, output } = match
      if (input) writeInterface(to, 0, input.value)
      if (output) writeInterface(to, 32, output.value)
      const bits = Object.entries(PHYSDEV_BITS) as [keyof typeof PHYSDEV_BITS, number][]
      to.setU8(
        64,
        bits.reduce((sum, [field, bit]) => (match[field]?.invert ? sum | bit : sum), 0),
      )
      to.setU8(
        65,
        bits.reduce((sum, [field, bit]) => (match[field] ? sum | bit : sum), 0),
      )
    },
    read(from) {
      const told = <T>(bit: number, value: T): Invertible<T> | undefined =>
        from.u8(65) & bit ? { value, invert: (from.u8(64) & bit) !== 0 } : undefined
      const found = {
        input: told(PHYSDEV_BITS.input, from.text(0, IFNAMSIZ)),
        output: told(PHYSDEV_BITS.output, from.text(32, IFNAMSIZ)),
        isIn: told(PHYSDEV_BITS.isIn, true),
        isOut: told(PHYSDEV_BITS.isOut, true),
        isBridged: told(PHYSDEV_BITS.isBridged, true),
      }
      return { match: 'physdev', ...withoutUndefined(found) } as Of<'physdev'>
    },
  },
  rpfilter: {
    revision: 0,
    size: 8,
    write: (to, { loose, validMark, acceptLocal, invert }) =>
      to.setU8(0, (loose ? 1 : 0) | (validMark ? 2 : 0) | (acceptLocal ? 4 : 0) | (invert ? 8 : 0)),
    read(from) {
      const flags = from.u8(0)
      return {
        match: 'rpfilter',
        loose: (flags & 1) !== 0,
        validMark: (flags & 2) !== 0,
        acceptLocal: (flags & 4) !== 0,
        invert: (flags & 8) !== 0,
      }
    },
  },
  recent: {
    revision: 1,
    size: 232,
    text: [10, 200],
    idle: [212, INET_ADDRESS],
    write(to, { action, name, side, seconds = 0, hitCount = 0, reap, invert }) {
      to.setU32(0, seconds).setU32(4, hitCount)
      to.setU8(8, RECENT_ACTIONS[action] | (reap ? RECENT_REAP : 0)).setU8(9, Number(invert))
      // The default name stays behind a shorter one, as iptables, which compares all of the field, leaves it.
      to.setText(10, 200, 'DEFAULT')
        .setText(10, 200, `${name}\0`)
        .setU8(210, side === 'source' ? 0 : 1)
      to.setBytes(212, new Uint8Array(INET_ADDRESS).fill(0xff))
    },
    read(from, family) {
      const mask = from.bytes.subarray(212, 212 + (family === 'ip6' ? 16 : 4))
      if (mask.some((byte) => byte !== 0xff)) return undefined
      const actions = Object.entries(RECENT_ACTIONS) as [Of<'recent'>['action'], number][]
      const action = actions.find(([, bit]) => from.u8(8) & bit)?.[0]
      const [seconds, hitCount] = [from.u32(0), from.u32(4)]
      return (
        action && {
          match: 'recent',
          action,
          name: from.text(10, 200),
          side: from.u8(210) === 0 ? 'source' : 'destination',
          ...(seconds > 0 && { seconds }),
          ...(hitCount > 0 && { hitCount }),
          ...(from.u8(8) & RECENT_REAP && { reap: true }),
          invert: from.u8(9) !== 0,
        }
      )
    },
  },
  limit: {
    revision: 0,
    size: 40,
    write: (to, { average, burst }) => to.setU32(0, average).setU32(4, burst),
    read: (from) => ({ match: 'limit', average: from.u32(0), burst: from.u32(4) }),
  },
  pkttype: {
    revision: 0,
    size: 8,
    write: (to, { packetType, invert }) => to.setU32(0, PACKET_TYPES.indexOf(packetType)).setU32(4, Number(invert)),
    read(from) {
      const packetType = PACKET_TYPES[from.u32(0)]
      return packetType && { match: 'pkttype', packetType, invert: from.u32(4) !== 0 }
    },
  },
  tcpmss: {
    revision: 0,
    size: 8,
    write(to, { mss, invert }) {
      writeRange(to, 0, mss)
      to.setU8(4, Number(invert))
    },
    read: (from) => ({ match: 'tcpmss', mss: readRange(from, 0), invert: from.u8(4) !== 0 }),
  },
  /** struct xt_set_info_match_v4; conditions on the counters are not here. */
  set: {
    revision: 4,
    size: 48,
    write(to, { set, invert, returnNoMatch, keepsCounters }, sets) {
      writeSet(to, 0, set, sets, invert)
      to.setU32(40, (returnNoMatch ? setFlags.returnNoMatch : 0) | (keepsCounters ? setFlags.skipCounterUpdate : 0))
    },
    read(from, _family, sets) {
      const set = readSet(from, 0, sets)
      const flags = from.u32(40)
      return (
        set && {
          match: 'set',
          set: set.set,
          invert: set.invert,
          ...(flags & setFlags.returnNoMatch && { returnNoMatch: true }),
          ...(flags & setFlags.skipCounterUpdate && { keepsCounters: true }),
        }
      )
    },
  },
}

function writeInterface(to: Structure, at: number, name: string): void {
  to.setText(at, IFNAMSIZ, name)
  const compared = name.endsWith('+') ? name.length - 1 : name.length + 1
  to.setBytes(at + IFNAMSIZ, new Uint8Array(compared).fill(0xff))
}
