/** What is known of a packet beside its bytes: `meta`. Source: net/netfilter/nft_meta.c, net/bridge/netfilter/nft_meta_bridge.c. */
import type { NftExpression, NftFamily, NftMetaKey } from '../../../kernel/nftables.ts'
import type { Device } from '../../device/device.ts'
import { unsupported } from '../../observer.ts'
import { PacketFor } from '../../packet.ts'
import type { Compiled } from './compile.ts'
import { hostU32, setHostU32, setText } from './host-order.ts'
import { type Machine, NetfilterProtocol, NO_TRANSPORT, type Operation } from './machine.ts'
import { refusal } from './refusal.ts'
import type { Registers } from './registers.ts'
import { BREAK, CONTINUE, STOLEN } from './verdict.ts'

type Meta = Extract<NftExpression, { type: 'meta' }>
type MetaSet = Extract<NftExpression, { type: 'meta set' }>

/** IFNAMSIZ. */
const NAME_LENGTH = 16

/** ARPHRD_*, linux/if_arp.h. */
const DeviceType = { ether: 1, loopback: 772, tunnel: 65534 } as const

/** The value as a number of one register; undefined where the packet has none of it: BREAK. */
export type NumberKey = Exclude<NftMetaKey, 'iifname' | 'oifname' | 'bri_iifname' | 'bri_oifname' | 'skgid' | 'nftrace'>
export type TextKey = 'iifname' | 'oifname' | 'bri_iifname' | 'bri_oifname'

export const NUMBERS: { readonly [K in NumberKey]: (machine: Machine) => number | undefined } = {
  len: ({ packet, data }) => packet.end - data,
  // Big endian in the first two bytes.
  protocol: ({ packet: { protocol } }) => ((protocol & 0xff) << 8) | (protocol >> 8),
  priority: ({ packet }) => packet.priority,
  mark: ({ packet }) => packet.mark,
  iif: ({ input }) => input?.index ?? 0,
  oif: ({ output }) => output?.index ?? 0,
  iiftype: ({ input }) => input && typeOf(input),
  oiftype: ({ output }) => output && typeOf(output),
  skuid: ({ packet }) => packet.ownerUid,
  nfproto: ({ protocol }) => protocol,
  l4proto: ({ transportProtocol }) => (transportProtocol === NO_TRANSPORT ? undefined : transportProtocol),
  pkttype: packetType,
  cpu: () => 0,
  iifgroup: ({ input }) => input?.group,
  oifgroup: ({ output }) => output?.group,
  cgroup: ({ packet }) => (packet.ownerUid === undefined ? undefined : 0),
}

export const TEXTS: { readonly [K in TextKey]: (machine: Machine) => string } = {
  iifname: ({ input }) => input?.name ?? '',
  oifname: ({ output }) => output?.name ?? '',
  bri_iifname: ({ input }) => bridgeOf(input),
  bri_oifname: ({ output }) => bridgeOf(output),
}

/** Bytes of the value; of the others a whole register. */
const LENGTHS: Partial<Record<NftMetaKey, number>> = {
  protocol: 2,
  iiftype: 2,
  oiftype: 2,
  nfproto: 1,
  l4proto: 1,
  pkttype: 1,
}

export function isTextKey(key: NftMetaKey): key is TextKey {
  return key in TEXTS
}

export function compileMeta({ key, register }: Meta, registers: Registers, family: NftFamily): Compiled {
  if (key.startsWith('bri_') && family !== 'bridge') throw refusal('EOPNOTSUPP')
  if (isTextKey(key)) {
    const at = registers.store(register, NAME_LENGTH)
    const text = TEXTS[key]
    return {
      operation(machine) {
        setText(machine.registers, at, NAME_LENGTH, text(machine))
        return CONTINUE
      },
    }
  }
  // What is traced, a journey tells.
  if (key === 'nftrace') throw refusal('EOPNOTSUPP')
  const at = registers.store(register, LENGTHS[key] ?? 4)
  if (key === 'skgid') return { operation: groupOfOwner }
  const number = NUMBERS[key]
  return {
    operation(machine) {
      const value = number(machine)
      if (value === undefined) return BREAK
      setHostU32(machine.registers, at, value)
      return CONTINUE
    },
  }
}

/** `meta iifname "veth*"`: the name, or with fewer bytes than it has room for its beginning, against a constant. */
export function nameTest(key: TextKey, value: Uint8Array, isEqual: boolean): Operation {
  const text = TEXTS[key]
  const end = value.indexOf(0)
  const wanted = String.fromCharCode(...(end < 0 ? value : value.subarray(0, end)))
  const match = isEqual ? CONTINUE : BREAK
  const miss = isEqual ? BREAK : CONTINUE
  if (end >= 0 && value.subarray(end).some((byte) => byte !== 0)) return () => miss
  return end < 0
    ? (machine) => (text(machine).startsWith(wanted) ? match : miss)
    : (machine) => (text(machine) === wanted ? match : miss)
}

/** A number against a constant, without a register between them. */
export function numberTest(key: NumberKey, value: Uint8Array, isEqual: boolean): Operation {
  const number = NUMBERS[key]
  const padded = new Uint8Array(4)
  padded.set(value)
  const bits = value.length === 4 ? 0xffff_ffff : (1 << (8 * value.length)) - 1
  const wanted = hostU32(padded, 0)
  const match = isEqual ? CONTINUE : BREAK
  const miss = isEqual ? BREAK : CONTINUE
  return (machine) => {
    const seen = number(machine)
    if (seen === undefined) return BREAK
    return (seen & bits) >>> 0 === wanted ? match : miss
  }
}

export function isNumberKey(key: NftMetaKey): key is NumberKey {
  return key in NUMBERS
}

export function compileMetaSet({ key, source }: MetaSet, registers: Registers): Compiled {
  if (key === 'mark' || key === 'priority') {
    const at = registers.load(source, 4)
    return {
      operation(machine) {
        machine.packet[key] = hostU32(machine.registers, at)
        return CONTINUE
      },
    }
  }
  if (key === 'nftrace') {
    registers.load(source, 1)
    return { operation: () => CONTINUE }
  }
  if (key !== 'pkttype') throw refusal('EOPNOTSUPP')
  const at = registers.load(source, 1)
  return {
    allows: ({ hook }) => hook === 'prerouting' || hook === 'ingress',
    operation(machine) {
      const type = machine.registers[at]!
      // skb_pkt_type_ok
      if (type <= PacketFor.otherhost && machine.packet.for <= PacketFor.otherhost) machine.packet.for = type
      return CONTINUE
    },
  }
}

function typeOf({ kind, hasLinkLayer }: Device): number {
  if (kind === 'loopback') return DeviceType.loopback
  return hasLinkLayer ? DeviceType.ether : DeviceType.tunnel
}

function bridgeOf(port: Device | undefined): string {
  return port?.master?.kind === 'bridge' ? port.master.name : ''
}

/** nft_meta_get_eval_pkttype_lo: what comes over loopback is told by its address. */
export function packetType({ packet, protocol, data }: Machine): number {
  if (packet.for !== PacketFor.loopback) return packet.for
  if (protocol === NetfilterProtocol.ip) {
    return packet.bytes[data + 16]! >> 4 === 0xe ? PacketFor.multicast : PacketFor.broadcast
  }
  if (protocol === NetfilterProtocol.ip6) return PacketFor.multicast
  return PacketFor.broadcast
}

function groupOfOwner({ packet }: Machine): number {
  if (packet.ownerUid === undefined) return BREAK
  unsupported(packet, 'nft meta skgid')
  return STOLEN
}
