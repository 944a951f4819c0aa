/** The structures of iptables' targets, a row each: linux/netfilter/xt_*.h, nf_nat.h, ipt_REJECT.h. */
import { formatIp, parseIp } from '../../address/ip.ts'
import type { NftFamily } from '../../kernel/nftables.ts'
import type { XtTarget } from '../../kernel/xtables.ts'
import { readSet, setFlags, writeSet, XT_SET_INFO_SIZE } from './xt-set.ts'
import type { Structure, StructureCodec } from './xt-structure.ts'

type Name = XtTarget['target']
type Named<T, N> = T extends { readonly target: infer Own } ? (N extends Own ? T : never) : never
type Of<N extends Name> = Named<XtTarget, N>
type Nat = Of<'DNAT' | 'SNAT' | 'MASQUERADE' | 'REDIRECT'>

/** NF_NAT_RANGE_*. */
const MAP_IPS = 1
const PROTO_SPECIFIED = 2
const PROTO_RANDOM = 4
const PERSISTENT = 8
const PROTO_RANDOM_FULLY = 16
const KNOWN_RANGE = 31

/** Where a range's parts stand: struct nf_nat_ipv4_multi_range_compat, nf_nat_range, nf_nat_range2. */
interface RangeLayout {
  readonly revision: number
  readonly size: number
  readonly flags: number
  readonly first: number
  readonly last: number
  readonly addressLength: 4 | 16
  readonly firstPort: number
  readonly lastPort: number
  /** Ranges, always one; only where there is a field for it. */
  readonly count?: number
}

const MULTI_RANGE: RangeLayout = {
  revision: 0,
  size: 24,
  flags: 4,
  first: 8,
  last: 12,
  addressLength: 4,
  firstPort: 16,
  lastPort: 18,
  count: 0,
}
const RANGE: RangeLayout = {
  revision: 0,
  size: 40,
  flags: 0,
  first: 4,
  last: 20,
  addressLength: 16,
  firstPort: 36,
  lastPort: 38,
}
const RANGE2: RangeLayout = { ...RANGE, revision: 2, size: 48 }

function natCodec<T extends Nat>(target: T['target'], layout: RangeLayout): StructureCodec<T> {
  const { revision, size, count } = layout
  return {
    revision,
    size,
    write(to, nat) {
      if (count !== undefined) to.setU32(count, 1)
      const { ports, random, fullyRandom } = nat
      const addresses: Of<'DNAT'>['addresses'] = 'addresses' in nat ? nat.addresses : undefined
      const persistent = 'persistent' in nat && nat.persistent
      to.setU32(
        layout.flags,
        (addresses ? MAP_IPS : 0) |
          (ports ? PROTO_SPECIFIED : 0) |
          (random ? PROTO_RANDOM : 0) |
          (persistent ? PERSISTENT : 0) |
          (fullyRandom ? PROTO_RANDOM_FULLY : 0),
      )
      if (addresses) {
        to.setBytes(layout.first, parseIp(addresses.from)).setBytes(layout.last, parseIp(addresses.to))
      }
      if (ports) to.setU16be(layout.firstPort, ports.from).setU16be(layout.lastPort, ports.to)
    },
    read(from, family) {
      const flags = from.u32(layout.flags)
      if (flags & ~KNOWN_RANGE || (count !== undefined && from.u32(count) !== 1)) return undefined
      const length = family === 'ip6' ? 16 : 4
      const address = (at: number) => formatIp(from.bytes.slice(at, at + length))
      return {
        target,
        ...(flags & MAP_IPS && { addresses: { from: address(layout.first), to: address(layout.last) } }),
        ...(flags & PROTO_SPECIFIED && {
          ports: { from: from.u16be(layout.firstPort), to: from.u16be(layout.lastPort) },
        }),
        ...(flags & PROTO_RANDOM && { random: true }),
        ...(flags & PROTO_RANDOM_FULLY && { fullyRandom: true }),
        ...(flags & PERSISTENT && { persistent: true }),
      } as T
    },
  }
}

/** IPT_ICMP_* and IP6T_ICMP6_*, in the order of their numbers. */
const REJECT_ANSWERS = [
  'icmp-net-unreachable',
  'icmp-host-unreachable',
  'icmp-proto-unreachable',
  'icmp-port-unreachable',
  'icmp-echo-reply',
  'icmp-net-prohibited',
  'icmp-host-prohibited',
  'tcp-reset',
  'icmp-admin-prohibited',
]
const REJECT_ANSWERS6 = [
  'icmp6-no-route',
  'icmp6-adm-prohibited',
  'icmp6-not-neighbour',
  'icmp6-addr-unreachable',
  'icmp6-port-unreachable',
  'icmp6-echo-reply',
  'tcp-reset',
  'icmp6-policy-fail',
  'icmp6-reject-route',
]

function rejectCodec(answers: readonly string[]): StructureCodec<Of<'REJECT'>> {
  return {
    revision: 0,
    size: 8,
    write(to, { with: answer }) {
      const number = answers.indexOf(answer)
      if (number < 0)
        throw new RangeError(`Cannot encode REJECT with "${answer}": the rule's family has no such answer`)
      to.setU32(0, number)
    },
    read(from) {
      const answer = answers[from.u32(0)]
      return answer === undefined ? undefined : { target: 'REJECT', with: answer }
    },
  }
}

const CONNMARK_ACTIONS = ['set', 'save', 'restore'] as const
const CLAMP_PMTU = 0xffff
const CT_NOTRACK = 1
const CT_NOTRACK_ALIAS = 2
const NFLOG_COPY_LENGTH = 1

