/** What a failed call means to whoever uses the store. */
import { type ServiceError, status } from '@grpc/grpc-js'
import { StoreError, type StoreErrorKind } from '../store.ts'

/** Codes that say no, whoever asks again; the others may be different next time. */
const REFUSALS: ReadonlySet<number> = new Set([
  status.INVALID_ARGUMENT,
  status.PERMISSION_DENIED,
  status.UNAUTHENTICATED,
  status.FAILED_PRECONDITION,
  status.OUT_OF_RANGE,
  status.UNIMPLEMENTED,
])

/** Connection and server are in question. */
const BROKEN: ReadonlySet<number> = new Set([
  status.UNAVAILABLE,
  status.DEADLINE_EXCEEDED,
  status.CANCELLED,
  status.INTERNAL,
])

export function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && typeof (error as Partial<ServiceError>).code === 'number'
}

export function isBroken(error: unknown): boolean {
  return !isServiceError(error) || BROKEN.has(error.code)
}

export function isLate(error: unknown): boolean {
  return isServiceError(error) && error.code === status.DEADLINE_EXCEEDED
}

/**
 * etcd no longer knows our token: it was used last some minutes ago, etcd has restarted, or users were changed. Or we have none,
 * because it asked for none when we connected.
 */
export function isStaleToken(error: unknown): boolean {
  return (
    isServiceError(error) && /invalid auth token|revision of auth store is old|user name is empty/.test(error.details)
  )
}

/** The revision that was asked for is compacted, or there is none such yet. */
export function isOutOfRange(error: unknown): boolean {
  return error instanceof StoreError && isServiceError(error.cause) && error.cause.code === status.OUT_OF_RANGE
}

/** `attempt`: what could not be done, as `list "/a/" in etcd http://…`. */
export function storeError(attempt: string, error: unknown): StoreError {
  if (error instanceof StoreError) return error
  return new StoreError(kindOf(error), `Cannot ${attempt}: ${reasonOf(error)}`, { cause: error })
}

export function reasonOf(error: unknown): string {
  if (!isServiceError(error)) return error instanceof Error ? error.message : String(error)
  const { details } = error
  if (details.includes('user name is empty')) return 'it wants a user name and a password'
  if (isLate(error)) return 'it did not answer in time'
  if (error.code === status.CANCELLED) return 'the connection was given up'
  const lost = /Last error: (?:Error: )?(.*?)\. Resolution note: ?(.*)$/s.exec(details)
  const reason = (lost ? (lost[1] === 'null' ? lost[2]! : lost[1]!) : details).replace(/^etcdserver: /, '')
  // What OpenSSL says of an alert, and Node of its own options, tells a user nothing.
  const alert = /SSL routines:[^:]*:[^:]*\balert ([^:]+)/.exec(reason)?.[1]
  if (alert !== undefined) return `it refuses TLS with us: ${alert}`
  return reason.replace(/; if the root CA is installed locally.*$/s, '')
}

function kindOf(error: unknown): StoreErrorKind {
  if (!isServiceError(error)) return 'unavailable'
  if (error.code === status.NOT_FOUND) return 'not found'
  if (REFUSALS.has(error.code)) return 'refused'
  // Of TLS: one of us does not believe the other, and will not next time.
  if (error.code === status.UNAVAILABLE && /certificate|unknown ca\b/i.test(error.details)) return 'refused'
  if (error.code === status.RESOURCE_EXHAUSTED && error.details.includes('larger than max')) return 'refused'
  return 'unavailable'
}
