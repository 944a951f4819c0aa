/**
 * The content of an IP set: its members, found by what they are, and by the networks that they are in. Source:
 * net/netfilter/ipset/ip_set_hash_gen.h, ip_set_bitmap_gen.h.
 */
import { bitsOf } from '../../../address/ip.ts'
import type { IpSetDefinition, IpSetEntry } from '../../../kernel/ipset.ts'
import { type Clock, type Microseconds, SECOND } from '../../clock.ts'
import { refusal } from '../vm/refusal.ts'
import { describeElement, type Element, keyOf, type Part, partOf } from './element.ts'
import { SHAPES, type Shape } from './shape.ts'

export interface Member {
  readonly element: Element
  noMatch: boolean
  /** Undefined: never. */
  expires: Microseconds | undefined
  packets: number
  bytes: number
  comment: string | undefined
}

/** What an element is added with. */
export interface MemberOptions {
  readonly noMatch?: boolean
  /** Seconds; 0: for ever. */
  readonly timeout?: number
  readonly packets?: number
  readonly bytes?: number
  readonly comment?: string
}

const MOST_ELEMENTS = 65536

export class IpSetContent {
  /** As it is told, but for its name. */
  readonly definition: Omit<IpSetDefinition, 'name'>
  readonly shape: Shape
  readonly #clock: Clock
  /** In the order in which they came. */
  readonly #members = new Map<string, Member>()
  /** The prefix lengths that its networks have, and how many have each: the longest first. */
  #lengths: { readonly length: number; count: number }[] = []

  constructor(definition: Omit<IpSetDefinition, 'name'>, clock: Clock) {
    this.definition = definition
    this.shape = SHAPES[definition.type]
    this.#clock = clock
  }

  /** Those that have not ended. */
  get size(): number {
    return this.#living().length
  }

  entries(): IpSetEntry[] {
    const { timeout, counters, comments } = this.definition
    return this.#living().map(({ element, noMatch, expires, packets, bytes, comment }) => ({
      ...describeElement(element, { name: '', ...this.definition }),
      ...(noMatch && { noMatch }),
      ...(timeout !== undefined && { timeout: this.#secondsLeft(expires) }),
      ...(counters && { packets: BigInt(packets), bytes: BigInt(bytes) }),
      ...(comments && comment !== undefined && { comment }),
    }))
  }

  flush(): void {
    this.#members.clear()
    this.#lengths = []
  }

  /** mtype_add. KernelError IPSET_ERR_EXIST, IPSET_ERR_HASH_FULL. */
  add(element: Element, options: MemberOptions, exist: boolean): void {
    const key = keyOf(element)
    const known = this.#members.get(key)
    const isLiving = known !== undefined && !this.#hasEnded(known)
    if (isLiving && !exist) throw refusal('IPSET_ERR_EXIST')
    if (known) {
      const { packets, bytes } = isLiving ? known : { packets: 0, bytes: 0 }
      Object.assign(known, this.#stateOf({ packets, bytes, ...options }))
      return
    }
    this.#makeRoom()
    this.#members.set(key, { element, ...this.#stateOf(options) })
    this.#count(element, 1)
  }

  /** mtype_del. KernelError IPSET_ERR_EXIST when it is not there. */
  delete(element: Element, exist: boolean): void {
    const member = this.#members.get(keyOf(element))
    if (member && !this.#hasEnded(member)) this.#remove(member)
    else if (!exist) throw refusal('IPSET_ERR_EXIST')
  }

  /** mtype_test: a single address is looked for in the networks that there are, the smallest first; a network as it is. */
  find(element: Element): Member | undefined {
    const network = this.#networkOf(element)
    if (!network || network.length < network.address.length * 8) return this.#get(element)
    for (const { length } of this.#lengths) {
      const member = this.#get(this.#withNetwork(element, partOf(network.address, length)))
      if (member) return member
    }
    return undefined
  }

  /** The longest prefix that a network of it has; that of an address where there is none. */
  get longestPrefix(): number {
    return this.#lengths[0]?.length ?? bitsOf(this.definition.family ?? 'ipv4')
  }

  #get(element: Element): Member | undefined {
    const member = this.#members.get(keyOf(element))
    return member && !this.#hasEnded(member) ? member : undefined
  }

  #networkOf({ first, second }: Element): Part | undefined {
    return this.shape.first === 'network' ? first : this.shape.second === 'network' ? second : undefined
  }

  #withNetwork(element: Element, network: Part): Element {
    return this.shape.first === 'network' ? { ...element, first: network } : { ...element, second: network }
  }

  #stateOf({ noMatch = false, timeout, packets = 0, bytes = 0, comment }: MemberOptions): Omit<Member, 'element'> {
    const seconds = timeout ?? this.definition.timeout ?? 0
    const expires = seconds === 0 ? undefined : this.#clock.now + seconds * SECOND
    return { noMatch, expires, packets, bytes, comment }
  }

  /** What has ended goes where there is no room, and then, of a set that was made so, the one that has been there longest. */
  #makeRoom(): void {
    const { maxElements = MOST_ELEMENTS, forceAdd, type } = this.definition
    if (type === 'bitmap:port' || this.#members.size < maxElements) return
    for (const member of [...this.#members.values()]) if (this.#hasEnded(member)) this.#remove(member)
    if (this.#members.size < maxElements) return
    const [oldest] = this.#members.values()
    if (!forceAdd || !oldest) throw refusal('IPSET_ERR_HASH_FULL')
    this.#remove(oldest)
  }

  #remove({ element }: Member): void {
    this.#members.delete(keyOf(element))
    this.#count(element, -1)
  }

  #count(element: Element, change: 1 | -1): void {
    const network = this.#networkOf(element)
    if (!network) return
    const known = this.#lengths.find(({ length }) => length === network.length)
    if (known) known.count += change
    else this.#lengths.push({ length: network.length, count: 1 })
    this.#lengths = this.#lengths.filter(({ count }) => count > 0).sort((a, b) => b.length - a.length)
  }

  #living(): Member[] {
    const { type } = this.definition
    const living = [...this.#members.values()].filter((member) => !this.#hasEnded(member))
    return type === 'bitmap:port' ? living.sort((a, b) => a.element.port - b.element.port) : living
  }

  #hasEnded({ expires }: Member): boolean {
    return expires !== undefined && expires <= this.#clock.now
  }

  /** ip_set_timeout_get: never 0, which is for ever. */
  #secondsLeft(expires: Microseconds | undefined): number {
    return expires === undefined ? 0 : Math.max(1, Math.floor((expires - this.#clock.now) / SECOND))
  }
}
