/**
 * iptables' extensions in nft's words, as nft shows them in a listing: iptables 1.8.9, the xlate functions of extensions/*.c.
 * What has no words is told by its name, `xt match recent`.
 */
import type { NftFamily } from '../../kernel/nftables.ts'
import type { XtMatch, XtRange, XtTarget } from '../../kernel/xtables.ts'
import { types } from './datatype.ts'

type Match<N> = Extract<XtMatch, { match: N }>
type Conntrack = Match<'conntrack' | 'state'>

const ALL = 0xffff_ffff
const LOG_LEVELS = ['emerg', 'alert', 'crit', 'err', 'warn', 'notice', 'info', 'debug']
const WARNING = 4

/** `transport`: the protocol that the rule is for. */
export function xlateMatch(match: XtMatch, transport: number | undefined): string {
  return matchWords(match, transport) ?? `xt match ${match.match === 'state' ? 'conntrack' : match.match}`
}

export function xlateTarget(target: XtTarget, family: NftFamily): string {
  return targetWords(target, family) ?? `xt target ${target.target}`
}

function matchWords(match: XtMatch, transport: number | undefined): string | undefined {
  switch (match.match) {
    case 'comment':
      return ''
    case 'conntrack':
    case 'state':
      return conntrackWords(match)
    case 'connmark': {
      const { mark, mask, invert } = match
      if (mask !== ALL) return `ct mark and ${hex(mask)} ${invert ? '!=' : '=='} ${hex(mark)}`
      return `ct mark ${not(invert)}${hex(mark)}`
    }
    case 'addrtype':
      return addressTypeWords(match)
    case 'icmp':
      return icmpWords(match)
    case 'icmp6':
      return icmp6Words(match)
    case 'tcp':
      if (!match.option) return match.flags || match.sourcePorts || match.destinationPorts ? undefined : ''
      return `tcp option ${match.option.value} ${match.option.invert ? 'missing' : 'exists'}`
    case 'udp':
      return match.sourcePorts || match.destinationPorts ? undefined : ''
    case 'multiport':
      return multiportWords(match, transport)
    case 'statistic':
      if (match.mode === 'random') {
        return `meta random & 2147483647 ${match.invert ? '>=' : '<'} ${match.probability}`
      }
      return `numgen inc mod ${match.every} ${not(match.invert)}${match.packet}`
    case 'rpfilter':
      return rpfilterWords(match)
    case 'pkttype':
      return `pkttype ${not(match.invert)}${match.packetType}`
    case 'set':
      return undefined
    case 'tcpmss':
      return `tcp option maxseg size ${not(match.invert)}${range(match.mss)}`
    default:
      return undefined
  }
}

function conntrackWords(match: Conntrack): string {
  const { states, status, direction, protocol } = match
  const words: string[] = []
  if (direction) words.push(`ct direction ${direction.toLowerCase()}`)
  const side = direction === 'REPLY' ? 'reply' : 'original'
  if (protocol) words.push(`ct ${side} protocol ${not(protocol.invert)}${protocol.value}`)
  if (states) {
    const nat = states.value.includes('SNAT') ? 'snat' : states.value.includes('DNAT') ? 'dnat' : undefined
    if (nat) words.push(`ct status ${nat}`)
    else words.push(`ct state ${states.invert ? '! ' : ''}${states.value.join(',').toLowerCase()}`)
  }
  if (status) {
    const names = status.value.filter((name) => name !== 'NONE').map((name) => name.toLowerCase().replace('_', '-'))
    words.push(`ct status ${status.invert ? '! ' : ''}${names.join(',')}`.trimEnd())
  }
  const addresses = [
    ['original saddr', match.originalSource],
    ['original daddr', match.originalDestination],
    ['reply saddr', match.replySource],
    ['reply daddr', match.replyDestination],
  ] as const
  for (const [name, address] of addresses) {
    if (address) words.push(`ct ${name} ${not(address.invert)}${address.value}`)
  }
  const ports = [
    ['original proto-src', match.originalSourcePort],
    ['original proto-dst', match.originalDestinationPort],
    ['reply proto-src', match.replySourcePort],
    ['reply proto-dst', match.replyDestinationPort],
  ] as const
  for (const [name, port] of ports) if (port) words.push(`ct ${name} ${not(port.invert)}${range(port.value)}`)
  return words.join(' ')
}

