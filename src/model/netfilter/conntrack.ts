/**
 * Connection tracking: nf_conntrack. One table for each namespace, looked at only while some rule asks for it.
 *
 *      PREROUTING, OUTPUT  −400  fragments are put together      defrag.ts
 *                          −200  whose connection is it?         conntrack/track.ts
 *      POSTROUTING, INPUT  last  a new connection is confirmed   here
 *
 * A connection that no packet has taken to the end of its path is in no table: what is dropped leaves nothing behind.
 * There are no timers: an entry that has outlived its time is passed over, and taken away when somebody comes by.
 *
 *      conntrack/connection.ts  a connection       conntrack/tuple.ts  its two directions
 *      conntrack/tcp.ts udp.ts icmp.ts             the protocols' trackers
 *      nat.ts                                      translation
 *
 * Not modelled: helpers and expectations (FTP, SIP …), SCTP, GRE's keys, labels, accounting, zones for one direction.
 *
 * Source: net/netfilter/nf_conntrack_core.c, nf_conntrack_proto.c.
 */
import type { Conntrack } from '../../kernel/conntrack.ts'
import { u16, u32 } from '../bytes.ts'
import { SECOND } from '../clock.ts'
import type { Namespace } from '../namespace.ts'
import type { Packet } from '../packet.ts'
import { Connection, CtInfo, Direction, directionOf, Status } from './conntrack/connection.ts'
import { listConnections, tupleOf } from './conntrack/listing.ts'
import { type ConntrackSettings, conntrackSettings } from './conntrack/settings.ts'
import { TcpState } from './conntrack/tcp-track.ts'
import { type Lookups, track } from './conntrack/track.ts'
import { refresh } from './conntrack/tracking.ts'
import { hash4, hash6, hashOf, Protocol, sameTuple, type Tuple, type TupleFamily } from './conntrack/tuple.ts'
import { defragment, defragment6 } from './defrag.ts'
import { Hook, type HookEntry, type HookNumber, Priority, Verdict, type VerdictNumber } from './hooks.ts'
import { Nat } from './nat.ts'

/** NF_CT_EVICTION_RANGE: chains that are searched for an entry to give up when the table is full. */
const EVICTION_RANGE = 8
const FIRST_SIZE = 256

interface Registration {
  readonly hook: HookNumber
  readonly entry: HookEntry
}

export class ConntrackTable implements Lookups {
  readonly namespace: Namespace
  readonly settings: ConntrackSettings
  readonly nat: Nat
  readonly #users = { ip: 0, ip6: 0 }
  readonly #registrations: { readonly [F in TupleFamily]: readonly Registration[] }
  /** Confirmed ones, in the order in which they were. */
  readonly #connections = new Set<Connection>()
  #chains: (Tuple | undefined)[] = new Array(FIRST_SIZE).fill(undefined)
  #sweepAt = FIRST_SIZE

  constructor(namespace: Namespace) {
    this.namespace = namespace
    this.settings = conntrackSettings(namespace.model.profile)
    this.nat = new Nat(namespace, this)
    this.#registrations = { ip: this.#hooks('ip'), ip6: this.#hooks('ip6') }
  }

  get now(): number {
    return this.namespace.model.clock.now
  }

