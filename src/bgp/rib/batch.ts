/**
 * Routes on their way into messages: those with the same attributes side by side, whatever the order in which they changed.
 *
 * What is not for one peer, the one that it came from, is in messages of its own; all others are sent the same octets.
 */
import type { PathAttributes } from '../attribute/attributes.ts'
import type { Family } from '../family.ts'
import { encodeAnnouncement, encodeWithdrawal, type Sending } from '../message/pack.ts'
import type { PrefixKey } from '../nlri.ts'
import type { Sent } from './export.ts'

/** How the messages of a group of peers are written. */
export interface GroupSending extends Sending {
  /** Prefixes go out with path identifiers: RFC 7911. */
  readonly addPath: boolean
}

/** Of the one path of a prefix that is sent. */
const PATH_ID = 1

interface Announced {
  readonly sent: Sent
  readonly prefixes: PrefixKey[]
}

/** To everybody but one peer; empty: to everybody. */
interface Recipients {
  readonly allBut: string
}

export class Batch {
  readonly #family: Family
  readonly #sending: GroupSending
  readonly #announced = new Map<Sent, Announced>()
  /** By the address of the peer that has not got it. */
  readonly #withdrawn = new Map<string, PrefixKey[]>()
  readonly #withdrawnFrom = new Map<string, PrefixKey[]>()
  #recent: Announced | undefined

  constructor(family: Family, sending: GroupSending) {
    this.#family = family
    this.#sending = sending
  }

  /** To all but the peer that it came from. */
  announce(key: PrefixKey, sent: Sent): void {
    let announced = this.#recent
    if (announced?.sent !== sent) {
      announced = this.#announced.get(sent)
      if (!announced) {
        announced = { sent, prefixes: [] }
        this.#announced.set(sent, announced)
      }
      this.#recent = announced
    }
    announced.prefixes.push(key)
  }

  /** From all that have got it. */
  withdraw(key: PrefixKey, { from }: Sent): void {
    listOf(this.#withdrawn, from).push(key)
  }

  /** From one peer. */
  withdrawFrom(key: PrefixKey, address: string): void {
    listOf(this.#withdrawnFrom, address).push(key)
  }

  /** Calls `send` for every peer that there is something for, once. */
  deliver(peers: readonly string[], send: (peer: string, messages: readonly Uint8Array[]) => void): void {
    const messages = new Map<string, Uint8Array[]>()
    const add = ({ allBut }: Recipients, encode: () => readonly Uint8Array[]) => {
      const recipients = peers.filter((peer) => peer !== allBut)
      if (recipients.length === 0) return
      const encoded = encode()
      for (const peer of recipients) listOf(messages, peer).push(...encoded)
    }
    for (const [allBut, prefixes] of this.#withdrawn) add({ allBut }, () => this.#withdrawal(prefixes))
    for (const [peer, prefixes] of this.#withdrawnFrom) {
      if (peers.includes(peer)) listOf(messages, peer).push(...this.#withdrawal(prefixes))
    }
    for (const { sent, prefixes } of this.#announced.values()) {
      add({ allBut: sent.from }, () => this.#announcement(sent.attributes, prefixes))
    }
    for (const [peer, list] of messages) send(peer, list)
  }

  #withdrawal(prefixes: readonly PrefixKey[]): Uint8Array[] {
    return encodeWithdrawal(this.#routes(prefixes), this.#sending)
  }

  /** RFC 8654 §4: attributes that leave no room for a prefix make its route one that this peer cannot have. */
  #announcement(attributes: PathAttributes, prefixes: readonly PrefixKey[]): Uint8Array[] {
    return encodeAnnouncement({ ...this.#routes(prefixes), attributes }, this.#sending) ?? this.#withdrawal(prefixes)
  }

  #routes(prefixes: readonly PrefixKey[]) {
    const pathIds = this.#sending.addPath ? new Array<number>(prefixes.length).fill(PATH_ID) : undefined
    return { family: this.#family, prefixes, pathIds }
  }
}

function listOf<T>(lists: Map<string, T[]>, name: string): T[] {
  let list = lists.get(name)
  if (!list) {
    list = []
    lists.set(name, list)
  }
  return list
}
