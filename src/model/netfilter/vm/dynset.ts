/** A rule that puts elements into a set, or takes them out: `dynset`, nft's `add @set { … }`. Source: net/netfilter/nft_dynset.c. */
import type { Compiled, Surroundings } from './compile.ts'
import type { Element } from './element.ts'
import type { Machine } from './machine.ts'
import { notModelled } from './not-modelled.ts'
import type { ExpressionAttributes } from './other.ts'
import { refusal } from './refusal.ts'
import type { Registers } from './registers.ts'
import { BREAK, CONTINUE } from './verdict.ts'

/** NFTA_DYNSET_*. */
const SET_NAME = 1
const OPERATION = 3
const KEY = 4
const DATA = 5
const TIMEOUT = 6
const EXPRESSION = 7
const EXPRESSIONS = 10
/** NFT_DYNSET_OP_*; to add is 0. */
const UPDATE = 1
const DELETE = 2

export function compileDynset(
  attributes: ExpressionAttributes,
  registers: Registers,
  { table }: Surroundings,
): Compiled {
  const set = table.sets.get(attributes.text(SET_NAME))
  if (!set) throw refusal('ENOENT')
  const { definition } = set
  const { data, keyLength } = definition
  if (definition.constant) throw refusal('EBUSY')
  const operation = attributes.u32(OPERATION)
  if (operation > DELETE) throw refusal('EOPNOTSUPP')
  const timeout = attributes.u64(TIMEOUT)
  if (attributes.has(TIMEOUT) && set.timeout === undefined) throw refusal('EOPNOTSUPP')
  if ((operation === UPDATE || attributes.has(TIMEOUT)) && definition.interval) throw refusal('EOPNOTSUPP')
  const from = registers.load(attributes.u32(KEY), keyLength)
  if (attributes.has(DATA) !== (data !== undefined)) throw refusal('EINVAL')
  if (data?.type === 'verdict') throw refusal('EOPNOTSUPP')
  const dataAt = data ? registers.load(attributes.u32(DATA), data.length) : 0
  if (attributes.has(EXPRESSION) || attributes.has(EXPRESSIONS)) {
    return { set, operation: notModelled('nft expressions of elements') }
  }

  const find = ({ registers: bytes }: Machine): Element | undefined => set.get(bytes.subarray(from, from + keyLength))
  return {
    set,
    operation(machine) {
      const there = find(machine)
      if (operation === DELETE) {
        if (there) set.remove(there)
        return CONTINUE
      }
      if (there) {
        if (operation === UPDATE && there.timeout !== 0) there.expires = set.expiry(timeout || (set.timeout ?? 0))
        return CONTINUE
      }
      set.expire()
      if (set.isFull) return BREAK
      const { registers: bytes } = machine
      const life = timeout || (set.timeout ?? 0)
      set.insert({
        key: bytes.slice(from, from + keyLength),
        keyEnd: undefined,
        data: data ? bytes.slice(dataAt, dataAt + data.length) : undefined,
        verdict: undefined,
        comment: undefined,
        timeout: life,
        expires: set.expiry(life),
      })
      return CONTINUE
    },
  }
}
