/** Speakers on a network in memory, of which each pair is neighbours, and a scripted peer that says what a test wants. */
import { AttributeInterner } from '../../src/bgp/attribute/interner.ts'
import { parseBgpId } from '../../src/bgp/bgp-id.ts'
import type { Negotiated } from '../../src/bgp/capability/negotiation.ts'
import type { Family } from '../../src/bgp/family.ts'
import { MemoryNetwork } from '../../src/bgp/memory-transport.ts'
import { messageType } from '../../src/bgp/message/header.ts'
import { decodeNotification } from '../../src/bgp/message/notification.ts'
import { MessageReader } from '../../src/bgp/message/reader.ts'
import type { Update } from '../../src/bgp/message/update.ts'
import { Observers } from '../../src/bgp/observer.ts'
import { Peer } from '../../src/bgp/peer.ts'
import type { DownReason, PeerEvents, Speaking } from '../../src/bgp/peer-owner.ts'
import { type PeerSettings, peerSettings, type RestartState, targetOf } from '../../src/bgp/peer-settings.ts'
import { ReadingTurns } from '../../src/bgp/reading-turns.ts'
import { type Connection, type ConnectionEvents, type Listener, PLAIN } from '../../src/bgp/transport.ts'
import { bytes, messageHex } from './octets.ts'
import { StepClock } from './step-clock.ts'

/** mulberry32: the same numbers for the same seed. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000
  }
}

export interface World {
  readonly clock: StepClock
  readonly network: MemoryNetwork
  readonly random: () => number
}

export function world(seed = 1, latency: () => number = () => 1): World {
  const clock = new StepClock()
  return { clock, network: new MemoryNetwork(clock, latency), random: seeded(seed) }
}

/** What a neighbour has told, in order: `established`, `down`, `sweep ipv4` … */
export class Recorder implements PeerEvents {
  readonly told: string[] = []
  readonly updates: Update[] = []
  readonly log = (_text: string) => undefined
  lastDown: DownReason | undefined
  negotiated: Negotiated | undefined
  onEstablished: (negotiated: Negotiated) => void = () => undefined
  onUpdate: (update: Update) => void = () => undefined

  established(negotiated: Negotiated): void {
    this.negotiated = negotiated
    this.told.push('established')
    this.onEstablished(negotiated)
  }
  update(update: Update): void {
    this.updates.push(update)
    this.onUpdate(update)
  }
  endOfRib(family: Family): void {
    this.told.push(`endOfRib ${family}`)
  }
  refresh(family: Family): void {
    this.told.push(`refresh ${family}`)
  }
  refreshing(family: Family): void {
    this.told.push(`refreshing ${family}`)
  }
  down(reason: DownReason): void {
    this.lastDown = reason
    this.told.push(['down', ...reason.keepRoutes].join(' '))
  }
  sweep(family: Family): void {
    this.told.push(`sweep ${family}`)
  }
  longLived(family: Family): void {
    this.told.push(`longLived ${family}`)
  }
  writable(): void {
    this.told.push('writable')
  }
  changed(): void {}
}

export interface SpeakerOptions {
  readonly as?: number
  readonly id?: string
  readonly restart?: RestartState
  /** Says that it has sent all its routes, of which it has none. */
  readonly sendsEndOfRib?: boolean
}

/** Listens, and hands connections to its neighbours. */
export class TestSpeaker {
  readonly address: string
  readonly as: number
  readonly host
  readonly #speaking: Speaking
  readonly #sendsEndOfRib: boolean
  readonly peers = new Map<string, Peer>()
  readonly heard = new Map<string, Recorder>()
  listener: Listener

  constructor(
    world: World,
    address: string,
    { as = 64512, id = address, restart, sendsEndOfRib = false }: SpeakerOptions = {},
  ) {
    this.address = address
    this.as = as
    this.#sendsEndOfRib = sendsEndOfRib
    this.host = world.network.host(address)
    const interners = new Map<string, AttributeInterner>()
    this.#speaking = {
      id: parseBgpId(id),
      clock: world.clock,
      turns: new ReadingTurns(world.clock),
      observers: new Observers(),
      random: world.random,
      transport: this.host,
      restart: restart ?? { restarting: false, forwarding: () => true },
      asSets: 'accept',
      attributes: (kind) => {
        const key = JSON.stringify(kind)
        const interner = interners.get(key) ?? new AttributeInterner(kind)
        interners.set(key, interner)
        return interner
      },
    }
    this.listener = this.#listen()
  }

  /** `given` may have all but the AS numbers; the peer's is the same unless it says so. */
  neighbour(address: string, given: Partial<PeerSettings> = {}): Peer {
    const settings = peerSettings({ remoteAs: this.as, localAs: this.as, connectRetry: 2, address, ...given })
    const recorder = new Recorder()
    const peer = new Peer(settings, this.#speaking, recorder)
    recorder.onEstablished = ({ families }) => {
      for (const family of this.#sendsEndOfRib ? families : []) peer.sendEndOfRib(family)
    }
    this.peers.set(address, peer)
    this.heard.set(address, recorder)
    this.listener.allow(address, targetOf(settings))
    return peer
  }

  /** Power failure, and back with nothing but its configuration. */
  restart(): void {
    const settings = [...this.peers.values()].map((peer) => peer.settings)
    this.host.crash()
    for (const peer of this.peers.values()) peer.disable()
    this.peers.clear()
    this.listener = this.#listen()
    for (const each of settings) this.neighbour(each.address, each).enable()
  }

  #listen(): Listener {
    return this.host.listen({ address: undefined, port: 179 }, (connection) =>
      this.peers.get(connection.remote.address)?.accept(connection),
    )
  }
}

