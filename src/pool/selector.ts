/**
 * Calico's selectors: what a node's labels must say.
 *
 *   all()    rack == 'r1'    rack != 'r1'    has(gpu)    zone in {'a', 'b'}    zone not in {'a'}
 *   name starts with 'edge'    name ends with '-1'    name contains 'mid'    ! && || ( )
 *
 * https://docs.tigera.io/calico/latest/reference/resources/ippool#node-selector
 */
import { PoolError } from './errors.ts'

export type Labels = Readonly<Record<string, string>>

export type Selector = (labels: Labels) => boolean

const TOKEN = /\s*(?:(&&|\|\||==|!=|[!(){},])|'([^']*)'|"([^"]*)"|([a-zA-Z0-9][a-zA-Z0-9_./-]*))/y

type Token = { readonly symbol: string } | { readonly text: string } | { readonly word: string }

/** What stands between a label and a text, and whether the label's value is then right. */
const COMPARISONS: Readonly<Record<string, (value: string | undefined, text: string) => boolean>> = {
  '==': (value, text) => value === text,
  '!=': (value, text) => value !== text,
  contains: (value, text) => value?.includes(text) ?? false,
  'starts with': (value, text) => value?.startsWith(text) ?? false,
  'ends with': (value, text) => value?.endsWith(text) ?? false,
}

/** An empty text selects all. PoolError for what is no selector. */
export function parseSelector(text: string): Selector {
  if (text.trim() === '') return () => true
  const reader = new Reader(text)
  const selector = readAlternatives(reader)
  reader.end()
  return selector
}

function readAlternatives(reader: Reader): Selector {
  const parts = [readTerms(reader)]
  while (reader.skip('||')) parts.push(readTerms(reader))
  return (labels) => parts.some((part) => part(labels))
}

function readTerms(reader: Reader): Selector {
  const parts = [readTerm(reader)]
  while (reader.skip('&&')) parts.push(readTerm(reader))
  return (labels) => parts.every((part) => part(labels))
}

function readTerm(reader: Reader): Selector {
  if (reader.skip('!')) {
    const term = readTerm(reader)
    return (labels) => !term(labels)
  }
  if (reader.skip('(')) {
    const inner = readAlternatives(reader)
    reader.symbol(')')
    return inner
  }
  const label = reader.word()
  if ((label === 'all' || label === 'global') && reader.skip('(')) {
    reader.symbol(')')
    return () => true
  }
  if (label === 'has' && reader.skip('(')) {
    const wanted = reader.word()
    reader.symbol(')')
    return (labels) => Object.hasOwn(labels, wanted)
  }
  return readComparison(reader, label)
}

function readComparison(reader: Reader, label: string): Selector {
  const valueIn = (labels: Labels) => (Object.hasOwn(labels, label) ? labels[label] : undefined)
  const operator = reader.operator()
  if (operator === 'in' || operator === 'not in') {
    const texts = readTexts(reader)
    // A label that is not there is in no set: Calico says so of "not in", too.
    return (labels) => texts.includes(valueIn(labels)) === (operator === 'in')
  }
  const compare = COMPARISONS[operator] ?? reader.fail(`"${operator}" is no comparison`)
  const text = reader.text()
  return (labels) => compare(valueIn(labels), text)
}

function readTexts(reader: Reader): (string | undefined)[] {
  const texts: string[] = []
  reader.symbol('{')
  do texts.push(reader.text())
  while (reader.skip(','))
  reader.symbol('}')
  return texts
}

class Reader {
  readonly #source: string
  readonly #tokens: Token[]
  #next = 0

  constructor(source: string) {
    this.#source = source
    this.#tokens = this.#split()
  }

  skip(symbol: string): boolean {
    const token = this.#tokens[this.#next]
    if (!token || !('symbol' in token) || token.symbol !== symbol) return false
    this.#next++
    return true
  }

  symbol(symbol: string): void {
    if (!this.skip(symbol)) this.fail(`"${symbol}" is missing`)
  }

  word(): string {
    const token = this.#tokens[this.#next++]
    return token && 'word' in token ? token.word : this.fail('the name of a label is missing')
  }

  text(): string {
    const token = this.#tokens[this.#next++]
    return token && 'text' in token ? token.text : this.fail('a text in quotes is missing')
  }

  /** `==`, `!=`, or words. */
  operator(): string {
    for (const symbol of ['==', '!=']) if (this.skip(symbol)) return symbol
    const first = this.word()
    return first === 'not' || first === 'starts' || first === 'ends' ? `${first} ${this.word()}` : first
  }

  end(): void {
    if (this.#next < this.#tokens.length) this.fail('something follows its end')
  }

  fail(why: string): never {
    throw new PoolError('invalid', `Cannot use selector "${this.#source}": ${why}`)
  }

  #split(): Token[] {
    const tokens: Token[] = []
    const source = this.#source.trimEnd()
    const pattern = new RegExp(TOKEN)
    while (pattern.lastIndex < source.length) {
      const start = pattern.lastIndex
      const match = pattern.exec(source)
      if (!match) return this.fail(`"${source.slice(start)}" in it cannot be read`)
      const [, symbol, single, double, word] = match
      const text = single ?? double
      tokens.push(symbol !== undefined ? { symbol } : text !== undefined ? { text } : { word: word! })
    }
    return tokens
  }
}
