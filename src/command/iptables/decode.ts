/**
 * A rule of nftables as iptables understands it: iptables/nft-shared.c. It follows the registers, so that rules that `nft`
 * made can be told as well, as far as iptables has words for them.
 */
import type { NftExpression, NftRule } from '../../kernel/nftables.ts'
import type { XtMatch, XtRange, XtTarget } from '../../kernel/xtables.ts'
import { maskOfLength, type Network } from './address.ts'
import { IptablesError } from './error.ts'
import { LIMIT_SCALE } from './extension/limit.ts'
import { readNativeNumber } from './native.ts'
import type { Family, Invertible, Rule, Target } from './rule.ts'

type Tcp = Extract<XtMatch, { match: 'tcp' }>
type Draft = { -readonly [K in keyof Rule]: Rule[K] } & { matches: XtMatch[] }
type Cmp = Extract<NftExpression, { type: 'cmp' }>
type Range = Extract<NftExpression, { type: 'range' }>

/** What a register holds. */
interface Register {
  readonly load: Extract<NftExpression, { type: 'meta' | 'payload' | 'immediate' }>
  readonly mask?: Uint8Array
}

const OFFSETS = { ip: { source: 12, destination: 16 }, ip6: { source: 8, destination: 24 } } as const
const FRAGMENT_OFFSET = 6
const TCP_FLAGS = 13
const PACKET_TYPES = ['unicast', 'broadcast', 'multicast', 'otherhost'] as const

/** IptablesError of version when it is no rule of iptables'. */
export function decodeRule(rule: NftRule): Rule {
  const family = rule.family as Family
  const draft: Draft = { matches: [], packets: 0n, bytes: 0n }
  const registers = new Map<number, Register>()
  for (const expression of rule.expressions) decodeExpression(expression, draft, registers, family)
  if (rule.comment !== undefined) draft.matches.push({ match: 'comment', comment: rule.comment })
  return draft
}

function decodeExpression(
  expression: NftExpression,
  draft: Draft,
  registers: Map<number, Register>,
  family: Family,
): void {
  switch (expression.type) {
    case 'counter':
      draft.packets = expression.packets ?? 0n
      draft.bytes = expression.bytes ?? 0n
      return
    case 'meta':
    case 'payload':
    case 'immediate':
      registers.set(expression.register, { load: expression })
      return
    case 'bitwise': {
      const register = registers.get(expression.source)
      if (register) registers.set(expression.register, { ...register, mask: expression.mask })
      return
    }
    case 'cmp':
      decodeComparison(expression, registers.get(expression.register), draft, family)
      return
    case 'range':
      decodeRange(expression, registers.get(expression.register), draft)
      return
    case 'limit':
      if (expression.over || expression.bytes) throw strange()
      draft.matches.push({
        match: 'limit',
        average: Number((BigInt(LIMIT_SCALE) * expression.unit) / expression.rate),
        burst: expression.burst,
      })
      return
    case 'xt match': {
      const { type: _type, ...match } = expression
      draft.matches.push(match)
      return
    }
    default:
      draft.target = decodeTarget(expression)
  }
}

function decodeTarget(expression: NftExpression): Target {
  switch (expression.type) {
    case 'verdict':
      if (expression.verdict === 'jump' || expression.verdict === 'goto') {
        return { jump: expression.chain, goto: expression.verdict === 'goto' }
      }
      if (expression.verdict === 'accept') return { verdict: 'ACCEPT' }
      if (expression.verdict === 'drop') return { verdict: 'DROP' }
      if (expression.verdict === 'return') return { verdict: 'RETURN' }
      throw strange()
    case 'log': {
      const { group, prefix = '', snapLength, threshold } = expression
      if (group === undefined) throw strange()
      return {
        target: 'NFLOG',
        group,
        prefix,
        ...(snapLength !== undefined && { snapLength }),
        ...(threshold !== undefined && { threshold }),
      }
    }
    case 'meta set':
      if (expression.key === 'nftrace') return { target: 'TRACE' }
      throw strange()
    case 'xt target': {
      const { type: _type, ...target } = expression
      return target satisfies XtTarget
    }
    default:
      throw strange()
  }
}

function decodeComparison(cmp: Cmp, register: Register | undefined, draft: Draft, family: Family): void {
  if (register?.load.type === 'meta') decodeMeta(register.load.key, cmp, register, draft)
  else if (register?.load.type === 'payload' && register.load.base === 'network') {
    decodeNetworkHeader(register.load.offset, register.load.length, cmp, register, draft, family)
  } else if (register?.load.type === 'payload' && register.load.base === 'transport') {
    decodeTransportHeader(register.load.offset, register.load.length, cmp, register, draft)
  } else throw strange()
}

