/**
 * Routes on their way into messages: those with the same attributes side by side, whatever the order in which they changed.
 *
 * What is not for one peer, the one that it came from, is in messages of its own; all others are sent the same octets.
 */
import type { Family } from '../family.ts'
import { encodeAnnouncement, encodeWithdrawal, type Sending } from '../message/pack.ts'
import type { PrefixKey } from '../nlri.ts'
import type { Sent } from './export.ts'

/** How the messages of a group of peers are written. */
export interface GroupSending extends Sending {
  /** Prefixes go out with path identifiers: RFC 7911. */
  readonly addPath: boolean
}

/** Prefixes, each with the path identifier that its route has been sent by. */
interface Withdrawn {
  readonly prefixes: PrefixKey[]
  readonly pathIds: number[]
}

interface Announced {
  readonly sent: Sent
  readonly prefixes: PrefixKey[]
}

export class Batch {
  readonly #family: Family
  readonly #sending: GroupSending
  readonly #announced = new Map<Sent, Announced>()
  /** By the address of the peer that has not got it. */
  readonly #withdrawn = new Map<string, Withdrawn>()
  readonly #withdrawnFrom = new Map<string, Withdrawn>()
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
  withdraw(key: PrefixKey, { from, pathId }: Sent): void {
    add(this.#withdrawn, from, key, pathId)
  }

  /** From one peer. */
  withdrawFrom(address: string, key: PrefixKey, pathId: number): void {
    add(this.#withdrawnFrom, address, key, pathId)
  }

  /** Calls `send` for every peer that there is something for, once. */
  deliver(peers: readonly string[], send: (peer: string, messages: readonly Uint8Array[]) => void): void {
    const messages = new Map<string, Uint8Array[]>()
    const sendTo = (recipients: readonly string[], encode: () => readonly Uint8Array[]) => {
      if (recipients.length === 0) return
      const encoded = encode()
      for (const peer of recipients) {
        const list = messages.get(peer)
        if (list) list.push(...encoded)
        else messages.set(peer, [...encoded])
      }
    }
    const allBut = (address: string) => peers.filter((peer) => peer !== address)
    for (const [from, routes] of this.#withdrawn) sendTo(allBut(from), () => this.#withdrawal(routes))
    for (const [peer, routes] of this.#withdrawnFrom) {
      if (peers.includes(peer)) sendTo([peer], () => this.#withdrawal(routes))
    }
    for (const { sent, prefixes } of this.#announced.values()) {
      sendTo(allBut(sent.from), () => this.#announcement(sent, prefixes))
    }
    for (const [peer, list] of messages) send(peer, list)
  }

  #withdrawal({ prefixes, pathIds }: Withdrawn): Uint8Array[] {
    return encodeWithdrawal(this.#routes(prefixes, pathIds), this.#sending)
  }

  /** RFC 8654 §4: attributes that leave no room for a prefix make its route one that these peers cannot have. */
  #announcement({ attributes, pathId }: Sent, prefixes: readonly PrefixKey[]): Uint8Array[] {
    const pathIds = new Array<number>(this.#sending.addPath ? prefixes.length : 0).fill(pathId)
    const routes = this.#routes(prefixes, pathIds)
    return encodeAnnouncement({ ...routes, attributes }, this.#sending) ?? encodeWithdrawal(routes, this.#sending)
  }

  #routes(prefixes: readonly PrefixKey[], pathIds: readonly number[]) {
    return { family: this.#family, prefixes, pathIds: this.#sending.addPath ? pathIds : undefined }
  }
}

function add(lists: Map<string, Withdrawn>, name: string, key: PrefixKey, pathId: number): void {
  let list = lists.get(name)
  if (!list) {
    list = { prefixes: [], pathIds: [] }
    lists.set(name, list)
  }
  list.prefixes.push(key)
  list.pathIds.push(pathId)
}
