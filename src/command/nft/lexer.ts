/** Words of nft's language: src/scanner.l. Addresses are one word each, also those with colons. */
import { readIpv6 } from '../../address/ipv6.ts'
import { syntaxError } from './error.ts'
import { whyNoName } from './keywords.ts'

export interface Token {
  readonly kind: 'word' | 'text' | 'mark' | 'end'
  readonly text: string
}

const MAC = /^(?:[0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}(?![0-9a-fA-F:])/
const IPV6 = /^[0-9a-fA-F]*:[0-9a-fA-F:]*(?:[0-9a-fA-F]|:|\.\d+)+/
const IPV4 = /^\d+\.\d+\.\d+\.\d+/
const NUMBER = /^(?:0x[0-9a-fA-F]+|\d+(?:[a-z]+\d*)*)/
const NAME = /^\\?[A-Za-z_][\w\-./\\*]*\*?/
const MARK = /^(?:==|!=|<=|>=|<<|>>|[{}()[\],;:.+\-/&|^!<>=@*])/

export function tokenize(text: string): Token[] {
  const tokens: Token[] = []
  let rest = text
  while (rest !== '') {
    const space = /^(?:[ \t]+|#[^\n]*|\\\n)/.exec(rest)
    if (space) {
      rest = rest.slice(space[0].length)
      continue
    }
    if (rest.startsWith('\n')) {
      tokens.push({ kind: 'mark', text: ';' })
      rest = rest.slice(1)
      continue
    }
    const token = next(rest)
    tokens.push(token.token)
    rest = rest.slice(token.length)
  }
  return tokens
}

function next(text: string): { readonly token: Token; readonly length: number } {
  const quoted = /^"([^"\n]*)"/.exec(text)
  if (quoted) return { token: { kind: 'text', text: quoted[1]! }, length: quoted[0].length }
  const ipv6 = IPV6.exec(text)?.[0]
  const isIpv6 = ipv6 !== undefined && readIpv6(ipv6) !== undefined
  const word = MAC.exec(text)?.[0] ?? (isIpv6 ? ipv6 : undefined) ?? IPV4.exec(text)?.[0]
  const found = word ?? NUMBER.exec(text)?.[0] ?? NAME.exec(text)?.[0]
  if (found !== undefined) return { token: { kind: 'word', text: found }, length: found.length }
  const mark = MARK.exec(text)?.[0]
  if (mark === undefined) throw syntaxError(`"${text[0]}"`)
  return { token: { kind: 'mark', text: mark }, length: mark.length }
}

const END: Token = { kind: 'end', text: '' }

/** The words one after the other, with a look at what comes. */
export class Tokens {
  readonly #tokens: readonly Token[]
  readonly #anyName: boolean
  #at = 0

  /** `anyName`: what stands where a name may stand is one, as in JSON, where nothing else can stand there. */
  constructor(text: string, { anyName = false } = {}) {
    this.#tokens = tokenize(text)
    this.#anyName = anyName
  }

  peek(ahead = 0): Token {
    return this.#tokens[this.#at + ahead] ?? END
  }

  take(): Token {
    const token = this.peek()
    this.#at++
    return token
  }

  /** Whether the next is this word or mark; a text in quotes is neither. */
  is(text: string, ahead = 0): boolean {
    const token = this.peek(ahead)
    return token.kind !== 'text' && token.kind !== 'end' && token.text === text
  }

  /** Takes it where it is the next. */
  accept(text: string): boolean {
    if (!this.is(text)) return false
    this.#at++
    return true
  }

  expect(text: string): void {
    if (!this.accept(text)) throw this.unexpected()
  }

  word(): string {
    const token = this.take()
    if (token.kind !== 'word' && token.kind !== 'text') throw this.#unexpected(token)
    return token.text
  }

  /** Of a table, chain or set: identifier of src/parser_bison.y. */
  name(): string {
    const { kind, text } = this.peek()
    if (kind !== 'word' && kind !== 'text') throw this.unexpected()
    const found = this.#anyName ? undefined : kind === 'text' ? 'quoted string' : whyNoName(text)
    if (found !== undefined) throw syntaxError(`${found}, expecting string`)
    return this.word()
  }

  isEnd(): boolean {
    return this.peek().kind === 'end'
  }

  /** Whether a statement or command ends here. */
  isStop(): boolean {
    return this.isEnd() || this.is(';') || this.is('}')
  }

  unexpected(): Error {
    return this.#unexpected(this.peek())
  }

  #unexpected({ kind, text }: Token): Error {
    return syntaxError(
      kind === 'end' ? 'newline' : kind === 'word' || kind === 'text' ? `string "${text}"` : `'${text}'`,
    )
  }
}
