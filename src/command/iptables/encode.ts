/**
 * A rule as iptables-nft says it to nftables: iptables/nft-ipv4.c, nft-ipv6.c, nft.c. Always in this order, and with a
 * counter before what the rule does:
 *
 *   -i -o -p -s -d -f   meta, payload, cmp, bitwise
 *   -m …                tcp, udp, mark and limit in nftables' own expressions, the others as extensions
 *   -j …                a verdict, NFLOG and TRACE in nftables' own expressions, the others as extensions
 */
import type { NftExpression } from '../../kernel/nftables.ts'
import type { XtMatch, XtRange } from '../../kernel/xtables.ts'
import type { Network } from './address.ts'
import { badParameter } from './error.ts'
import { type Limit, limitRate, limitUnit } from './extension/limit.ts'
import { nativeNumber } from './native.ts'
import type { Family, Invertible, Rule, Target } from './rule.ts'

type Tcp = Extract<XtMatch, { match: 'tcp' }>
type Udp = Extract<XtMatch, { match: 'udp' }>
type Mark = Extract<XtMatch, { match: 'mark' }>

/** Bytes from the network header on. */
const OFFSETS = { ip: { source: 12, destination: 16 }, ip6: { source: 8, destination: 24 } } as const
const FRAGMENT_OFFSET = 6
/** Bytes from the transport header on. */
const DESTINATION_PORT = 2
const TCP_FLAGS = 13

const LAST_PORT = 0xffff
/** NFT_REG_1, and the register of `meta set nftrace`: NFT_REG32_01. */
const REGISTER = 1
const TRACE_REGISTER = 9

export function encodeRule(rule: Rule, family: Family): NftExpression[] {
  const { source, destination } = OFFSETS[family]
  return [
    ...encodeInterface('iifname', rule.input),
    ...encodeInterface('oifname', rule.output),
    ...encodeProtocol(rule.protocol),
    ...encodeNetwork(source, rule.source),
    ...encodeNetwork(destination, rule.destination),
    ...encodeFragment(rule.fragment),
    ...rule.matches.flatMap((match) => encodeMatch(match, rule)),
    { type: 'counter', packets: rule.packets, bytes: rule.bytes },
    ...encodeTarget(rule.target),
  ]
}

function encodeInterface(key: 'iifname' | 'oifname', condition: Invertible<string> | undefined): NftExpression[] {
  if (!condition) return []
  const { value: name, invert } = condition
  const load: NftExpression = { type: 'meta', key, register: REGISTER }
  if (!name.endsWith('+')) return [load, compare(ascii(`${name}\0`), invert)]
  if (name !== '+') return [load, compare(ascii(name.slice(0, -1)), invert)]
  // No interface at all: none has this name.
  return invert ? [load, compare(ascii('INVAL/D\0'), false)] : [load]
}

function encodeProtocol(protocol: Rule['protocol']): NftExpression[] {
  if (!protocol || protocol.value === 0) return []
  return [{ type: 'meta', key: 'l4proto', register: REGISTER }, compare(Uint8Array.of(protocol.value), protocol.invert)]
}

/** A mask of whole bytes needs no `bitwise`: only those bytes are loaded. */
function encodeNetwork(offset: number, condition: Invertible<Network> | undefined): NftExpression[] {
  if (!condition) return []
  const { address, mask } = condition.value
  if (!condition.invert && mask.every((byte) => byte === 0)) return []
  const whole = mask.findIndex((byte) => byte !== 0xff)
  const length = whole < 0 ? mask.length : whole
  if (mask.subarray(length).every((byte) => byte === 0)) {
    return [payload('network', offset, length), compare(address.slice(0, length), condition.invert)]
  }
  return [payload('network', offset, mask.length), bitwise(mask, mask.length), compare(address, condition.invert)]
}

function encodeFragment(fragment: Rule['fragment']): NftExpression[] {
  if (!fragment) return []
  return [
    payload('network', FRAGMENT_OFFSET, 2),
    bitwise(Uint8Array.of(0x1f, 0xff), 2),
    compare(Uint8Array.of(0, 0), !fragment.invert),
  ]
}

function encodeMatch(match: XtMatch, rule: Rule): NftExpression[] {
  switch (match.match) {
    case 'tcp':
      return encodeTcp(match, rule)
    case 'udp':
      return encodeUdp(match, rule)
    case 'mark':
      return encodeMark(match as Mark)
    case 'limit':
      return [encodeLimit(match)]
    default:
      return [{ type: 'xt match', ...match }]
  }
}

