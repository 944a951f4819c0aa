/**
 * A test of packet bytes or of metadata against a constant becomes one operation without a register between, where no later
 * expression reads that register. Those at a rule's beginning are what chain-index.ts finds rules by.
 */
import type { NftExpression } from '../../../kernel/nftables.ts'
import type { Compiled } from './compile.ts'
import type { Operation } from './machine.ts'
import { isNumberKey, isTextKey, nameTest, numberTest } from './meta.ts'
import { payloadTest } from './payload.ts'
import { metaSelector, nameSelector, payloadSelector, type Selector } from './selector.ts'

export interface Placed extends Compiled {
  readonly expression: NftExpression
  /** Words of the registers. */
  readonly reads: number
  readonly writes: number
  /** It changes nothing but registers. */
  readonly pure: boolean
}

/** What the selector reads must be this. */
export interface Test {
  readonly selector: Selector
  readonly value: number | string
}

interface Fused {
  readonly operation: Operation
  /** Expressions that it stands for. */
  readonly length: number
  readonly test: Test | undefined
}

export function fuse(placed: readonly Placed[]): { readonly operations: Operation[]; readonly tests: Test[] } {
  const operations: Operation[] = []
  const tests: Test[] = []
  let isPure = true
  for (let i = 0; i < placed.length; i++) {
    const fused = fusedAt(placed, i)
    operations.push(fused?.operation ?? placed[i]!.operation)
    isPure &&= fused !== undefined || placed[i]!.pure
    if (isPure && fused?.test) tests.push(fused.test)
    if (fused) i += fused.length - 1
  }
  return { operations, tests }
}

function fusedAt(placed: readonly Placed[], at: number): Fused | undefined {
  const load = placed[at]!.expression
  const second = placed[at + 1]?.expression
  const bitwise = load.type === 'payload' && second?.type === 'bitwise' ? second : undefined
  const length = bitwise ? 3 : 2
  const compare = bitwise ? placed[at + 2]?.expression : second
  if ((load.type !== 'payload' && load.type !== 'meta') || compare?.type !== 'cmp') return undefined
  if (compare.operator !== 'eq' && compare.operator !== 'neq') return undefined
  const { register, value } = compare
  if ((bitwise?.register ?? load.register) !== register || (bitwise && bitwise.source !== load.register))
    return undefined
  if (isReadLater(placed, at, length)) return undefined

  const isEqual = compare.operator === 'eq'
  const testBy = (selector: Selector | undefined): Test | undefined =>
    isEqual && selector ? { selector, value: selector.valueOf(value) } : undefined
  if (load.type === 'payload') {
    if (load.length !== value.length || (bitwise && bitwise.mask.length !== value.length)) return undefined
    if (bitwise?.xor.some((byte) => byte !== 0)) return undefined
    const mask = bitwise?.mask
    return { operation: payloadTest(load, mask, value, isEqual), length, test: testBy(payloadSelector(load, mask)) }
  }
  if (isTextKey(load.key)) {
    const isWhole = value.includes(0)
    const test = isWhole ? testBy(nameSelector(load.key)) : undefined
    return { operation: nameTest(load.key, value, isEqual), length, test }
  }
  if (!isNumberKey(load.key) || value.length > 4) return undefined
  const test = testBy(metaSelector(load.key, value.length))
  return { operation: numberTest(load.key, value, isEqual), length, test }
}

/** Whether an expression behind these reads what they wrote. */
function isReadLater(placed: readonly Placed[], at: number, length: number): boolean {
  let words = 0
  for (let i = at; i < at + length; i++) words |= placed[i]!.writes
  for (let i = at + length; i < placed.length && words !== 0; i++) {
    if (placed[i]!.reads & words) return true
    words &= ~placed[i]!.writes
  }
  return false
}
