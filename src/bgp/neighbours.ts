/**
 * The neighbours of a speaker, and who is let in: by address, and by prefix, of which each address that dials becomes a neighbour
 * of its own until it has been gone for a while.
 */
import { formatIp, parseIp, readIp } from '../address/ip.ts'
import { contains, type Prefix, parsePrefix } from '../address/prefix.ts'
import { Peer } from './peer.ts'
import type { PeerEvents, Speaking } from './peer-owner.ts'
import { concernsSession, type PeerSettings, targetOf } from './peer-settings.ts'
import type { Accept, Connection, ConnectionEvents, Listener } from './transport.ts'

/** Milliseconds. A neighbour of a prefix is remembered for longer than any rest: or it would never have to. */
const REMEMBERED = 60_000

/** Neighbours by prefix. They are never dialled. */
export interface Range {
  readonly prefix: string
  /** Of each of them. */
  readonly settings: Omit<PeerSettings, 'address' | 'passive'>
  /** So many at once. */
  readonly limit: number
}

export interface NeighbourOwner {
  /** A neighbour is made, of a range where it is of one: who hears of it? */
  events(settings: PeerSettings, range: Range | undefined): PeerEvents
  /** A neighbour of a range is forgotten. */
  gone(address: string): void
}

interface Member {
  readonly peer: Peer
  readonly range: Range | undefined
  readonly disallow: (() => void) | undefined
  cancelForgetting: (() => void) | undefined
}

interface Opening {
  readonly range: Range
  readonly prefix: Prefix
  readonly disallow: () => void
}

export class Neighbours {
  readonly #speaking: Speaking
  readonly #owner: NeighbourOwner
  readonly #listeners: readonly Listener[]
  readonly #members = new Map<string, Member>()
  readonly #ranges = new Map<string, Opening>()

  /** Listens at these addresses (undefined: at all). Throws when that cannot be. */
  constructor(
    speaking: Speaking,
    owner: NeighbourOwner,
    { addresses, port }: { readonly addresses: readonly string[] | undefined; readonly port: number },
  ) {
    this.#speaking = speaking
    this.#owner = owner
    const accept: Accept = (connection) => this.#accept(connection)
    this.#listeners = (addresses ?? [undefined]).map((address) => speaking.transport.listen({ address, port }, accept))
  }

  /** In the order in which they were added. */
  get all(): readonly Peer[] {
    return [...this.#members.values()].map(({ peer }) => peer)
  }

  get(address: string): Peer | undefined {
    return this.#members.get(canonical(address))?.peer
  }

  /** Throws RangeError when the address is none, or has a neighbour already. The peer waits for enable(). */
  add(settings: PeerSettings): Peer {
    const address = canonical(settings.address)
    if (this.#members.get(address)?.range) this.#forget(address)
    if (this.#members.has(address)) throw new RangeError(`Cannot add neighbour "${address}": there is one already`)
    const peer = new Peer(settings, this.#speaking, this.#owner.events(settings, undefined))
    this.#members.set(address, {
      peer,
      range: undefined,
      disallow: this.#allow(address, settings),
      cancelForgetting: undefined,
    })
    return peer
  }

  /**
   * The neighbour of this address with these settings. When its session would be another with them it ends with Cease 6/6, and
   * another peer takes its place; else it goes on.
   */
  change(settings: PeerSettings): Peer {
    const before = this.get(settings.address)
    if (!before) throw new RangeError(`Cannot change neighbour "${settings.address}": there is none`)
    if (!concernsSession(before.settings, settings)) {
      before.revise(settings)
      return before
    }
    const { disabled } = before.status
    this.#end(canonical(settings.address), 'changed')
    const peer = this.add(settings)
    if (!disabled) peer.enable()
    return peer
  }

  /** Ends its session with Cease 6/3. */
  remove(address: string): void {
    this.#end(canonical(address), 'removed')
  }

  /** Throws RangeError for a prefix that is none, or is there already. */
  addRange(range: Range): void {
    if (this.#ranges.has(range.prefix)) throw new RangeError(`Cannot add "${range.prefix}": it is there already`)
    const prefix = parsePrefix(range.prefix)
    const disallow = this.#allow(range.prefix, settingsOf(range, range.prefix))
    this.#ranges.set(range.prefix, { range, prefix, disallow })
  }

  /** Ends the sessions of its neighbours with Cease 6/3. */
  removeRange(prefix: string): void {
    this.#ranges.get(prefix)?.disallow()
    this.#ranges.delete(prefix)
    for (const [address, { range }] of [...this.#members]) if (range?.prefix === prefix) this.#forget(address)
  }

  /** Ends all sessions with Cease 6/2, and listens no more. */
  close(text = ''): void {
    for (const listener of this.#listeners) listener.close()
    for (const member of this.#members.values()) {
      member.peer.disable(text)
      member.cancelForgetting?.()
    }
  }

  #allow(from: string, settings: PeerSettings): () => void {
    const undo = this.#listeners.map((listener) => listener.allow(from, targetOf(settings)))
    return () => {
      for (const each of undo) each()
    }
  }

  #accept(connection: Connection): ConnectionEvents | undefined {
    const { address } = connection.remote
    return (this.get(address) ?? this.#joined(address))?.accept(connection)
  }

  /** The neighbour that an address becomes which is in a range; of several the most specific counts. */
  #joined(address: string): Peer | undefined {
    const ip = readIp(address)
    const fitting = [...this.#ranges.values()].filter(({ prefix }) => ip && contains(prefix, ip))
    const range = fitting.sort((a, b) => b.prefix.length - a.prefix.length)[0]?.range
    if (!range || [...this.#members.values()].filter((each) => each.range === range).length >= range.limit)
      return undefined
    const settings = settingsOf(range, address)
    const events = this.#owner.events(settings, range)
    const heard: PeerEvents = {
      established: (negotiated) => events.established(negotiated),
      update: (update) => events.update(update),
      endOfRib: (family) => events.endOfRib(family),
      refresh: (family) => events.refresh(family),
      refreshing: (family) => events.refreshing(family),
      down: (reason) => events.down(reason),
      sweep: (family) => events.sweep(family),
      longLived: (family) => events.longLived(family),
      writable: () => events.writable(),
      log: (text) => events.log(text),
      changed: () => {
        events.changed()
        this.#forgetLater(address)
      },
    }
    const peer = new Peer(settings, this.#speaking, heard)
    this.#members.set(address, { peer, range, disallow: undefined, cancelForgetting: undefined })
    peer.enable()
    return peer
  }

  /** Who has no connection for a while, and whose routes are not kept, is none any more. */
  #forgetLater(address: string): void {
    const member = this.#members.get(address)
    if (!member) return
    member.cancelForgetting?.()
    member.cancelForgetting = this.#speaking.clock.after(REMEMBERED, () => {
      const { peer } = member
      if (peer.connections === 0 && peer.kept.length === 0) this.#forget(address)
      else this.#forgetLater(address)
    })
  }

  #forget(address: string): void {
    this.#end(address, 'removed')
    this.#owner.gone(address)
  }

  #end(address: string, why: 'removed' | 'changed'): void {
    const member = this.#members.get(address)
    member?.peer.remove(why)
    member?.disallow?.()
    member?.cancelForgetting?.()
    this.#members.delete(address)
  }
}

function canonical(address: string): string {
  return formatIp(parseIp(address))
}

function settingsOf({ settings }: Range, address: string): PeerSettings {
  return { ...settings, address, passive: true }
}
