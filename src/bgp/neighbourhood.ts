/** The neighbours that are set for a speaker, and those that have come from a range: who they are, and what becomes of them when the settings do. */
import { Neighbour, type NeighbourOwner } from './neighbour.ts'
import { Neighbours, type Range } from './neighbours.ts'
import type { Speaking } from './peer-owner.ts'
import { concernsSession, type PeerSettings } from './peer-settings.ts'
import type { NeighbourSettings, SpeakerSettings } from './speaker-settings.ts'

export class Neighbourhood {
  readonly #owner: NeighbourOwner
  readonly #sessions: Neighbours
  /** By address. */
  readonly #neighbours = new Map<string, Neighbour>()
  #settings: readonly NeighbourSettings[] = []

  /** Listens. Throws when that cannot be. */
  constructor(speaking: Speaking, owner: NeighbourOwner, listen: SpeakerSettings['listen']) {
    this.#owner = owner
    const sessionOwner = {
      events: (session: PeerSettings, range: Range | undefined) => this.#join(session, range),
      gone: (address: string) => this.#forget(address),
    }
    this.#sessions = new Neighbours(speaking, sessionOwner, listen)
  }

  get all(): readonly Neighbour[] {
    return [...this.#neighbours.values()]
  }

  get(address: string): Neighbour | undefined {
    return this.#neighbours.get(address)
  }

  /** Neighbours that have come are dialled, those that have gone are told so; of all others what differs is applied. */
  configure(settings: readonly NeighbourSettings[]): void {
    const had = new Map(this.#settings.map((each) => [nameOf(each), each]))
    const has = new Map(settings.map((each) => [nameOf(each), each]))
    this.#settings = settings
    for (const [name, each] of had) if (!has.has(name)) this.#remove(each)
    for (const [name, each] of has) {
      const before = had.get(name)
      if (!before) this.#add(each)
      else if (!isSame(before, each)) this.#change(before, each)
    }
    for (const neighbour of this.all) neighbour.reviseRules()
  }

  /** Ends all sessions with Cease 6/2, and listens no more. */
  close(text: string): void {
    this.#sessions.close(text)
    for (const neighbour of this.all) neighbour.close()
  }

  #add(settings: NeighbourSettings): void {
    const { session, range } = settings
    if (range) this.#sessions.addRange({ ...range, settings: session })
    else this.#sessions.add(session).enable()
  }

  #remove({ session, range }: NeighbourSettings): void {
    if (range) this.#sessions.removeRange(range.prefix)
    else {
      this.#sessions.remove(session.address)
      this.#forget(session.address)
    }
  }

  #change(before: NeighbourSettings, settings: NeighbourSettings): void {
    const { session, range } = settings
    const isOther = concernsSession(before.session, session) || !isSame(before.range, range)
    if (isOther && range) {
      this.#remove(before)
      this.#add(settings)
      return
    }
    if (!range) this.#sessions.change(session)
    if (isOther) return
    const isOtherClient = before.isClient !== settings.isClient || before.clusterId !== settings.clusterId
    for (const neighbour of this.all) {
      if (nameOf(neighbour.settings) !== nameOf(settings)) continue
      neighbour.revise(range ? { ...settings, session: neighbour.settings.session } : settings)
      // What it has sent has passed other clusters then.
      if (isOtherClient) neighbour.peer.reset('other configuration')
    }
  }

  /** A neighbour is made: who is it? */
  #join(session: PeerSettings, range: Range | undefined): Neighbour {
    const settings = this.#settings.find((each) =>
      range ? each.range?.prefix === range.prefix : !each.range && each.session.address === session.address,
    )
    if (!settings) throw new RangeError(`Nothing is set for neighbour "${session.address}"`)
    this.#forget(session.address)
    const neighbour = new Neighbour({ ...settings, session }, this.#owner, () => {
      const peer = this.#sessions.get(session.address)
      if (!peer) throw new RangeError(`There is no neighbour "${session.address}"`)
      return peer
    })
    this.#neighbours.set(session.address, neighbour)
    return neighbour
  }

  #forget(address: string): void {
    this.#neighbours.get(address)?.close()
    this.#neighbours.delete(address)
  }
}

function nameOf({ session, range }: NeighbourSettings): string {
  return range?.prefix ?? session.address
}

/** Settings are plain values. */
function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}
