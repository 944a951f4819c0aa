/**
 * Arguments as iproute2's programs read them: from left to right, keywords before their values, and the words with which
 * it refuses what it does not understand.
 */
import { bitsOf, type Family, formatIp, readIp } from '../address/ip.ts'
import { MAC_LENGTH } from '../address/mac.ts'
import { Exit } from './exit.ts'

/** Whether the word is the name or the beginning of it. */
export function abbreviates(word: string, ...names: readonly string[]): boolean {
  return word !== '' && names.some((name) => name.startsWith(word))
}

export class Arguments {
  readonly #words: readonly string[]
  #at = 0

  constructor(words: readonly string[]) {
    this.#words = words
  }

  get more(): boolean {
    return this.#at < this.#words.length
  }

  /** The next word, which stays; empty at the end. */
  get next(): string {
    return this.#words[this.#at] ?? ''
  }

  /** Those from the next on. */
  get rest(): readonly string[] {
    return this.#words.slice(this.#at)
  }

  /** The next word must be there. */
  take(): string {
    if (!this.more) throw incomplete()
    return this.#words[this.#at++]!
  }

  /** Takes the next word if it is one of these. */
  takes(...words: readonly string[]): boolean {
    const found = this.more && words.includes(this.next)
    if (found) this.#at++
    return found
  }

  /** Takes the next word if it is one of these or begins one. */
  takesBegun(...names: readonly string[]): boolean {
    const found = this.more && abbreviates(this.next, ...names)
    if (found) this.#at++
    return found
  }
}

export function incomplete(): Exit {
  return new Exit(255, 'Command line is not complete. Try option "help"')
}

export function wrong(argument: string, message: string): Exit {
  return new Exit(255, `Error: argument "${argument}" is wrong: ${message}`)
}

export function duplicate(key: string, argument: string): Exit {
  return new Exit(255, `Error: duplicate "${key}": "${argument}" is the second value.`)
}

export function garbage(key: string, argument: string): Exit {
  return new Exit(255, `Error: either "${key}" is duplicate, or "${argument}" is a garbage.`)
}

/** As strtoul(3) reads it with base 0; undefined for what is no number up to `most`. */
export function readUnsigned(text: string, most = 0xffff_ffff): number | undefined {
  if (!/^(0x[0-9a-f]+|0[0-7]*|[1-9][0-9]*)$/i.test(text)) return undefined
  const value = /^0[0-7]+$/.test(text) ? Number.parseInt(text, 8) : Number(text)
  return value <= most ? value : undefined
}

/** `message` is iproute2's, with the newline that it ends with. */
export function parseUnsigned(text: string, message: string, most?: number): number {
  const value = readUnsigned(text, most)
  if (value === undefined) throw wrong(text, message)
  return value
}

/** `refused` says no to what is neither `on` nor `off`. */
export function parseSwitch(text: string, refused: () => Exit): boolean {
  if (text === 'on' || text === 'off') return text === 'on'
  throw refused()
}

/**
 * A link-layer address as ip takes it: bytes of one or two digits between colons; `wrongLength` is for those that are not
 * six. `message` is for what is none.
 */
export function parseHardwareAddress(text: string, message: Exit, wrongLength: (length: number) => Exit): string {
  const bytes = text.split(':')
  // A number too big for a byte that stands alone is cut to one, as sscanf(3) does.
  if (bytes.length === 1 && /^[0-9a-f]+$/i.test(text)) throw wrongLength(1)
  if (!bytes.every((byte) => /^[0-9a-f]{1,2}$/i.test(byte))) throw message
  if (bytes.length !== MAC_LENGTH) throw wrongLength(bytes.length)
  return bytes.map((byte) => byte.padStart(2, '0').toLowerCase()).join(':')
}

/** A prefix as it was typed. */
export interface TypedPrefix {
  /** Undefined for `default`, `any` and `all`, which are of either family. */
  readonly family: Family | undefined
  /** Host bits kept; empty for the three. */
  readonly address: string
  readonly length: number
  /** A length was typed. */
  readonly hasLength: boolean
}

/** An address, or undefined. IPv4 may be cut short: `10.1` is 10.1.0.0. */
export function readAddress(text: string, family?: Family): { family: Family; address: string } | undefined {
  const found: Family = text.includes(':') ? 'ipv6' : 'ipv4'
  if (family && family !== found) return undefined
  const parts = text.split('.')
  const whole = found === 'ipv4' && parts.length < 4 ? [...parts, '0', '0', '0'].slice(0, 4).join('.') : text
  const ip = readIp(whole)
  return ip && { family: found, address: formatIp(ip) }
}

function readTypedPrefix(text: string, family?: Family): TypedPrefix | undefined {
  if (['default', 'any', 'all'].includes(text)) return { family, address: '', length: 0, hasLength: true }
  const slash = text.indexOf('/')
  const address = readAddress(slash < 0 ? text : text.slice(0, slash), family)
  if (!address) return undefined
  const bits = bitsOf(address.family)
  if (slash < 0) return { ...address, length: bits, hasLength: false }
  const length = readMask(text.slice(slash + 1))
  return length === undefined || length > bits ? undefined : { ...address, length, hasLength: true }
}

/** A length, or a mask such as 255.255.255.0. */
function readMask(text: string): number | undefined {
  const length = readUnsigned(text, 128)
  if (length !== undefined) return length
  const bytes = text.includes('.') ? readIp(text) : undefined
  const bits = bytes && [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('')
  return bits && /^1*0*$/.test(bits) ? bits.lastIndexOf('1') + 1 : undefined
}

export function parseAddress(text: string, family?: Family): { family: Family; address: string } {
  const address = readAddress(text, family)
  if (address) return address
  throw new Exit(1, `Error: ${familyWords(family)} address is expected rather than "${text}".`)
}

export function parseTypedPrefix(text: string, family?: Family): TypedPrefix {
  const prefix = readTypedPrefix(text, family)
  if (prefix) return prefix
  throw new Exit(1, `Error: ${familyWords(family)} prefix is expected rather than "${text}".`)
}

function familyWords(family: Family | undefined): string {
  if (family === undefined) return 'any valid'
  return family === 'ipv4' ? 'inet' : 'inet6'
}
