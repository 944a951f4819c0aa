/**
 * The sessions of a node, and which of them a packet belongs to: RFC 5880 §6.3 and §6.8.6, RFC 5881 §3 to §5, RFC 5883 §3 to §5.
 *
 *   Your Discriminator is not 0:  the session that has it
 *   it is 0:                      the session with that neighbour, by address
 *
 * What a session over several hops is sent is not taken for one of a single hop, where the TTL proves that the sender is on the
 * link. Discriminators are drawn at random, so that those from afar cannot guess them.
 */
import { formatIp, parseIp } from '../address/ip.ts'
import { type BfdControl, decodeBfd } from '../wire/bfd.ts'
import { DecodeError } from '../wire/errors.ts'
import { Session, type SessionOptions } from './session.ts'

/** RFC 5881 §5: "Time to Live or Hop Limit … of 255", or the packet has come over a router. */
export const GTSM_TTL = 255

export interface Arrival {
  /** The sender's address. */
  readonly from: string
  readonly ttl: number
  /** It came to the port for several hops. */
  readonly multihop: boolean
}

/** Why a packet was not taken, and how many were not. */
export interface Refusals {
  /** The TTL says that it has come over a router. */
  readonly distant: number
  readonly malformed: number
  readonly unknownSession: number
  readonly authentication: number
}

interface Entry {
  readonly session: Session
  readonly remote: string
  readonly multihop: boolean
}

export class Sessions {
  readonly #random: () => number
  readonly #byDiscriminator = new Map<number, Entry>()
  readonly #byNeighbour = new Map<string, Entry>()
  readonly #refusals = { distant: 0, malformed: 0, unknownSession: 0, authentication: 0 }

  constructor(random: () => number) {
    this.#random = random
  }

  get size(): number {
    return this.#byDiscriminator.size
  }

  get refusals(): Refusals {
    return this.#refusals
  }

  /** Throws RangeError when there is a session with this neighbour already. */
  add(
    { remote: text, multihop }: { readonly remote: string; readonly multihop: boolean },
    options: Omit<SessionOptions, 'discriminator'>,
  ): Session {
    const remote = formatIp(parseIp(text))
    const neighbour = nameOf(remote, multihop)
    if (this.#byNeighbour.has(neighbour)) throw new RangeError(`Cannot watch "${text}" by BFD: it is watched already`)
    const session = new Session({ ...options, discriminator: this.#freeDiscriminator() })
    const entry = { session, remote, multihop }
    this.#byDiscriminator.set(session.discriminator, entry)
    this.#byNeighbour.set(neighbour, entry)
    return session
  }

  /** Stops it. */
  remove(session: Session): void {
    session.stop()
    const entry = this.#byDiscriminator.get(session.discriminator)
    if (entry?.session !== session) return
    this.#byDiscriminator.delete(session.discriminator)
    this.#byNeighbour.delete(nameOf(entry.remote, entry.multihop))
  }

  receive(bytes: Uint8Array, arrival: Arrival): void {
    const refused = this.#deliver(bytes, arrival)
    if (refused !== undefined) this.#refusals[refused]++
  }

  /** Answers why it was not taken. */
  #deliver(bytes: Uint8Array, { from, ttl, multihop }: Arrival): keyof Refusals | undefined {
    if (!multihop && ttl !== GTSM_TTL) return 'distant'
    let packet: BfdControl
    try {
      packet = decodeBfd(bytes)
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
      return 'malformed'
    }
    const entry =
      packet.yourDiscriminator === 0
        ? this.#byNeighbour.get(nameOf(from, multihop))
        : this.#byDiscriminator.get(packet.yourDiscriminator)
    if (!entry || entry.multihop !== multihop) return 'unknownSession'
    if (!packet.authentication) {
      entry.session.receive(packet)
      return undefined
    }
    // "If the A bit is set and no authentication is in use (bfd.AuthType is zero), the packet MUST be discarded."
    entry.session.refused(`authentication of type ${packet.authentication.type} is not offered`)
    return 'authentication'
  }

  #freeDiscriminator(): number {
    let discriminator = Math.floor(this.#random() * 2 ** 32)
    while (discriminator === 0 || this.#byDiscriminator.has(discriminator))
      discriminator = (discriminator + 1) % 2 ** 32
    return discriminator
  }
}

function nameOf(remote: string, multihop: boolean): string {
  return multihop ? `${remote} over hops` : remote
}
