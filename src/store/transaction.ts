/** What every store asks of keys and of a transaction before it carries it out. */
import { type Condition, StoreError, type Write } from './store.ts'

/** In UTF-16 units. etcd takes 1.5 MiB in a request unless it was told otherwise. */
export const LONGEST_VALUE = 4_000_000

/** RangeError for what no store could do, StoreError `refused` for a value that is too long. */
export function checkTransaction(conditions: readonly Condition[], writes: readonly Write[]): void {
  for (const { key } of conditions) checkKey(key)
  const written = new Set<string>()
  for (const write of writes) {
    const key = keyOf(write)
    checkKey(key)
    if (written.has(key)) throw new RangeError(`Cannot write "${key}" twice in one transaction`)
    written.add(key)
    if ('put' in write && write.value.length > LONGEST_VALUE) {
      const problem = `a value of ${write.value.length} characters is too long, ${LONGEST_VALUE} are allowed`
      throw new StoreError('refused', `Cannot put "${key}": ${problem}`)
    }
  }
}

export function checkSeconds(seconds: number): void {
  if (!Number.isSafeInteger(seconds) || seconds < 1) {
    throw new RangeError(`Cannot grant a lease of ${seconds} seconds: whole seconds are needed, at least 1`)
  }
}

export function keyOf(write: Write): string {
  return 'put' in write ? write.put : write.delete
}

/** As their UTF-8 bytes are ordered: that is, by code point. */
export function compareKeys(left: string, right: string): number {
  for (let at = 0; at < left.length && at < right.length; ) {
    const [one, other] = [left.codePointAt(at)!, right.codePointAt(at)!]
    if (one !== other) return one - other
    at += one > 0xffff ? 2 : 1
  }
  return left.length - right.length
}

function checkKey(key: string): void {
  if (key === '') throw new RangeError('Cannot use an empty key')
  if (!key.isWellFormed()) throw new RangeError(`Cannot use ${JSON.stringify(key)} as a key: it is no Unicode text`)
}
