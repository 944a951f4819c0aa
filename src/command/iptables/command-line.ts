/**
 * What was typed, understood: do_parse() of iptables/xshared.c.
 *
 * Options may stand in any order, but those of a match or target only behind its `-m` or `-j`; those of the protocol's
 * match need no `-m`. Long options may be cut short as long as only one begins so: getopt_long(3).
 */
import type { XtMatch, XtTarget } from '../../kernel/xtables.ts'
import { type Network, parseNetworks } from './address.ts'
import { checkChainName, checkTargetName, MAX_NAME, tooLong } from './chain-name.ts'
import { badParameter, IptablesError, NotModelledError } from './error.ts'
import { type Extension, Given, type Option, type ParseContext } from './extension/extension.ts'
import { findMatch, findTarget, isOtherMatch, isOtherTarget } from './extensions.ts'
import { parseInterface } from './interface.ts'
import { protocolName, protocolNumber } from './names.ts'
import { readNumber } from './number.ts'
import { BASE_OPTIONS, type BaseOption, ILLEGAL, OPTION_ORDER, type Verb } from './options.ts'
import type { Family, Invertible, Rule, Target } from './rule.ts'

export interface CommandLine {
  readonly verbs: readonly Verb[]
  readonly table: string
  readonly chain?: string
  /** From 1. */
  readonly ruleNumber?: number
  readonly policy?: string
  readonly newName?: string
  /** One for each pair of the addresses that were given. */
  readonly rules: readonly Rule[]
  readonly verbose: boolean
  readonly numeric: boolean
  readonly exact: boolean
  readonly lineNumbers: boolean
}

const VERBS = 'AIDRCLSFZNXPE'
/** Where iptables takes the word before the next for the argument, so that one in the same word (`-ptcp`) is misread. */
const TAKES_WORD = 'psdjio'
/** Those that are given a rule. */
const RULE_VERBS = 'AIDRC'
/** An extension as it is loaded: its options, and what has been given of them. */
interface Loaded {
  readonly name: string
  readonly extension: Extension<XtMatch> | Extension<XtTarget>
  readonly given: Given
}

/** `-V`, `-h`: there is no more to do than to print it. */
export class PrintAndExit extends Error {
  override readonly name = 'PrintAndExit'
}

/** `findSet`: an IP set of the kernel's. */
export function parseCommandLine(
  words: readonly string[],
  family: Family,
  findSet: ParseContext['findSet'],
  table = 'filter',
): CommandLine {
  return new Parser(words, family, findSet, table).parse()
}

class Parser {
  readonly #words: readonly string[]
  readonly #family: Family
  readonly #findSet: ParseContext['findSet']
  #at = 0
  #invert = false
  readonly #verbs: Verb[] = []
  /** Letters of the options seen. */
  readonly #seen = new Set<string>()
  #table: string
  #chain: string | undefined
  #ruleNumber: number | undefined
  #policy: string | undefined
  #newName: string | undefined
  #sources: Invertible<string> | undefined
  #destinations: Invertible<string> | undefined
  #protocol: Invertible<number> | undefined
  /** As it was typed: the name of the match that it brings with it. */
  #protocolWord: string | undefined
  #isProtocolLoaded = false
  #input: Invertible<string> | undefined
  #output: Invertible<string> | undefined
  #fragment: Invertible<true> | undefined
  #jump: string | undefined
  #isGoto = false
  readonly #matches: Loaded[] = []
  #target: Loaded | undefined
  #packets = 0n
  #bytes = 0n

  constructor(words: readonly string[], family: Family, findSet: ParseContext['findSet'], table: string) {
    this.#words = words
    this.#family = family
    this.#findSet = findSet
    this.#table = table
  }

