/** Between etcd's words and the store's. */
import type { Change, Condition, Entry, LeaseId, Write } from '../store.ts'
import { type Compare, DELETE, EQUAL, type Event, type KeyValue, MOD, type RequestOp } from './messages.ts'
import type { Decoded } from './protobuf.ts'

export function entryOf({ key, value, modRevision, lease }: KeyValue): Entry {
  return { key, value, revision: modRevision, lease: lease === 0n ? undefined : formatLease(lease) }
}

export function changeOf({ type, kv }: Event): Change {
  return type === DELETE
    ? { operation: 'delete', key: kv.key, revision: kv.modRevision }
    : { operation: 'put', entry: entryOf(kv) }
}

/** A key that is not there has revision 0. */
export function compareOf({ key, revision = 0n }: Condition): Decoded<typeof Compare> {
  return { result: EQUAL, target: MOD, key, modRevision: revision }
}

export function operationOf(write: Write): Decoded<typeof RequestOp> {
  if ('delete' in write) return { put: undefined, deleteRange: { key: write.delete } }
  const lease = write.lease === undefined ? 0n : parseLease(write.lease)
  return { put: { key: write.put, value: write.value, lease }, deleteRange: undefined }
}

export function formatLease(id: bigint): LeaseId {
  return BigInt.asUintN(64, id).toString(16)
}

export function parseLease(id: LeaseId): bigint {
  if (!/^[\da-f]{1,16}$/i.test(id)) throw new RangeError(`Cannot use lease "${id}": it is no hexadecimal number`)
  return BigInt.asIntN(64, BigInt(`0x${id}`))
}

/** etcd asks for ranges: the end of this one is the first key after all that start so. */
export function prefixEnd(prefix: string): Uint8Array {
  const end = Buffer.from(prefix, 'utf8')
  // No byte of UTF-8 is 0xff.
  if (end.length > 0) end[end.length - 1]!++
  return end.length > 0 ? end : Uint8Array.of(0)
}