/** What a test sends and hears, octet by octet. */
export class ScriptedPeer {
  readonly connection: Connection
  readonly messages: { readonly at: number; readonly type: number; readonly message: Uint8Array }[] = []
  closed: string | undefined
  /** When the connection was made. */
  readonly at: number
  readonly #clock: StepClock
  readonly #reader = new MessageReader()

  private constructor(clock: StepClock, connect: (events: ConnectionEvents) => Connection) {
    this.#clock = clock
    this.at = clock.now()
    this.#reader.longest = 65_535
    this.connection = connect({
      connected: () => undefined,
      received: (octets) => this.#received(octets),
      taken: () => undefined,
      closed: (why) => {
        this.closed = why
      },
    })
  }

  /** Dials a speaker, and is connected. */
  static dial({ clock, network }: World, from: string, to: string): ScriptedPeer {
    const host = network.hostOf(from) ?? network.host(from)
    const peer = new ScriptedPeer(clock, (events) =>
      host.connect({ ...PLAIN, remote: { address: to, port: 179 }, localAddress: from }, events),
    )
    clock.advance(5)
    return peer
  }

  /** Listens at an address; every connection is added to the answer, and is sent `greeting`. */
  static listen({ clock, network }: World, address: string, greeting?: string): ScriptedPeer[] {
    const met: ScriptedPeer[] = []
    const host = network.hostOf(address) ?? network.host(address)
    host.listen({ address: undefined, port: 179 }, (connection) => {
      let heard: ConnectionEvents | undefined
      const peer = new ScriptedPeer(clock, (events) => {
        heard = events
        return connection
      })
      met.push(peer)
      if (greeting !== undefined) connection.send(bytes(greeting))
      return heard
    })
    return met
  }

  send(message: Uint8Array | string): void {
    this.connection.send(typeof message === 'string' ? bytes(message) : message)
    this.#clock.advance(5)
  }

  /** `5/1 02` of the NOTIFICATION that came. */
  get notified(): string | undefined {
    const found = this.messages.find(({ type }) => type === 3)
    if (!found) return undefined
    const { code, subcode, data } = decodeNotification(found.message)
    return `${code}/${subcode} ${Buffer.from(data).toString('hex')}`.trim()
  }

  types(): number[] {
    return this.messages.map(({ type }) => type)
  }

  times(type: number): number[] {
    return this.messages.filter((each) => each.type === type).map(({ at }) => at)
  }

  #received(octets: Uint8Array): void {
    this.#reader.push(octets)
    for (let message = this.#reader.next(); message; message = this.#reader.next()) {
      this.messages.push({ at: this.#clock.now(), type: messageType(message), message: message.slice() })
    }
  }
}

export interface OpenHex {
  readonly version?: number
  readonly as?: number
  readonly holdTime?: number
  readonly id?: string
  /** With type and length. */
  readonly parameters?: string
}

const hex = (value: number, octets: number) => value.toString(16).padStart(2 * octets, '0')

/** Multiprotocol IPv4 unicast, route refresh, and the AS number. */
export const usual = (as: number) => `020e 01040001 0001 0200 4104${hex(as, 4)}`

export function openHex({ version = 4, as = 65001, holdTime = 90, id = '0a000002', parameters }: OpenHex = {}): string {
  const options = (parameters ?? usual(as)).replaceAll(' ', '')
  return messageHex(
    1,
    `${hex(version, 1)}${hex(as & 0xffff, 2)}${hex(holdTime, 2)}${id}${hex(options.length / 2, 1)}${options}`,
  )
}

export const KEEPALIVE = messageHex(4, '')

/** The peer sends KEEPALIVEs every so many milliseconds, until the answer is called. */
export function keepAlive({ clock }: World, { connection }: ScriptedPeer, every: number): () => void {
  let isOn = true
  const next = () => {
    if (!isOn) return
    connection.send(bytes(KEEPALIVE))
    clock.after(every, next)
  }
  next()
  return () => {
    isOn = false
  }
}