function decodeMeta(key: string, cmp: Cmp, { mask }: Register, draft: Draft): void {
  const invert = isInverted(cmp)
  switch (key) {
    case 'l4proto':
      draft.protocol = { value: cmp.value[0]!, invert }
      return
    case 'iifname':
      draft.input = decodeInterface(cmp.value, invert)
      return
    case 'oifname':
      draft.output = decodeInterface(cmp.value, invert)
      return
    case 'mark':
      draft.matches.push({
        match: 'mark',
        mark: readNativeNumber(cmp.value),
        mask: mask ? readNativeNumber(mask) : 0xffff_ffff,
        invert,
      })
      return
    case 'pkttype': {
      const packetType = PACKET_TYPES[cmp.value[0]!]
      if (!packetType) throw strange()
      draft.matches.push({ match: 'pkttype', packetType, invert })
      return
    }
    default:
      throw strange()
  }
}

function decodeInterface(value: Uint8Array, invert: boolean): Invertible<string> {
  const end = value.indexOf(0)
  const name = String.fromCharCode(...(end < 0 ? value : value.subarray(0, end)))
  if (name === 'INVAL/D' && !invert) return { value: '+', invert: true }
  return { value: end < 0 ? `${name}+` : name, invert }
}

function decodeNetworkHeader(
  offset: number,
  length: number,
  cmp: Cmp,
  { mask }: Register,
  draft: Draft,
  family: Family,
): void {
  const { source, destination } = OFFSETS[family]
  if (offset === source) draft.source = decodeNetwork(length, cmp, mask, family)
  else if (offset === destination) draft.destination = decodeNetwork(length, cmp, mask, family)
  else if (family === 'ip' && offset === FRAGMENT_OFFSET && mask) {
    draft.fragment = { value: true, invert: cmp.operator === 'eq' }
  } else throw strange()
}

function decodeNetwork(length: number, cmp: Cmp, mask: Uint8Array | undefined, family: Family): Invertible<Network> {
  const whole = maskOfLength(family, 8 * length)
  const address = new Uint8Array(whole.length)
  address.set(cmp.value.subarray(0, whole.length))
  return { value: { address, mask: mask ?? whole }, invert: isInverted(cmp) }
}

function decodeTransportHeader(offset: number, length: number, cmp: Cmp, { mask }: Register, draft: Draft): void {
  if (offset === TCP_FLAGS && mask && draft.protocol?.value === 6) {
    addTransport(draft, { flags: { value: { mask: mask[0]!, set: cmp.value[0]! }, invert: isInverted(cmp) } })
  } else if (offset === 0 && length === 4) {
    const invert = isInverted(cmp)
    addTransport(draft, {
      sourcePorts: { value: only(portAt(cmp.value, 0)), invert },
      destinationPorts: { value: only(portAt(cmp.value, 2)), invert },
    })
  } else if ((offset === 0 || offset === 2) && length === 2) addPorts(draft, offset, comparedPorts(cmp))
  else throw strange()
}

function decodeRange({ operator, from, to }: Range, register: Register | undefined, draft: Draft): void {
  const load = register?.load
  if (load?.type !== 'payload' || load.base !== 'transport' || (load.offset !== 0 && load.offset !== 2)) throw strange()
  addPorts(draft, load.offset, {
    value: { from: portAt(from, 0), to: portAt(to, 0) },
    invert: operator === 'neq',
  })
}

function comparedPorts({ operator, value }: Cmp): Invertible<XtRange> {
  const port = portAt(value, 0)
  switch (operator) {
    case 'eq':
    case 'neq':
      return { value: only(port), invert: operator === 'neq' }
    case 'lt':
      return { value: { from: 0, to: Math.max(port - 1, 1) }, invert: false }
    case 'lte':
      return { value: { from: 0, to: port }, invert: false }
    case 'gt':
      return { value: { from: Math.min(port + 1, 0xffff), to: 0xffff }, invert: false }
    case 'gte':
      return { value: { from: port, to: 0xffff }, invert: false }
  }
}

function addPorts(draft: Draft, offset: 0 | 2, ports: Invertible<XtRange>): void {
  addTransport(draft, offset === 0 ? { sourcePorts: ports } : { destinationPorts: ports })
}

/** All that is said of ports and flags is one match's, however many expressions say it. */
function addTransport(draft: Draft, more: Omit<Tcp, 'match'>): void {
  const name = draft.protocol?.value === 6 ? 'tcp' : draft.protocol?.value === 17 ? 'udp' : undefined
  if (!name) throw strange()
  const index = draft.matches.findIndex(({ match }) => match === name)
  const before = index < 0 ? undefined : draft.matches[index]
  const match = { ...before, match: name, ...more } as XtMatch
  if (index < 0) draft.matches.push(match)
  else draft.matches[index] = match
}

function only(port: number): XtRange {
  return { from: port, to: port }
}

function portAt(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!
}

function isInverted({ operator }: Cmp): boolean {
  return operator === 'neq'
}

function strange(): IptablesError {
  return new IptablesError('version', 'Parsing nftables rule failed')
}
