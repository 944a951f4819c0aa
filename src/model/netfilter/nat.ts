/**
 * Network address translation: a connection's first packet decides, all others follow.
 *
 *      PREROUTING, OUTPUT  −100  destination      POSTROUTING, INPUT  100  source
 *
 * The nat chains of nftables are not hooks themselves: they are asked here, for the first packet of a connection only,
 * until one of them sets the translation up. Where none does, the connection is bound to its own addresses (a null binding),
 * which may still move its port when the answers would be another connection's.
 *
 *      nat/unique-tuple.ts  which port           nat/masquerade.ts  the address of the device
 *      nat/translate.ts     into the packet      nat/icmp-error.ts  and into errors that quote one
 *
 * Source: net/netfilter/nf_nat_core.c, nf_nat_proto.c.
 */
import { sameBytes, u32 } from '../bytes.ts'
import type { Device } from '../device/device.ts'
import type { Namespace } from '../namespace.ts'
import type { Packet } from '../packet.ts'
import { pull } from '../pieces.ts'
import {
  type Connection,
  CtInfo,
  Direction,
  type DirectionNumber,
  directionOf,
  Status,
} from './conntrack/connection.ts'
import { locate, located } from './conntrack/headers.ts'
import {
  type Address,
  hasPorts,
  invert,
  Protocol,
  sameAddress,
  sameTuple,
  sourceHash,
  type Tuple,
  type TupleFamily,
} from './conntrack/tuple.ts'
import {
  Hook,
  type HookEntry,
  type HookNumber,
  Priority,
  register,
  unregister,
  Verdict,
  type VerdictNumber,
} from './hooks.ts'
import { isTranslatableError, translateIcmpError } from './nat/icmp-error.ts'
import { noteTranslation } from './nat/note.ts'
import { addressRange, type NatKind, type NatRange } from './nat/range.ts'
import { translate } from './nat/translate.ts'
import { type Sources, type Taken, uniqueTuple } from './nat/unique-tuple.ts'

const HOOKS = [Hook.prerouting, Hook.input, Hook.output, Hook.postrouting] as const

/**
 * nf_nat_setup_info, for a rule that says so: `rule` is its name for traces. Accepts, once for each kind; a connection that
 * is confirmed is left as it is.
 */
export function setupNat(
  packet: Packet,
  connection: Connection,
  kind: NatKind,
  range: NatRange,
  rule?: string | undefined,
): VerdictNumber {
  if (rule !== undefined) {
    if (kind === 'snat') connection.sourceNatRule = rule
    else connection.destinationNatRule = rule
  }
  return packet.device.namespace.conntrack.nat.setUp(connection, kind, range)
}

export class Nat implements Sources {
  readonly #namespace: Namespace
  readonly #table: Taken
  /** Nat chains by hook, in the order in which they are asked. */
  readonly #chains = { ip: noChains(), ip6: noChains() }
  readonly #entries: { readonly [F in TupleFamily]: readonly HookEntry[] }
  /** By sourceHash of the original: nf_nat_bysource. The newest first. */
  readonly #bySource = new Map<number, Connection[]>()

  constructor(namespace: Namespace, table: Taken) {
    this.#namespace = namespace
    this.#table = table
    this.#entries = { ip: this.#hooks('ip'), ip6: this.#hooks('ip6') }
  }

