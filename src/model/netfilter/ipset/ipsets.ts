/**
 * The IP sets of a namespace. Source: net/netfilter/ipset/ip_set_core.c. Rules know a set by the place that it has (its
 * index): when two are swapped, a rule looks into what has that place then.
 */
import { bitsOf } from '../../../address/ip.ts'
import { KernelError } from '../../../kernel/errors.ts'
import type { IpSet, IpSetDefinition, IpSetEntry, IpSetListing, IpSetOptions, IpSets } from '../../../kernel/ipset.ts'
import type { Namespace } from '../../namespace.ts'
import { refusal } from '../vm/refusal.ts'
import { elementsOf } from './element.ts'
import { IpSetContent } from './set.ts'
import { SHAPES } from './shape.ts'

/** ip_set(inst, index). */
export interface IpSetPlace {
  name: string
  content: IpSetContent
  /** Rules that look into it. */
  references: number
}

/** IPSET_MIMINAL_HASHSIZE, IPSET_DEFAULT_HASHSIZE, IPSET_DEFAULT_MAXELEM, AHASH_MAX_SIZE, AHASH_MAX_TUNED. */
const SMALLEST_HASH = 64
const USUAL_HASH = 1024
const USUAL_ELEMENTS = 65536
const USUAL_BUCKET = 12
const LARGEST_BUCKET = 64

export class IpSetTable implements IpSets {
  readonly #namespace: Namespace
  readonly #places: IpSetPlace[] = []

  constructor(namespace: Namespace) {
    this.#namespace = namespace
  }