const ct: StructureCodec<Of<'CT' | 'NOTRACK'>> = {
  revision: 2,
  size: 72,
  write(to, target) {
    if (target.target === 'NOTRACK') to.setU16(0, CT_NOTRACK | CT_NOTRACK_ALIAS)
    else to.setU16(0, target.notrack ? CT_NOTRACK : 0).setU16(2, target.zone ?? 0)
  },
  read(from) {
    const flags = from.u16(0)
    const zone = from.u16(2)
    if (flags & CT_NOTRACK_ALIAS) return { target: 'NOTRACK' }
    return { target: 'CT', notrack: flags === CT_NOTRACK, ...(zone > 0 && { zone }) }
  },
}

/** Of a set's own: IPSET_NO_TIMEOUT. */
const OWN_TIMEOUT = 0xffff_ffff

type Targets = { readonly [N in Name]: StructureCodec<Of<N>> }

const BOTH: Omit<Targets, 'DNAT' | 'SNAT' | 'MASQUERADE' | 'REDIRECT' | 'REJECT'> = {
  MARK: {
    revision: 2,
    size: 8,
    write: (to, { value, mask }) => to.setU32(0, value).setU32(4, mask),
    read: (from) => ({ target: 'MARK', value: from.u32(0), mask: from.u32(4) }),
  },
  CONNMARK: {
    revision: 2,
    size: 16,
    write: (to, { action, value, connectionMask, packetMask }) =>
      to.setU32(0, value).setU32(4, connectionMask).setU32(8, packetMask).setU8(14, CONNMARK_ACTIONS.indexOf(action)),
    read(from) {
      const action = CONNMARK_ACTIONS[from.u8(14)]
      return (
        action && {
          target: 'CONNMARK',
          action,
          value: from.u32(0),
          connectionMask: from.u32(4),
          packetMask: from.u32(8),
        }
      )
    },
  },
  TCPMSS: {
    revision: 0,
    size: 8,
    write: (to, { mss }) => to.setU16(0, mss === 'clamp-to-pmtu' ? CLAMP_PMTU : mss),
    read: (from) => ({ target: 'TCPMSS', mss: from.u16(0) === CLAMP_PMTU ? 'clamp-to-pmtu' : from.u16(0) }),
  },
  CT: ct as StructureCodec<Of<'CT'>>,
  NOTRACK: ct as StructureCodec<Of<'NOTRACK'>>,
  LOG: {
    revision: 0,
    size: 32,
    text: [2, 30],
    write: (to, { prefix, level, flags = 0 }) => to.setU8(0, level).setU8(1, flags).setText(2, 30, prefix),
    read: (from) => ({
      target: 'LOG',
      prefix: from.text(2, 30),
      level: from.u8(0),
      ...(from.u8(1) > 0 && { flags: from.u8(1) }),
    }),
  },
  NFLOG: {
    revision: 0,
    size: 80,
    text: [12, 64],
    write(to, { group, prefix, snapLength, threshold = 0 }) {
      to.setU32(0, snapLength ?? 0)
        .setU16(4, group)
        .setU16(6, threshold)
      to.setU16(8, snapLength === undefined ? 0 : NFLOG_COPY_LENGTH).setText(12, 64, prefix)
    },
    read(from) {
      const threshold = from.u16(6)
      return {
        target: 'NFLOG',
        group: from.u16(4),
        prefix: from.text(12, 64),
        ...(from.u16(8) & NFLOG_COPY_LENGTH && { snapLength: from.u32(0) }),
        ...(threshold > 0 && { threshold }),
      }
    },
  },
  /** struct xt_set_info_target_v3: add_set, del_set, map_set, flags, timeout. */
  SET: {
    revision: 3,
    size: 24,
    write(to, { add, delete: removed, exist, timeout }, sets) {
      for (const [i, set] of [add, removed, undefined].entries()) writeSet(to, i * XT_SET_INFO_SIZE, set, sets)
      to.setU32(12, exist ? setFlags.exist : 0).setU32(16, timeout ?? OWN_TIMEOUT)
    },
    read(from, _family, sets) {
      const [add, removed] = [readSet(from, 0, sets), readSet(from, XT_SET_INFO_SIZE, sets)]
      const timeout = from.u32(16)
      return {
        target: 'SET',
        ...(add && { add: add.set }),
        ...(removed && { delete: removed.set }),
        ...(from.u32(12) & setFlags.exist && { exist: true }),
        ...(timeout !== OWN_TIMEOUT && { timeout }),
      }
    },
  },
  TRACE: {
    revision: 0,
    size: 0,
    write: (to: Structure) => to,
    read: () => ({ target: 'TRACE' }),
  },
}

const IPV4: Targets = {
  ...BOTH,
  DNAT: natCodec<Of<'DNAT'>>('DNAT', RANGE2),
  SNAT: natCodec<Of<'SNAT'>>('SNAT', MULTI_RANGE),
  MASQUERADE: natCodec<Of<'MASQUERADE'>>('MASQUERADE', MULTI_RANGE),
  REDIRECT: natCodec<Of<'REDIRECT'>>('REDIRECT', MULTI_RANGE),
  REJECT: rejectCodec(REJECT_ANSWERS),
}

const IPV6: Targets = {
  ...BOTH,
  DNAT: natCodec<Of<'DNAT'>>('DNAT', RANGE2),
  SNAT: natCodec<Of<'SNAT'>>('SNAT', { ...RANGE, revision: 1 }),
  MASQUERADE: natCodec<Of<'MASQUERADE'>>('MASQUERADE', RANGE),
  REDIRECT: natCodec<Of<'REDIRECT'>>('REDIRECT', RANGE),
  REJECT: rejectCodec(REJECT_ANSWERS6),
}

export function targetsOf(family: NftFamily): Targets {
  return family === 'ip6' ? IPV6 : IPV4
}