  /**
   * nf_nat_register_fn: a nat chain. The hooks are there while any chain is; whether connections are tracked, without which
   * no chain is asked, is a matter of the rules.
   */
  register(family: TupleFamily, hook: HookNumber, chain: HookEntry): void {
    if (this.#isUnused(family))
      for (const [i, each] of HOOKS.entries()) this.#namespace.hooks[family].register(each, this.#entries[family][i]!)
    register(this.#chains[family][hook]!, chain)
  }

  unregister(family: TupleFamily, hook: HookNumber, chain: HookEntry): void {
    unregister(this.#chains[family][hook]!, chain)
    if (this.#isUnused(family))
      for (const [i, each] of HOOKS.entries()) this.#namespace.hooks[family].unregister(each, this.#entries[family][i]!)
  }

  #isUnused(family: TupleFamily): boolean {
    return this.#chains[family].every(({ length }) => length === 0)
  }

  #hooks(family: TupleFamily): HookEntry[] {
    return HOOKS.map((at) => ({
      priority: kindAt(at) === 'dnat' ? Priority.dstnat : Priority.srcnat,
      name: 'nat',
      call: (packet, hook, input, output) => this.#translate(family, packet, hook, input, output),
    }))
  }

  /** nf_nat_ipv4_fn, nf_nat_ipv6_fn and nf_nat_inet_fn. */
  #translate(
    family: TupleFamily,
    packet: Packet,
    hook: HookNumber,
    input: Device | undefined,
    output: Device | undefined,
  ): VerdictNumber {
    const { connection, connectionInfo: info } = packet
    if (connection === undefined) return Verdict.accept
    const kind = kindAt(hook)
    const direction = directionOf(info)
    const isRelated = info === CtInfo.related || info === CtInfo.relatedReply
    let errorAt = -1
    if (isRelated) {
      const at = locate(family, packet.bytes, packet.network, packet.end)
      if (at >= 0 && located.protocol === (family === 'ip' ? Protocol.icmp : Protocol.icmpv6)) errorAt = at
    }
    if (errorAt >= 0) {
      const changes = isTranslated(connection, kind, direction)
      if (!isTranslatableError(packet, connection, errorAt, changes)) return Verdict.drop
    } else if ((info === CtInfo.new || isRelated) && !isSetUp(connection, kind)) {
      const verdict = this.#ask(family, packet, connection, kind, hook, input, output)
      if (verdict !== Verdict.accept) return verdict
    } else if (leavesElsewhere(connection, hook, direction, output)) {
      this.#table.kill(connection)
      return Verdict.drop
    }
    if (isTranslated(connection, kind, direction))
      rewrite(packet, connection, kind, direction, hook, errorAt, output ?? input!)
    return Verdict.accept
  }

  /** Asks the chains; where none says anything, binds the connection to itself: nf_nat_alloc_null_binding. */
  #ask(
    family: TupleFamily,
    packet: Packet,
    connection: Connection,
    kind: NatKind,
    hook: HookNumber,
    input: Device | undefined,
    output: Device | undefined,
  ): VerdictNumber {
    for (const chain of this.#chains[family][hook]!) {
      const verdict = chain.call(packet, hook, input, output)
      if (verdict !== Verdict.accept) return verdict
      if (isSetUp(connection, kind)) return Verdict.accept
    }
    const { reply } = connection
    return this.setUp(connection, kind, addressRange(kind === 'snat' ? reply.destination : reply.source))
  }