function addressTypeWords({ source, destination, limitInterface }: Match<'addrtype'>): string {
  const condition = source ?? destination
  const names = condition?.value.map((name) => name.toLowerCase()) ?? []
  const list = names.length > 1 ? `{ ${names.join(', ')} }` : (names[0] ?? '')
  const limit = limitInterface === 'in' ? ' . iif' : limitInterface === 'out' ? ' . oif' : ''
  const invert = source?.invert || destination?.invert || false
  return `fib ${source ? 'saddr' : 'daddr'}${limit} type ${not(invert)}${list}`
}

/** The types alone have words, not their codes. */
function icmpWords({ icmpType, codes, invert }: Match<'icmp' | 'icmp6'>): string | undefined {
  if (icmpType === 255) return 'ip protocol icmp'
  const name = types.icmpType.format(Uint8Array.of(icmpType))
  const isWhole = codes.from === 0 && codes.to === 255 && !/^\d/.test(name)
  return isWhole ? `icmp type ${not(invert)}${name}` : undefined
}

function icmp6Words({ icmpType, codes, invert }: Match<'icmp' | 'icmp6'>): string | undefined {
  const name = types.icmpv6Type.format(Uint8Array.of(icmpType))
  const isWhole = codes.from !== codes.to && !/^\d/.test(name)
  return isWhole ? `icmpv6 type ${not(invert)}${name}` : undefined
}

function multiportWords({ which, ports, invert }: Match<'multiport'>, transport: number | undefined): string {
  const name = transport === undefined ? '' : types.protocol.format(Uint8Array.of(transport))
  if (which === 'either') {
    const pairs = ports.flatMap(({ from, to }) => (from === to ? [from] : [from, to]))
    const list = pairs.map((port) => `0-65535 . ${port}, ${port} . 0-65535`).join(', ')
    return `${name} sport . ${name} dport { ${list} }`
  }
  const list = ports.map(range).join(', ')
  return `${name} ${which === 'source' ? 'sport' : 'dport'} ${not(invert)}${ports.length > 1 ? `{ ${list} }` : list}`
}

function rpfilterWords({ loose, validMark, acceptLocal, invert }: Match<'rpfilter'>): string | undefined {
  if (acceptLocal && !invert) return undefined
  const local = acceptLocal ? 'fib saddr type != local ' : ''
  return `${local}fib saddr${validMark ? ' . mark' : ''}${loose ? '' : ' . iif'} oif ${invert ? '' : '!= '}0`
}

function targetWords(target: XtTarget, family: NftFamily): string | undefined {
  switch (target.target) {
    case 'MARK':
      return `meta mark set ${setWords('mark', target.value, target.mask, true)}`
    case 'CONNMARK':
      return connmarkWords(target)
    case 'DNAT':
    case 'SNAT': {
      const { addresses, ports } = target
      const to = addresses
        ? addresses.from === addresses.to
          ? addresses.from
          : `${addresses.from}-${addresses.to}`
        : ''
      const bracketed = ports && family === 'ip6' && to ? `[${to}]` : to
      return `${target.target.toLowerCase()} to ${bracketed}${ports ? `:${range(ports)}` : ''}${flagWords(target)}`
    }
    case 'MASQUERADE':
    case 'REDIRECT':
      return `${target.target.toLowerCase()}${target.ports ? ` to :${range(target.ports)}` : ''}${flagWords(target)}`
    case 'REJECT':
      return rejectWords(target.with)
    case 'TCPMSS':
      return `tcp option maxseg size set ${target.mss === 'clamp-to-pmtu' ? 'rt mtu' : target.mss}`
    case 'CT':
      return target.notrack ? 'notrack' : undefined
    case 'NOTRACK':
      return 'notrack'
    case 'LOG':
      return logWords(target)
    case 'SET':
      return undefined
    case 'TRACE':
      return 'nftrace set 1'
    case 'NFLOG':
      return `log${target.prefix ? ` prefix "${target.prefix}"` : ''} group ${target.group}`
  }
}