  /** nf_ct_netns_get: a rule needs to know connections of this family. The first one turns tracking on. */
  use(family: TupleFamily): void {
    if (this.#users[family]++ > 0) return
    for (const { hook, entry } of this.#registrations[family]) this.namespace.hooks[family].register(hook, entry)
    // What was missed meanwhile must not make segments look out of the window: nf_ct_tcp_fixup.
    for (const { original, tcp } of this.#connections) {
      if (original.family !== family || !tcp) continue
      tcp.sides[0].maxWindow = 0
      tcp.sides[1].maxWindow = 0
    }
  }

  /** nf_ct_netns_put. With the last one tracking ends; connections stay until their time is over. */
  release(family: TupleFamily): void {
    if (--this.#users[family] > 0) return
    for (const { hook, entry } of this.#registrations[family]) this.namespace.hooks[family].unregister(hook, entry)
  }

  #hooks(family: TupleFamily): Registration[] {
    const defrag: HookEntry = {
      priority: Priority.conntrackDefrag,
      name: 'defrag',
      call: (packet, hook, input, output) =>
        family === 'ip' ? defragment(packet, hook, input ?? output!) : defragment6(packet, hook, input ?? output!),
    }
    const classify: HookEntry = {
      priority: Priority.conntrack,
      name: 'conntrack',
      call: (packet, hook, input, output) => track(this, family, packet, hook, input ?? output!),
    }
    const classifyLocal: HookEntry = {
      ...classify,
      // A fragment that a socket made itself (IP_NODEFRAG) has no ports to go by.
      call: (packet, hook, input, output) =>
        family === 'ip' && u16(packet.bytes, packet.network + 6) & 0x3fff
          ? Verdict.accept
          : track(this, family, packet, hook, input ?? output!),
    }
    const confirm = (priority: number): HookEntry => ({
      priority,
      name: 'conntrack confirm',
      call: (packet) => this.confirm(packet),
    })
    return [
      { hook: Hook.prerouting, entry: defrag },
      { hook: Hook.output, entry: defrag },
      { hook: Hook.prerouting, entry: classify },
      { hook: Hook.output, entry: classifyLocal },
      { hook: Hook.postrouting, entry: confirm(Priority.conntrackConfirm) },
      // NF_IP6_PRI_LAST − 1: its own place among IPv6's.
      { hook: Hook.input, entry: confirm(Priority.conntrackConfirm - (family === 'ip6' ? 1 : 0)) },
    ]
  }

  /** Confirmed connections, expired ones among them. */
  get size(): number {
    return this.#connections.size
  }

  find4(
    protocol: number,
    source: number,
    destination: number,
    sourcePart: number,
    destinationPart: number,
    zone: number,
  ): Tuple | undefined {
    const hash = hash4(protocol, source, destination, sourcePart, destinationPart)
    for (let tuple = this.#chains[hash & (this.#chains.length - 1)]; tuple; tuple = tuple.next) {
      if (
        tuple.hash === hash &&
        tuple.source === source &&
        tuple.destination === destination &&
        tuple.sourcePart === sourcePart &&
        tuple.destinationPart === destinationPart &&
        tuple.protocol === protocol &&
        tuple.connection!.zone === zone &&
        !this.#isExpired(tuple.connection!)
      )
        return tuple
    }
    return undefined
  }

  /** `addressesAt`: where source and destination stand, one behind the other. */
  find6(protocol: number, bytes: Uint8Array, addressesAt: number, parts: number, zone: number): Tuple | undefined {
    const hash = hash6(protocol, bytes, addressesAt, bytes, addressesAt + 16, parts)
    for (let tuple = this.#chains[hash & (this.#chains.length - 1)]; tuple; tuple = tuple.next) {
      if (
        tuple.hash === hash &&
        tuple.family === 'ip6' &&
        ((tuple.sourcePart << 16) | tuple.destinationPart) === parts &&
        tuple.protocol === protocol &&
        isAt(tuple.source as Uint8Array, bytes, addressesAt) &&
        isAt(tuple.destination as Uint8Array, bytes, addressesAt + 16) &&
        tuple.connection!.zone === zone &&
        !this.#isExpired(tuple.connection!)
      )
        return tuple
    }
    return undefined
  }

  /** nf_conntrack_find_get. */
  find(wanted: Tuple, zone: number): Tuple | undefined {
    const hash = hashOf(wanted)
    for (let tuple = this.#chains[hash & (this.#chains.length - 1)]; tuple; tuple = tuple.next) {
      const connection = tuple.connection!
      if (tuple.hash === hash && connection.zone === zone && sameTuple(tuple, wanted) && !this.#isExpired(connection))
        return tuple
    }
    return undefined
  }

  /** Taken away at once: the chain behind it stays whole. */
  #isExpired(connection: Connection): boolean {
    if (connection.timeout > this.now) return false
    this.kill(connection)
    return true
  }

  allocate(original: Tuple, reply: Tuple, zone: number): Connection | undefined {
    const { nf_conntrack_max: most } = this.settings
    if (most !== 0 && this.size >= most && !this.#evict(hashOf(original))) return undefined
    return new Connection(original, reply, zone)
  }

  /** early_drop: gives up connections that nobody would miss, in one of the next chains. */
  #evict(hash: number): boolean {
    for (let i = 0; i < EVICTION_RANGE; i++) {
      let given = false
      for (let tuple = this.#chains[(hash + i) & (this.#chains.length - 1)]; tuple; tuple = tuple.next) {
        const connection = tuple.connection!
        if (this.#isExpired(connection) || connection.status & (Status.assured | Status.dying)) continue
        this.kill(connection)
        given = true
      }
      if (given) return true
    }
    return false
  }

  /** nf_confirm: the packet has come through, and its connection with it. */
  confirm(packet: Packet): VerdictNumber {
    const { connection } = packet
    if (connection === undefined || connection.status & Status.confirmed) return Verdict.accept
    // An answer that the host gave for a connection that never was (REJECT).
    if (directionOf(packet.connectionInfo) !== Direction.original) return Verdict.accept
    if (connection.status & Status.dying) return Verdict.drop
    const clash = this.find(connection.original, connection.zone) ?? this.find(connection.reply, connection.zone)
    if (clash) return this.#resolveClash(packet, connection, clash)
    this.insert(connection)
    return Verdict.accept
  }

  /** Puts it into the table; its time begins. */
  insert(connection: Connection): void {
    connection.timeout += this.now
    connection.status |= Status.confirmed
    this.#connections.add(connection)
    if (this.#connections.size >= this.#sweepAt) this.#sweep()
    this.#link(connection.original)
    this.#link(connection.reply)
  }

  /** nf_ct_resolve_clash: another packet's connection has taken one of the tuples meanwhile. */
  #resolveClash(packet: Packet, loser: Connection, clash: Tuple): VerdictNumber {
    if (loser.original.protocol === Protocol.tcp) return Verdict.drop
    const same = this.#adopt(packet, loser, clash.connection!)
    if (same) return Verdict.accept
    const taken = this.find(loser.reply, loser.zone)
    if (taken) return this.#adopt(packet, loser, taken.connection!) ? Verdict.accept : Verdict.drop
    // Only answers will find it, for a second.
    loser.status |= Status.fixedTimeout | Status.natClash | Status.confirmed
    loser.timeout = this.now + SECOND
    this.#link(loser.reply)
    return Verdict.accept
  }

  /** __nf_ct_resolve_clash: the packet becomes the winner's, where both say the same. */
  #adopt(packet: Packet, loser: Connection, winner: Connection): boolean {
    const translated = winner.status & (Status.sourceNatDone | Status.destinationNatDone)
    if (translated && !(sameTuple(winner.original, loser.original) && sameTuple(winner.reply, loser.reply)))
      return false
    packet.connection = winner
    return true
  }

  kill(connection: Connection): boolean {
    if (connection.status & Status.dying) return false
    connection.status |= Status.dying
    this.#connections.delete(connection)
    this.#unlink(connection.original)
    this.#unlink(connection.reply)
    this.nat.forget(connection)
    return true
  }

  /** nf_ct_iterate_cleanup: takes away what `isMeant` says. */
  killWhere(isMeant: (connection: Connection) => boolean): void {
    for (const connection of this.#connections) if (isMeant(connection)) this.kill(connection)
  }

  list(filter: Parameters<Conntrack['list']>[0] = {}): ReturnType<Conntrack['list']> {
    this.#dropExpired()
    return listConnections(this.#connections, this.now, filter)
  }

  flush(): void {
    for (const connection of this.#connections) this.kill(connection)
  }

  /** Deletes the connection with this original tuple. Whether there was one. */
  delete(entry: Parameters<Conntrack['delete']>[0]): boolean {
    const found = this.find(tupleOf(entry), 0)
    return found !== undefined && found.direction === Direction.original && this.kill(found.connection!)
  }

  #link(tuple: Tuple): void {
    tuple.hash = hashOf(tuple)
    const chain = tuple.hash & (this.#chains.length - 1)
    tuple.next = this.#chains[chain]
    this.#chains[chain] = tuple
  }

  /** `tuple.next` stays, for who is just reading the chain. */
  #unlink(tuple: Tuple): void {
    const chain = tuple.hash & (this.#chains.length - 1)
    let at = this.#chains[chain]
    if (at === tuple) {
      this.#chains[chain] = tuple.next
      return
    }
    while (at && at.next !== tuple) at = at.next
    if (at) at.next = tuple.next
  }

  #dropExpired(): void {
    for (const connection of this.#connections) this.#isExpired(connection)
  }

  /** Takes out what is over; a table that is still crowded then gets more chains. */
  #sweep(): void {
    this.#dropExpired()
    if (this.#connections.size < this.#sweepAt / 2) return
    const tuples: Tuple[] = []
    for (let tuple of this.#chains) for (; tuple; tuple = tuple.next) tuples.push(tuple)
    this.#chains = new Array(this.#chains.length * 4).fill(undefined)
    this.#sweepAt = this.#chains.length
    for (const tuple of tuples) this.#link(tuple)
  }
}

function isAt(address: Uint8Array, bytes: Uint8Array, at: number): boolean {
  for (let word = 0; word < 16; word += 4) if (u32(address, word) !== u32(bytes, at + word)) return false
  return true
}

/** nf_ct_set_closing: the host has answered this packet with a reset. */
export function setClosing({ connection, device }: Packet): void {
  const track = connection?.tcp
  if (connection === undefined || track === undefined || !connection.confirmed) return
  const wasClosed = track.state === TcpState.close
  track.state = TcpState.close
  const { now, settings } = device.namespace.conntrack
  if (!wasClosed) refresh(connection, now, settings.nf_conntrack_tcp_timeout_close)
}

/** nf_ct_attach: what the host sends because of `cause` (an ICMP error, a reset) belongs to the same connection. */
export function attach(packet: Packet, cause: Packet): void {
  if (cause.connection === undefined) return
  packet.connection = cause.connection
  packet.connectionInfo =
    directionOf(cause.connectionInfo) === Direction.original ? CtInfo.relatedReply : CtInfo.related
}