  /** What the connection's packets will look like, and so its answers. */
  setUp(connection: Connection, kind: NatKind, range: NatRange): VerdictNumber {
    if (connection.confirmed) return Verdict.accept
    if (isSetUp(connection, kind)) return Verdict.drop
    const current = invert(connection.reply)!
    const { random } = this.#namespace.model
    const chosen = uniqueTuple(this.#table, this, random, current, range, connection, kind)
    if (!sameTuple(chosen, current)) {
      connection.alterReply(invert(chosen)!)
      connection.status |= kind === 'snat' ? Status.sourceNat : Status.destinationNat
    }
    if (kind === 'snat') this.#remember(connection)
    connection.status |= kind === 'snat' ? Status.sourceNatDone : Status.destinationNatDone
    return Verdict.accept
  }

  bySource(tuple: Tuple, zone: number): Connection[] {
    const same = ({ original, zone: its }: Connection) =>
      its === zone &&
      original.protocol === tuple.protocol &&
      original.sourcePart === tuple.sourcePart &&
      sameAddress(original.source, tuple.source)
    return (this.#bySource.get(sourceHash(tuple)) ?? []).filter(same)
  }

  #remember(connection: Connection): void {
    const hash = sourceHash(connection.original)
    const known = this.#bySource.get(hash)
    if (known) known.unshift(connection)
    else this.#bySource.set(hash, [connection])
  }

  /** nf_nat_cleanup_conntrack: the connection has ended. */
  forget(connection: Connection): void {
    const hash = sourceHash(connection.original)
    const left = this.#bySource.get(hash)?.filter((other) => other !== connection)
    if (left && left.length > 0) this.#bySource.set(hash, left)
    else this.#bySource.delete(hash)
  }
}

const noChains = (): HookEntry[][] => [[], [], [], [], []]

/** HOOK2MANIP. */
function kindAt(hook: HookNumber): NatKind {
  return hook === Hook.postrouting || hook === Hook.input ? 'snat' : 'dnat'
}

/** nf_nat_initialized. */
function isSetUp({ status }: Connection, kind: NatKind): boolean {
  return (status & (kind === 'snat' ? Status.sourceNatDone : Status.destinationNatDone)) !== 0
}

/** Whether packets of this direction are changed here: answers the other way round. */
function isTranslated({ status }: Connection, kind: NatKind, direction: DirectionNumber): boolean {
  const source = (kind === 'snat') === (direction === Direction.original)
  return (status & (source ? Status.sourceNat : Status.destinationNat)) !== 0
}

/** nf_nat_oif_changed: it has another device's address. The packet goes, and the connection with it. */
function leavesElsewhere(
  { masqueradeIndex }: Connection,
  hook: HookNumber,
  direction: DirectionNumber,
  output: Device | undefined,
): boolean {
  if (masqueradeIndex === 0 || hook !== Hook.postrouting || direction !== Direction.original) return false
  return output !== undefined && output.index !== masqueradeIndex
}

/** nf_nat_packet: the packet looks as the other direction's answers expect it. */
function rewrite(
  packet: Packet,
  connection: Connection,
  kind: NatKind,
  direction: DirectionNumber,
  hook: HookNumber,
  errorAt: number,
  device: Device,
): void {
  const { bytes, network, end } = packet
  const other = connection.tuple(direction === Direction.original ? Direction.reply : Direction.original)
  const { protocol } = other
  const address = kind === 'snat' ? other.destination : other.source
  const part = kind === 'snat' && hasPorts(protocol) ? other.destinationPart : other.sourcePart
  if (packet.journey) noteTranslation(packet, device, connection, kind, direction, address, part, errorAt >= 0)
  // A route that it has already (it came over loopback) was for where it went before.
  if (hook === Hook.prerouting && packet.route !== undefined && !goesTo(packet, address)) packet.route = undefined
  if (packet.fragmentSizes !== undefined) pullHeader(packet, connection.original.family, errorAt, protocol)
  if (errorAt >= 0) translateIcmpError(packet, connection, errorAt, kind, address, part)
  else translate(bytes, network, end, kind, address, part, protocol)
}

const TCP_HEADER = 20
/** As much of a TCP header as an error quotes at least, and the whole of others. */
const SHORT_HEADER = 8

/** skb_ensure_writable of l4proto_manip_pkt: the header that is written to is in one piece. */
function pullHeader(packet: Packet, family: TupleFamily, errorAt: number, protocol: number): void {
  const { bytes, network, end } = packet
  const at = errorAt >= 0 ? locate(family, bytes, errorAt + SHORT_HEADER, end) : locate(family, bytes, network, end)
  const length = protocol === Protocol.tcp && end - at >= TCP_HEADER ? TCP_HEADER : SHORT_HEADER
  pull(packet, at + length)
}

function goesTo({ bytes, network }: Packet, address: Address): boolean {
  if (typeof address === 'number') return u32(bytes, network + 16) === address
  return sameBytes(bytes, network + 24, address, 0, 16)
}
