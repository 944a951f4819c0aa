/** Routes as UPDATE messages for a station: those with the same attributes share theirs. */
import type { PathAttributes } from '../attribute/attributes.ts'
import type { Family } from '../family.ts'
import { MAX_EXTENDED_MESSAGE, MAX_MESSAGE } from '../message/header.ts'
import { encodeAnnouncement, encodeWithdrawal } from '../message/pack.ts'
import type { PrefixKey } from '../nlri.ts'

/** Prefixes that wait for others with the same attributes. */
const MOST = 1024

interface Waiting {
  readonly prefixes: PrefixKey[]
  readonly pathIds: number[]
}

/** Of one peer and family. What is added comes out as messages by take(), what is withdrawn first. */
export class RouteMessages {
  readonly #family: Family
  readonly #addPath: boolean
  #withdrawn: Waiting = { prefixes: [], pathIds: [] }
  #announced = new Map<PathAttributes, Waiting>()
  #size = 0

  /** `addPath`: prefixes have their path identifiers. */
  constructor(family: Family, addPath: boolean) {
    this.#family = family
    this.#addPath = addPath
  }

  /** It is time for take(). */
  get isFull(): boolean {
    return this.#size >= MOST
  }

  announce(prefix: PrefixKey, pathId: number, attributes: PathAttributes): void {
    let waiting = this.#announced.get(attributes)
    if (!waiting) {
      waiting = { prefixes: [], pathIds: [] }
      this.#announced.set(attributes, waiting)
    }
    this.#add(waiting, prefix, pathId)
  }

  withdraw(prefix: PrefixKey, pathId: number): void {
    this.#add(this.#withdrawn, prefix, pathId)
  }

  take(): Uint8Array[] {
    const messages = this.#withdrawn.prefixes.length > 0 ? encodeWithdrawal(this.#nlri(this.#withdrawn), LENGTH) : []
    for (const [attributes, waiting] of this.#announced) messages.push(...this.#encoded(attributes, waiting))
    this.#withdrawn = { prefixes: [], pathIds: [] }
    this.#announced = new Map()
    this.#size = 0
    return messages
  }

  #add({ prefixes, pathIds }: Waiting, prefix: PrefixKey, pathId: number): void {
    prefixes.push(prefix)
    pathIds.push(pathId)
    this.#size++
  }

  /** Attributes that came in an extended message go out in one. */
  #encoded(attributes: PathAttributes, waiting: Waiting): readonly Uint8Array[] {
    const announcement = { ...this.#nlri(waiting), attributes: this.#withNextHop(attributes) }
    return (
      encodeAnnouncement(announcement, { as4: true, ...LENGTH }) ??
      encodeAnnouncement(announcement, { as4: true, longest: MAX_EXTENDED_MESSAGE }) ??
      []
    )
  }

  /** Routes that begin here have none. */
  #withNextHop(attributes: PathAttributes): PathAttributes {
    const isOther = this.#family === 'ipv6' && !attributes.nextHop.includes(':')
    return isOther ? { ...attributes, nextHop: '::' } : attributes
  }

  #nlri({ prefixes, pathIds }: Waiting) {
    return { family: this.#family, prefixes, pathIds: this.#addPath ? pathIds : undefined }
  }
}

const LENGTH = { longest: MAX_MESSAGE }
