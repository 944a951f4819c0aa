/** Numbers, marks and quoted words as libxtables reads and writes them: xtables_strtoul(), xtables_save_string(). */
import { badParameter } from './error.ts'

/** All of the text as strtoul(3) with base 0 reads it: decimal, 0x… or 0… octal. Undefined when it is none in the range. */
export function readNumber(text: string, max: number, min = 0): number | undefined {
  const match = /^\s*\+?(?:(0[xX][0-9a-fA-F]+)|(0[0-7]*)|([1-9][0-9]*))$/.exec(text)
  if (!match) return undefined
  const [, hexadecimal, octal, decimal] = match
  const value = octal ? Number.parseInt(octal, 8) : Number(hexadecimal ?? decimal)
  return value >= min && value <= max ? value : undefined
}

/** What an option of type XTTYPE_UINT* takes. */
export function parseNumber(extension: string, option: string, text: string, max: number, min = 0): number {
  const value = readNumber(text, max, min)
  if (value === undefined) {
    throw badParameter(`${extension}: bad value for option "--${option}", or out of range (${min}-${max}).\n`)
  }
  return value
}

const MAX_MARK = 0xffff_ffff

/** `value[/mask]`: xtables_parse_mark_mask(). */
export function parseMark(
  extension: string,
  option: string,
  text: string,
): { readonly mark: number; readonly mask: number } {
  const slash = text.indexOf('/')
  const [mark, mask] = [slash < 0 ? text : text.slice(0, slash), slash < 0 ? undefined : text.slice(slash + 1)].map(
    (word) => (word === undefined ? MAX_MARK : readNumber(word, MAX_MARK)),
  )
  if (mark !== undefined && mask !== undefined) return { mark, mask }
  throw badParameter(`${extension}: bad integer value for option "--${option}", or out of range.\n`)
}

export function hexadecimal(value: number): string {
  return `0x${(value >>> 0).toString(16)}`
}

export function formatMark(mark: number, mask: number): string {
  return mask === MAX_MARK ? hexadecimal(mark) : `${hexadecimal(mark)}/${hexadecimal(mask)}`
}

/** A word as a shell and iptables-restore read it back. */
export function quote(text: string): string {
  return /^[\w-]+$/.test(text) ? text : `"${text.replaceAll(/["\\']/g, '\\$&')}"`
}