/** new = (old & ~mask) ^ value. */
function setWords(old: string, value: number, mask: number, maskFirst: boolean): string {
  if (mask === ALL) return hex(value)
  if (value === 0) return `${old} and ${hex(~mask)}`
  if (value === mask) return `${old} or ${hex(value)}`
  if (mask === 0) return `${old} xor ${hex(value)}`
  return maskFirst ? `${old} and ${hex(~mask)} xor ${hex(value)}` : `${old} xor ${hex(value)} and ${hex(~mask)}`
}

function connmarkWords({
  action,
  value,
  connectionMask,
  packetMask,
}: Extract<XtTarget, { target: 'CONNMARK' }>): string | undefined {
  if (action === 'set') return `ct mark set ${setWords('ct mark', value, connectionMask, false)}`
  if (connectionMask !== packetMask) return undefined
  const masked = packetMask === ALL ? '' : ` and ${hex(packetMask)}`
  return action === 'save' ? `ct mark set mark${masked}` : `meta mark set ct mark${masked}`
}

function flagWords(target: Extract<XtTarget, { target: 'DNAT' | 'SNAT' | 'MASQUERADE' | 'REDIRECT' }>): string {
  const persistent = 'persistent' in target && target.persistent
  const words = [target.random && 'random', target.fullyRandom && 'fully-random', persistent && 'persistent']
  const told = words.filter(Boolean)
  return told.length > 0 ? ` ${told.join(',')}` : ''
}

const REJECT_WORDS: Readonly<Record<string, string>> = {
  'icmp-net-unreachable': 'icmp type net-unreachable',
  'icmp-host-unreachable': 'icmp type host-unreachable',
  'icmp-proto-unreachable': 'icmp type prot-unreachable',
  'icmp-net-prohibited': 'icmp type net-prohibited',
  'icmp-host-prohibited': 'icmp type host-prohibited',
  'icmp-admin-prohibited': 'icmp type admin-prohibited',
  'icmp6-no-route': 'icmpv6 type no-route',
  'icmp6-adm-prohibited': 'icmpv6 type admin-prohibited',
  'icmp6-addr-unreachable': 'icmpv6 type addr-unreachable',
  'icmp6-policy-fail': 'icmpv6 type policy-fail',
  'icmp6-reject-route': 'icmpv6 type reject-route',
  'tcp-reset': 'tcp reset',
}

/** An unreachable port is what is meant without words. */
function rejectWords(answer: string): string {
  const words = REJECT_WORDS[answer]
  return words === undefined ? 'reject' : `reject with ${words}`
}

function logWords({ prefix, level, flags = 0 }: Extract<XtTarget, { target: 'LOG' }>): string {
  const tcp = [flags & 1 && 'sequence', flags & 2 && 'options'].filter(Boolean)
  const others = [flags & 4 && 'ip options', flags & 8 && 'skuid', flags & 32 && 'ether'].filter(Boolean)
  return (
    `log${prefix ? ` prefix "${prefix}"` : ''}${level === WARNING ? '' : ` level ${LOG_LEVELS[level]}`}` +
    (tcp.length > 0 ? ` flags tcp ${tcp.join(',')}` : '') +
    others.map((word) => ` flags ${word}`).join('')
  )
}

function range({ from, to }: XtRange): string {
  return from === to ? `${from}` : `${from}-${to}`
}

function not(invert: boolean): string {
  return invert ? '!= ' : ''
}

function hex(value: number): string {
  return `0x${(value >>> 0).toString(16)}`
}
