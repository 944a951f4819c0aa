/** Elements come and go: nf_tables_newsetelem, nf_tables_delsetelem. Source: net/netfilter/nf_tables_api.c. */
import type { NftElement } from '../../../kernel/nftables.ts'
import { compare, type Element, type ElementVerdict, sameKey } from './element.ts'
import { refusal } from './refusal.ts'
import type { Table } from './ruleset.ts'
import { isConcatenation, type NftSetState } from './set.ts'
import { resolveVerdict } from './verdict-expression.ts'

export class ElementChanges {
  readonly #undo: (back: () => void) => void

  constructor(undo: (back: () => void) => void) {
    this.#undo = undo
  }

  /** Whether one leads to a chain. */
  add(set: NftSetState, elements: readonly NftElement[], table: Table, exclusive: boolean): boolean {
    const { constant, anonymous } = set.definition
    if ((constant || anonymous) && set.references > 0) throw refusal('EBUSY')
    this.#expire(set)
    let leads = false
    for (const given of joinRanges(set, elements)) {
      const element = this.#resolve(set, given, table)
      const obstacle = set.obstacle(element)
      if (obstacle && !exclusive && isOpenStartOf(obstacle.element, element)) {
        this.#remove(set, obstacle.element)
        this.#insert(set, { ...obstacle.element, keyEnd: element.keyEnd })
        continue
      }
      if (obstacle) {
        if (exclusive || !obstacle.same || !sameData(obstacle.element, element)) throw refusal('EEXIST')
        this.#renew(set, obstacle.element, given)
        continue
      }
      // nft_pipapo_insert asks last whether a concatenation's range is one.
      if (given.keyEnd && !set.isRange(given.key, given.keyEnd)) throw refusal('EINVAL')
      if (element.key.length > 0 && set.isFull) throw refusal('ENFILE')
      this.#insert(set, element)
      leads ||= element.verdict?.chain !== undefined
    }
    return leads
  }

  delete(set: NftSetState, elements: readonly NftElement[]): void {
    this.#mayTake(set)
    for (const given of joinRanges(set, elements)) {
      if (given.key.length > 0 && given.key.length !== set.definition.keyLength) throw refusal('EINVAL')
      const element = set.named(given)
      if (!element) throw refusal('ENOENT')
      this.#remove(set, element)
    }
  }

  flush(set: NftSetState): void {
    this.#mayTake(set)
    this.empty(set)
  }

  /** nf_tables_delsetelem. */
  #mayTake({ definition, references }: NftSetState): void {
    if (definition.anonymous) throw refusal('EOPNOTSUPP')
    if (definition.constant && references > 0) throw refusal('EBUSY')
  }

  /** The set goes. */
  empty(set: NftSetState): void {
    const elements = set.all()
    for (const { verdict } of elements) this.#refer(verdict, -1)
    set.replace([])
    this.#undo(() => set.replace(elements))
  }

  #expire(set: NftSetState): void {
    const over = set.expire()
    if (over.length === 0) return
    for (const { verdict } of over) this.#refer(verdict, -1)
    this.#undo(() => {
      for (const element of over) set.insert(element)
    })
  }

  #insert(set: NftSetState, element: Element): void {
    set.insert(element)
    this.#refer(element.verdict, 1)
    this.#undo(() => set.remove(element))
  }

  #remove(set: NftSetState, element: Element): void {
    set.remove(element)
    this.#refer(element.verdict, -1)
    this.#undo(() => set.insert(element))
  }

  /** An element that is added again lives as long as it is said to now: nft_trans_elem_update. */
  #renew(set: NftSetState, element: Element, { timeout }: NftElement): void {
    if (timeout === undefined) return
    const before = { timeout: element.timeout, expires: element.expires }
    element.timeout = timeout
    element.expires = set.expiry(timeout)
    this.#undo(() => Object.assign(element, before))
  }

  #refer(verdict: ElementVerdict | undefined, change: 1 | -1): void {
    const chain = verdict?.chain
    if (!chain) return
    chain.references += change
    this.#undo(() => {
      chain.references -= change
    })
  }

  /** nft_add_set_elem: what it must look like. */
  #resolve(set: NftSetState, given: NftElement, table: Table): Element {
    const { keyLength, interval, data: leadsTo } = set.definition
    const { key, keyEnd, data, comment, timeout } = given
    if (key.length > 0 && key.length !== keyLength) throw refusal('EINVAL')
    if (keyEnd && (!interval || keyEnd.length !== keyLength)) throw refusal('EINVAL')
    if (keyEnd && !isConcatenation(set.definition) && !set.isRange(key, keyEnd)) throw refusal('EINVAL')
    if (timeout !== undefined && set.timeout === undefined) throw refusal('EINVAL')
    if ((data === undefined) !== (leadsTo === undefined)) throw refusal('EINVAL')
    const isVerdict = data !== undefined && !(data instanceof Uint8Array)
    if (leadsTo && isVerdict !== (leadsTo.type === 'verdict')) throw refusal('EINVAL')
    if (leadsTo && data instanceof Uint8Array && 'length' in leadsTo && data.length !== leadsTo.length) {
      throw refusal('EINVAL')
    }
    const life = timeout ?? set.timeout ?? 0
    return {
      key: key.slice(),
      keyEnd: keyEnd?.slice(),
      data: data instanceof Uint8Array ? data.slice() : undefined,
      verdict: isVerdict ? resolveVerdict(data, table) : undefined,
      comment,
      timeout: life,
      expires: set.expiry(life),
    }
  }
}

/** Ends of ranges that stand for themselves go to the range before them; one without any, at key 0, says nothing. */
function joinRanges(set: NftSetState, elements: readonly NftElement[]): readonly NftElement[] {
  if (!elements.some(({ intervalEnd }) => intervalEnd)) return elements
  if (!set.definition.interval || isConcatenation(set.definition)) throw refusal('EINVAL')
  const sorted = elements.toSorted(
    (a, b) =>
      compare(a.key, 0, b.key, 0, Math.min(a.key.length, b.key.length)) ||
      Number(!a.intervalEnd) - Number(!b.intervalEnd),
  )
  const ranges: NftElement[] = []
  for (const element of sorted) {
    const before = ranges.at(-1)
    if (!element.intervalEnd) ranges.push(element)
    else if (before && !before.keyEnd && before.key.length > 0) {
      ranges[ranges.length - 1] = { ...before, keyEnd: element.key }
    } else if (element.key.some((byte) => byte !== 0)) throw refusal('EOPNOTSUPP', 'a range without its first key')
  }
  return ranges
}

/** A range without an end is given one: in the kernel that is an element more. */
function isOpenStartOf(there: Element, element: Element): boolean {
  return !there.keyEnd && element.keyEnd !== undefined && sameKey(there.key, element.key) && sameData(there, element)
}

function sameData(a: Element, b: Element): boolean {
  return sameKey(a.data, b.data) && a.verdict?.code === b.verdict?.code && a.verdict?.chain === b.verdict?.chain
}