  add(set: IpSetDefinition, { exist = false }: IpSetOptions = {}): void {
    this.#attempt(`add set "${set.name}"`, () => {
      const known = this.find(set.name)
      const { name, ...definition } = this.#complete(set)
      if (known && exist && isSame(known.content.definition, definition)) return
      if (known) throw refusal('EEXIST')
      const content = new IpSetContent(definition, this.#namespace.model.clock)
      this.#places.push({ name, content, references: 0 })
    })
  }

  delete(name?: string): void {
    this.#attempt(name === undefined ? 'delete all sets' : `delete set "${name}"`, () => {
      const places = name === undefined ? [...this.#places] : [this.#require(name)]
      if (places.some(({ references }) => references > 0)) throw refusal('IPSET_ERR_BUSY')
      for (const place of places) this.#places.splice(this.#places.indexOf(place), 1)
    })
  }

  flush(name?: string): void {
    this.#attempt(name === undefined ? 'flush all sets' : `flush set "${name}"`, () => {
      const places = name === undefined ? this.#places : [this.#require(name)]
      for (const { content } of places) content.flush()
    })
  }

  rename(name: string, to: string): void {
    this.#attempt(`rename set "${name}" to "${to}"`, () => {
      const place = this.#require(name)
      if (place.references > 0) throw refusal('IPSET_ERR_REFERENCED')
      if (this.find(to)) throw refusal('IPSET_ERR_EXIST_SETNAME2')
      place.name = to
    })
  }

  swap(name: string, other: string): void {
    this.#attempt(`swap sets "${name}" and "${other}"`, () => {
      const from = this.#require(name)
      const to = this.find(other)
      if (!to) throw refusal('IPSET_ERR_EXIST_SETNAME2')
      const [a, b] = [from.content.definition, to.content.definition]
      if (a.type !== b.type || a.family !== b.family) throw refusal('IPSET_ERR_TYPE_MISMATCH')
      const { content } = from
      from.content = to.content
      to.content = content
    })
  }

  list(listing?: IpSetListing): IpSet[] {
    return this.#places.map((place) => describe(place, listing))
  }

  get(name: string, listing?: IpSetListing): IpSet | undefined {
    const place = this.find(name)
    return place && describe(place, listing)
  }

  addEntry(set: string, entry: IpSetEntry, { exist = false }: IpSetOptions = {}): void {
    this.#attempt(`add an entry to set "${set}"`, () => {
      const { content } = this.#require(set)
      const { definition, shape } = content
      checkExtensions(entry, definition)
      const { noMatch = false, timeout, packets, bytes, comment } = entry
      const options = {
        noMatch: noMatch && (shape.first === 'network' || shape.second === 'network'),
        ...(timeout !== undefined && { timeout }),
        ...(packets !== undefined && { packets: Number(packets) }),
        ...(bytes !== undefined && { bytes: Number(bytes) }),
        ...(comment !== undefined && { comment }),
      }
      for (const element of elementsOf(entry, { name: set, ...definition }, false)) content.add(element, options, exist)
    })
  }

  deleteEntry(set: string, entry: IpSetEntry, { exist = false }: IpSetOptions = {}): void {
    this.#attempt(`delete an entry of set "${set}"`, () => {
      const { content } = this.#require(set)
      for (const element of elementsOf(entry, { name: set, ...content.definition }, false))
        content.delete(element, exist)
    })
  }

  hasEntry(set: string, entry: IpSetEntry): boolean {
    return this.#attempt(`look for an entry of set "${set}"`, () => {
      const { content } = this.#require(set)
      const [element] = elementsOf(entry, { name: set, ...content.definition }, true)
      const member = content.find(element!)
      return member !== undefined && (!member.noMatch || entry.noMatch === true)
    })
  }

  find(name: string): IpSetPlace | undefined {
    return this.#places.find((place) => place.name === name)
  }

  #require(name: string): IpSetPlace {
    const place = this.find(name)
    if (!place) throw refusal('ENOENT')
    return place
  }

  #attempt<T>(call: string, run: () => T): T {
    try {
      return run()
    } catch (error) {
      throw error instanceof KernelError ? new KernelError(error.errno, call) : error
    }
  }

  /** With what the kernel chooses: IPSET_TOKEN(HTYPE, _create), bitmap_port_create. */
  #complete(set: IpSetDefinition): IpSetDefinition {
    const { name, type, family = 'ipv4', ports, netmask, timeout, counters, comments, forceAdd } = set
    const extensions = {
      ...(timeout !== undefined && { timeout }),
      ...(counters && { counters }),
      ...(comments && { comments }),
    }
    if (type === 'bitmap:port') {
      if (!ports) throw refusal('IPSET_ERR_PROTOCOL')
      const [from, to] = [Math.min(ports.from, ports.to), Math.max(ports.from, ports.to)]
      return { name, type, ports: { from, to }, ...extensions }
    }
    const bits = bitsOf(family)
    if (netmask !== undefined && (netmask < 1 || netmask > bits)) throw refusal('IPSET_ERR_INVALID_NETMASK')
    const { hashSize = USUAL_HASH, maxElements = USUAL_ELEMENTS, bucketSize = USUAL_BUCKET } = set
    return {
      name,
      type,
      family,
      hashSize: 2 ** Math.ceil(Math.log2(Math.max(SMALLEST_HASH, hashSize))),
      maxElements,
      bucketSize: Math.min(LARGEST_BUCKET, Math.max(2, bucketSize + (bucketSize % 2))),
      initialValue: set.initialValue ?? this.#namespace.model.random.bits('ipset'),
      ...(type === 'hash:ip' && netmask !== undefined && netmask !== bits && { netmask }),
      ...extensions,
      ...(forceAdd && { forceAdd }),
    }
  }
}

/** type->variant->same_set. */
function isSame(a: Omit<IpSetDefinition, 'name'>, b: Omit<IpSetDefinition, 'name'>): boolean {
  const told = ({ type, family, maxElements, netmask, ports, timeout, counters, comments, forceAdd }: typeof a) =>
    JSON.stringify([type, family, maxElements, netmask, ports, timeout, counters, comments, forceAdd])
  return told(a) === told(b)
}

/** What the set was not made for: ip_set_get_extensions. */
function checkExtensions(entry: IpSetEntry, definition: Omit<IpSetDefinition, 'name'>): void {
  if (entry.timeout !== undefined && definition.timeout === undefined) throw refusal('IPSET_ERR_TIMEOUT')
  if ((entry.packets ?? entry.bytes) !== undefined && !definition.counters) throw refusal('IPSET_ERR_COUNTER')
  if (entry.comment !== undefined && !definition.comments) throw refusal('IPSET_ERR_COMMENT')
}

function describe({ name, content, references }: IpSetPlace, { headerOnly = false }: IpSetListing = {}): IpSet {
  const { definition } = content
  return {
    name,
    ...definition,
    revision: SHAPES[definition.type].revision,
    references,
    size: content.size,
    entries: headerOnly ? [] : content.entries(),
  }
}