  parse(): CommandLine {
    while (this.#at < this.#words.length) this.#next()
    if (this.#table === 'nat' && (this.#policy === 'DROP' || this.#jump === 'DROP')) {
      throw badParameter('\nThe "nat" table is not intended for filtering, the use of DROP is therefore inhibited.\n\n')
    }
    const context = this.#context()
    const matches = this.#matches.map(({ extension, given }) => extension.parse(given, context) as XtMatch)
    const target = this.#parseTarget()
    const [verb] = this.#verbs
    if (!verb) throw badParameter('no command specified')
    if (this.#invert) throw badParameter('nothing appropriate following !')
    const rules = this.#makeRules(matches, target)
    if (verb === 'R' && rules.length !== 1) throw badParameter('Replacement rule does not specify a unique address')
    this.#checkOptions()
    this.#checkChain()
    return {
      verbs: this.#verbs,
      table: this.#table,
      ...(this.#chain !== undefined && { chain: this.#chain }),
      ...(this.#ruleNumber !== undefined && { ruleNumber: this.#ruleNumber }),
      ...(this.#policy !== undefined && { policy: this.#policy }),
      ...(this.#newName !== undefined && { newName: this.#newName }),
      rules,
      verbose: this.#seen.has('v'),
      numeric: this.#seen.has('n'),
      exact: this.#seen.has('x'),
      lineNumbers: this.#seen.has('0'),
    }
  }

  #next(): void {
    const word = this.#words[this.#at]!
    if (word === '!') {
      if (this.#invert) throw badParameter('multiple consecutive ! not allowed')
      this.#invert = true
      this.#at++
      return
    }
    if (word.startsWith('--') && word.length > 2) this.#longOption(word)
    else if (word.startsWith('-') && word.length > 1) this.#shortOptions(word)
    else throw new IptablesError('parameter', `Bad argument \`${word}'`)
    this.#invert = false
  }

  #longOption(word: string): void {
    this.#at++
    const equals = word.indexOf('=')
    const name = equals < 0 ? word.slice(2) : word.slice(2, equals)
    const attached = equals < 0 ? undefined : word.slice(equals + 1)
    const found = this.#findLong(name) ?? (this.#loadProtocol() ? this.#findLong(name) : undefined)
    if (!found) throw badParameter(`unknown option "${word}"`)
    if (!('option' in found)) {
      const takes = found.base.takes
      const { letter } = found.base
      const told = attached !== undefined && TAKES_WORD.includes(letter) ? word : attached
      this.#baseOption(letter, takes === 1 ? (told ?? this.#argument(word)) : told)
      return
    }
    const { loaded, option } = found
    const words: string[] = []
    if (option.takes > 0) words.push(attached ?? this.#argument(word))
    if (option.takes > 1) {
      const second = this.#words[this.#at]
      if (second === undefined || /^[-!]/.test(second)) throw badParameter(`--${option.name} requires two args.`)
      words.push(this.#argument(word))
    }
    loaded.given.add(option, words, this.#invert)
  }

  /** The base options come first, then the newest extension's. A whole name is found before a beginning. */
  #findLong(name: string) {
    const loaded = [...(this.#target ? [this.#target] : []), ...this.#matches.toReversed()]
    const base = BASE_OPTIONS.flatMap((option) => option.names.map((long) => ({ long, base: option })))
    const own = loaded.flatMap((one) =>
      one.extension.options.flatMap((option) =>
        [option.name, ...(option.synonyms ?? [])].map((long) => ({ long, loaded: one, option })),
      ),
    )
    const all: ({ long: string; base: BaseOption } | { long: string; loaded: Loaded; option: Option })[] = [
      ...base,
      ...own,
    ]
    const whole = all.find(({ long }) => long === name)
    if (whole) return whole
    const beginning = all.filter(({ long }) => long.startsWith(name))
    const meant = new Set(beginning.map((found) => ('option' in found ? found.option : found.base)))
    return meant.size === 1 ? beginning[0] : undefined
  }

  #shortOptions(word: string): void {
    this.#at++
    for (let i = 1; i < word.length; i++) {
      const letter = word[i]!
      const base = BASE_OPTIONS.find((option) => option.letter === letter)
      if (!base || letter === '0') throw badParameter(`unknown option "${word}"`)
      const rest = word.slice(i + 1)
      if (base.takes === 0) {
        this.#baseOption(letter, undefined)
        continue
      }
      const told = rest !== '' && TAKES_WORD.includes(letter) ? word : rest
      this.#baseOption(letter, told !== '' ? told : base.takes === 1 ? this.#argument(word) : undefined)
      return
    }
  }

  #argument(option: string): string {
    const word = this.#words[this.#at++]
    if (word === undefined) throw badParameter(`option "${option}" requires an argument`)
    return word
  }

  /** A word behind an option that may have some. */
  #optional(): string | undefined {
    const word = this.#words[this.#at]
    if (word === undefined || /^[-!]/.test(word)) return undefined
    this.#at++
    return word
  }

  #baseOption(letter: string, argument: string | undefined): void {
    if (VERBS.includes(letter)) {
      this.#addVerb(letter as Verb, argument)
      return
    }
    const value = argument ?? ''
    const invert = this.#invert
    switch (letter) {
      case 'p':
        this.#once(letter, true)
        this.#protocolWord = value.toLowerCase()
        this.#protocol = { value: parseProtocol(this.#protocolWord), invert }
        if (this.#protocol.value === 0 && invert) throw badParameter('rule would never match protocol')
        return
      case 's':
        this.#once(letter, true)
        this.#sources = { value, invert }
        return
      case 'd':
        this.#once(letter, true)
        this.#destinations = { value, invert }
        return
      case 'i':
      case 'o':
        if (value === '') throw badParameter('Empty interface is likely to be undesired')
        this.#once(letter, true)
        if (letter === 'i') this.#input = { value: parseInterface(value), invert }
        else this.#output = { value: parseInterface(value), invert }
        return
      case 'f':
        if (this.#family === 'ip6') throw badParameter("`-f' is not supported in IPv6, use -m frag instead")
        this.#once(letter, true)
        this.#fragment = { value: true, invert }
        return
      case 'j':
      case 'g':
        this.#once('j', false)
        this.#jump = checkTargetName(value)
        this.#isGoto = letter === 'g'
        if (letter === 'j') this.#loadTarget(value)
        return
      case 'm':
        if (invert) throw badParameter('unexpected ! flag before --match')
        this.#loadMatch(value)
        return
      case 't':
        if (invert) throw badParameter('unexpected ! flag before --table')
        this.#table = value
        return
      case 'v':
        this.#seen.add('v')
        return
      case 'n':
      case 'x':
      case '0':
        this.#once(letter, false)
        return
      case 'c':
        this.#counters(value)
        return
      case 'w':
      case 'W':
        // Seconds to wait for a lock that there is none of.
        this.#optional()
        return
      case '4':
      case '6':
        if ((letter === '4') === (this.#family === 'ip')) return
        throw new IptablesError('parameter', '')
      case 'V':
        throw new PrintAndExit()
      default:
        throw new NotModelledError(letter === 'h' ? '--help' : `-${letter}`)
    }
  }

  #addVerb(verb: Verb, argument: string | undefined): void {
    if (this.#invert) throw badParameter("unexpected '!' flag")
    const [before] = this.#verbs
    const together =
      before !== undefined && ((verb === 'Z' && 'LS'.includes(before)) || (before === 'Z' && 'LS'.includes(verb)))
    if (before && !together) throw badParameter(`Cannot use -${verb} with -${before}`)
    this.#verbs.push(verb)
    if ('LSFZX'.includes(verb)) {
      const chain = argument ?? this.#optional()
      if (chain !== undefined) this.#chain = chain
      if ('LSZ'.includes(verb) && chain !== undefined) this.#number()
      return
    }
    const chain = argument!
    if (verb === 'N') checkChainName(chain)
    this.#chain = chain
    if (verb === 'D') this.#number()
    if (verb === 'I') {
      this.#number()
      this.#ruleNumber ??= 1
    }
    if (verb === 'R') {
      this.#number()
      if (this.#ruleNumber === undefined) throw badParameter('-R requires a rule number')
    }
    if (verb === 'P') {
      this.#policy = this.#optional()
      if (this.#policy === undefined) throw badParameter('-P requires a chain and a policy')
    }
    if (verb === 'E') {
      this.#newName = this.#optional()
      if (this.#newName === undefined) throw badParameter('-E requires old-chain-name and new-chain-name')
    }
  }

  #number(): void {
    const word = this.#optional()
    if (word === undefined) return
    this.#ruleNumber = readNumber(word, 0x7fff_ffff, 1)
    if (this.#ruleNumber === undefined) throw badParameter(`Invalid rule number \`${word}'`)
  }

  #once(letter: string, invertible: boolean): void {
    if (this.#seen.has(letter)) throw badParameter(`multiple -${letter} flags not allowed`)
    this.#seen.add(letter)
    if (this.#invert && !invertible) throw badParameter(`cannot have ! before -${letter}`)
  }

  #counters(text: string): void {
    this.#once('c', false)
    const [packets, bytes = this.#optional()] = text.split(',')
    if (bytes === undefined) throw badParameter('-c requires packet and byte counter')
    if (!/^\d+/.test(packets!)) throw badParameter('-c packet counter not numeric')
    if (!/^\d+/.test(bytes)) throw badParameter('-c byte counter not numeric')
    this.#packets = BigInt(/^\d+/.exec(packets!)![0])
    this.#bytes = BigInt(/^\d+/.exec(bytes)![0])
  }

  #loadMatch(word: string): void {
    const found = findMatch(word)
    if (!found || (found.extension.family && found.extension.family !== this.#family)) {
      if (isOtherMatch(word)) throw new NotModelledError(`-m ${word}`)
      throw badParameter(`Couldn't load match \`${word}':No such file or directory\n`)
    }
    this.#matches.push({ ...found, given: new Given(found.name) })
  }

  #loadTarget(word: string): void {
    const extension = findTarget(word)
    if (extension) this.#target = { name: word, extension, given: new Given(word) }
    else if (isOtherTarget(word)) throw new NotModelledError(`-j ${word}`)
  }

  /** The match that goes with the protocol, for an option that nothing else has. */
  #loadProtocol(): boolean {
    if (this.#protocolWord === undefined || this.#isProtocolLoaded) return false
    const number = readNumber(this.#protocolWord, 255)
    const name = number === undefined ? this.#protocolWord : protocolName(number)
    const found = name === undefined ? undefined : findMatch(name)
    if (!found || (found.extension.family && found.extension.family !== this.#family)) return false
    this.#isProtocolLoaded = true
    this.#matches.push({ ...found, given: new Given(found.name) })
    return true
  }

  #context(): ParseContext {
    return { family: this.#family, protocol: this.#protocol, findSet: this.#findSet }
  }

  #parseTarget(): Target | undefined {
    const jump = this.#jump
    if (jump === undefined || jump === '') return undefined
    if (this.#target) {
      return this.#target.extension.parse(this.#target.given, this.#context()) as XtTarget
    }
    if (!this.#isGoto && (jump === 'ACCEPT' || jump === 'DROP' || jump === 'RETURN')) return { verdict: jump }
    if (jump === 'QUEUE') throw new NotModelledError('-j QUEUE')
    return { jump, goto: this.#isGoto }
  }

  #makeRules(matches: readonly XtMatch[], target: Target | undefined): Rule[] {
    if (!RULE_VERBS.includes(this.#verbs[0]!)) return []
    const sources = parseBoth(this.#sources, this.#family)
    const destinations = parseBoth(this.#destinations, this.#family)
    if ((sources.length > 1 || destinations.length > 1) && (this.#sources?.invert || this.#destinations?.invert)) {
      throw badParameter('! not allowed with multiple source or destination IP addresses')
    }
    const protocol = this.#protocol?.value ? this.#protocol : undefined
    return sources.flatMap((source) =>
      destinations.map((destination) => ({
        ...(source && { source }),
        ...(destination && { destination }),
        ...(protocol && { protocol }),
        ...(this.#input && { input: this.#input }),
        ...(this.#output && { output: this.#output }),
        ...(this.#fragment && { fragment: this.#fragment }),
        matches,
        ...(target && { target }),
        packets: this.#packets,
        bytes: this.#bytes,
      })),
    )
  }

  #checkOptions(): void {
    const isByNumber = this.#verbs[0] === 'D' && this.#ruleNumber !== undefined
    const illegal = this.#verbs.map((verb) => (isByNumber ? ILLEGAL.F : ILLEGAL[verb]))
    for (const letter of OPTION_ORDER) {
      if (!this.#seen.has(letter)) continue
      // What one of the verbs allows is allowed.
      if (illegal.every((letters) => letters.includes(letter))) {
        throw badParameter(`Illegal option \`-${letter}' with this command`)
      }
    }
  }

  #checkChain(): void {
    const chain = this.#chain
    if (chain === undefined) return
    if (chain.length >= MAX_NAME) throw tooLong(chain)
    if (!RULE_VERBS.includes(this.#verbs[0]!)) return
    if ((chain === 'PREROUTING' || chain === 'INPUT') && this.#seen.has('o'))
      throw badParameter(`Can't use -o with ${chain}\n`)
    if ((chain === 'POSTROUTING' || chain === 'OUTPUT') && this.#seen.has('i'))
      throw badParameter(`Can't use -i with ${chain}\n`)
  }
}

function parseBoth(condition: Invertible<string> | undefined, family: Family): (Invertible<Network> | undefined)[] {
  if (!condition) return [undefined]
  return parseNetworks(condition.value, family).map((value) => ({ value, invert: condition.invert }))
}

function parseProtocol(text: string): number {
  const number = readNumber(text, 255) ?? protocolNumber(text)
  if (number === undefined) throw badParameter(`unknown protocol "${text}" specified`)
  return number
}
