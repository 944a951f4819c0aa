/**
 * What a match (`-m`) or a target (`-j`) of iptables is: the options it takes, what they mean, how it is printed.
 * Source: iptables 1.8.9, extensions/libxt_*.c, and libxtables/xtoptions.c for what all have in common.
 */
import { badParameter } from '../error.ts'
import type { Family, Invertible } from '../rule.ts'

export interface Option {
  readonly name: string
  /** Other names for it. */
  readonly synonyms?: readonly string[]
  /** Words behind it. */
  readonly takes: 0 | 1 | 2
  readonly invertible?: boolean
}

/** What the rule says so far, in front of the extension. */
export interface RuleContext {
  readonly family: Family
  readonly protocol: Invertible<number> | undefined
}

/** What may be asked of the kernel while a rule is read. */
export interface ParseContext extends RuleContext {
  /** An IP set, as far as a rule must know it; undefined where there is none. */
  findSet(name: string): { readonly family?: 'ipv4' | 'ipv6' } | undefined
}

/** An extension whose values are `T`. */
export interface Extension<T> {
  /** Where it is of one family only. */
  readonly family?: Family
  readonly options: readonly Option[]
  parse(given: Given, rule: ParseContext): T
  /** As -S writes it: each word with a space before it. */
  save(value: T, rule: RuleContext): string
  /** As -L shows it, the same. `numeric`: -n. */
  list(value: T, numeric: boolean, rule: RuleContext): string
}

interface Occurrence {
  readonly words: readonly string[]
  readonly invert: boolean
}

/** The options of one extension as they were typed. */
export class Given {
  readonly extension: string
  readonly #options = new Map<string, Occurrence>()

  constructor(extension: string) {
    this.extension = extension
  }

  get size(): number {
    return this.#options.size
  }

  add({ name, invertible }: Option, words: readonly string[], invert: boolean): void {
    if (this.#options.has(name)) throw badParameter(`${this.extension}: option "--${name}" can only be used once.\n`)
    if (invert && !invertible) throw badParameter(`${this.extension}: option "--${name}" cannot be inverted.\n`)
    this.#options.set(name, { words, invert })
  }

  has(name: string): boolean {
    return this.#options.has(name)
  }

  /** The option's first word. */
  text(name: string): string | undefined {
    return this.#options.get(name)?.words[0]
  }

  words(name: string): readonly string[] {
    return this.#options.get(name)?.words ?? []
  }

  isInverted(name: string): boolean {
    return this.#options.get(name)?.invert ?? false
  }

  /** The option's value, read by `read`, and whether it is turned round. */
  value<T>(name: string, read: (text: string) => T): Invertible<T> | undefined {
    const occurrence = this.#options.get(name)
    return occurrence && { value: read(occurrence.words[0] ?? ''), invert: occurrence.invert }
  }

  require(name: string): string {
    const text = this.text(name)
    if (text === undefined) throw badParameter(`${this.extension}: option "--${name}" must be specified\n`)
    return text
  }

  /** At most one of these. */
  exclude(...names: readonly string[]): void {
    const [one, other] = names.filter((name) => this.has(name))
    if (other !== undefined) {
      throw badParameter(`${this.extension}: option "--${one}" cannot be used together with "--${other}".\n`)
    }
  }
}

/** The mark of an inverted condition, before its option. */
export function bang(condition: { readonly invert: boolean } | undefined): string {
  return condition?.invert ? ' !' : ''
}