function encodeTcp(match: Tcp, { protocol }: Rule): NftExpression[] {
  const { sourcePorts, destinationPorts, flags, option } = match
  if (option || !(sourcePorts || destinationPorts || flags)) return [{ type: 'xt match', ...match }]
  if (protocol?.value !== 6) throw badParameter("TCP match requires '-p tcp'")
  const flagBits: NftExpression[] = flags
    ? [
        payload('transport', TCP_FLAGS, 1),
        bitwise(Uint8Array.of(flags.value.mask), 1),
        compare(Uint8Array.of(flags.value.set), flags.invert),
      ]
    : []
  return [...flagBits, ...encodePorts(sourcePorts, destinationPorts)]
}

function encodeUdp(match: Udp, { protocol }: Rule): NftExpression[] {
  const { sourcePorts, destinationPorts } = match
  if (!(sourcePorts || destinationPorts)) return [{ type: 'xt match', ...match }]
  if (protocol?.value !== 17) throw badParameter("UDP match requires '-p udp'")
  return encodePorts(sourcePorts, destinationPorts)
}

/** Two single ports are looked at in one go. */
function encodePorts(source: Tcp['sourcePorts'], destination: Tcp['destinationPorts']): NftExpression[] {
  if (
    source &&
    destination &&
    source.invert === destination.invert &&
    isOne(source.value) &&
    isOne(destination.value)
  ) {
    const both = Uint8Array.of(...bytesOf(source.value.from), ...bytesOf(destination.value.from))
    return [payload('transport', 0, 4), compare(both, source.invert)]
  }
  return [...encodePortRange(0, source), ...encodePortRange(DESTINATION_PORT, destination)]
}

function encodePortRange(offset: number, ports: Invertible<XtRange> | undefined): NftExpression[] {
  if (!ports) return []
  const { from, to } = ports.value
  const load = payload('transport', offset, 2)
  if (from === to) return [load, compare(bytesOf(from), ports.invert)]
  if (from === 0 && to < LAST_PORT) {
    const operator = ports.invert ? 'gt' : 'lte'
    return [load, { type: 'cmp', register: REGISTER, operator, value: bytesOf(to) }]
  }
  const operator = ports.invert ? 'neq' : 'eq'
  return [load, { type: 'range', register: REGISTER, operator, from: bytesOf(from), to: bytesOf(to) }]
}

function encodeMark({ mark, mask, invert }: Mark): NftExpression[] {
  const load: NftExpression = { type: 'meta', key: 'mark', register: REGISTER }
  const masked = mask === 0xffff_ffff ? [] : [bitwise(nativeNumber(mask), 4)]
  return [load, ...masked, compare(nativeNumber(mark), invert)]
}

function encodeLimit({ average, burst }: Limit): NftExpression {
  return { type: 'limit', rate: BigInt(limitRate(average)), unit: BigInt(limitUnit(average).seconds), burst }
}

function encodeTarget(target: Target | undefined): NftExpression[] {
  if (!target) return []
  if ('jump' in target) return [{ type: 'verdict', verdict: target.goto ? 'goto' : 'jump', chain: target.jump }]
  if ('verdict' in target) {
    return [{ type: 'verdict', verdict: target.verdict.toLowerCase() as Lowercase<typeof target.verdict> }]
  }
  if (target.target === 'NFLOG') {
    const { prefix, group, snapLength, threshold } = target
    return [
      {
        type: 'log',
        ...(prefix && { prefix }),
        group,
        ...(snapLength !== undefined && { snapLength }),
        ...(threshold && { threshold }),
      },
    ]
  }
  if (target.target === 'TRACE') {
    return [
      { type: 'immediate', register: TRACE_REGISTER, value: Uint8Array.of(1) },
      { type: 'meta set', key: 'nftrace', source: TRACE_REGISTER },
    ]
  }
  return [{ type: 'xt target', ...target }]
}

function payload(base: 'network' | 'transport', offset: number, length: number): NftExpression {
  return { type: 'payload', base, offset, length, register: REGISTER }
}

function compare(value: Uint8Array, invert: boolean): NftExpression {
  return { type: 'cmp', register: REGISTER, operator: invert ? 'neq' : 'eq', value }
}

function bitwise(mask: Uint8Array, length: number): NftExpression {
  return { type: 'bitwise', source: REGISTER, register: REGISTER, mask, xor: new Uint8Array(length) }
}

function isOne({ from, to }: XtRange): boolean {
  return from === to && from > 0
}

function bytesOf(port: number): Uint8Array {
  return Uint8Array.of(port >> 8, port & 0xff)
}

function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0))
}
