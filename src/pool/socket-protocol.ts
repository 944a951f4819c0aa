/**
 * How a plugin asks a daemon for addresses: over a unix socket, a line of JSON there and a line back, and the connection is
 * closed. So the plugin needs neither etcd's protocol nor its credentials.
 *
 *   {"verb":"assign","network":"pods","attachment":{"containerId":"4f2a…","ifName":"eth0"},"families":["ipv4"],
 *    "addresses":[],"about":{"pod":"web-0","namespace":"default"}}
 *   {"assigned":[{"address":"10.244.1.5","block":"10.244.1.0/26","borrowed":false,"sequence":41}]}
 *
 *   {"verb":"release","network":"pods","attachment":{"containerId":"4f2a…","ifName":"eth0"}}
 *   {"assigned":[]}
 *
 *   {"error":{"kind":"exhausted","message":"Cannot give out an IPv4 address: …"}}
 *
 * Every request may be repeated: whoever did not hear the answer asks again. The daemon knows which node it is.
 */
import { type Store, StoreError } from '../store/store.ts'
import type { Assigned } from './assign.ts'
import { PoolError, type PoolErrorKind } from './errors.ts'
import type { Attachment } from './handle.ts'
import { FAMILIES } from './keys.ts'
import { type Asker, answerTo, type PoolAnswer, type PoolRequest } from './requests.ts'
import { carryOut } from './steps.ts'
import { isCount, isObject, isTexts } from './stored.ts'

/** What a plugin is told instead of an answer. `unavailable`: later it may succeed. */
export interface Refusal {
  readonly kind: PoolErrorKind | 'unavailable' | 'failed'
  readonly message: string
}

export type Response = PoolAnswer | { readonly error: Refusal }

/** Characters of a request at most: GC names every attachment. */
export const LONGEST_REQUEST = 4_000_000

/** The daemon's side: from a line to a line, both without their ends. It never fails. */
export function responder(store: Store, asker: () => Asker): (line: string) => Promise<string> {
  return async (line) => {
    try {
      return formatResponse(await carryOut(answerTo(parseRequest(line), asker()), store))
    } catch (error) {
      return formatResponse({ error: refusalOf(error) })
    }
  }
}

export function formatRequest(request: PoolRequest): string {
  return JSON.stringify(request)
}

/** PoolError `invalid` for what is none. */
export function parseRequest(line: string): PoolRequest {
  const request = parseObject(line)
  const { verb, network, attachment, valid, about, addresses, families, pools } = request ?? {}
  const isWanted = isFamilies(families) && (pools === undefined || areTexts(pools))
  const isNamed = typeof network === 'string' && isAttachment(attachment)
  const isRight =
    verb === 'assign'
      ? isNamed && isWanted && areTexts(addresses) && isTexts(about)
      : verb === 'list' || verb === 'release'
        ? isNamed
        : verb === 'collect'
          ? typeof network === 'string' && Array.isArray(valid) && valid.every(isAttachment)
          : verb === 'status' && isWanted
  if (!isRight) throw new PoolError('invalid', `Cannot answer ${line.slice(0, 200)}: it is no request`)
  return request as unknown as PoolRequest
}

export function formatResponse(response: Response): string {
  return JSON.stringify(response)
}

/** undefined for what is none. */
export function parseResponse(line: string): Response | undefined {
  const { assigned, error } = parseObject(line) ?? {}
  if (isObject(error) && typeof error.kind === 'string' && typeof error.message === 'string') {
    return { error: error as unknown as Refusal }
  }
  return Array.isArray(assigned) && assigned.every(isAssigned) ? { assigned } : undefined
}

export function refusalOf(error: unknown): Refusal {
  const { message } = error as Error
  if (error instanceof PoolError) return { kind: error.kind, message }
  if (error instanceof StoreError && error.kind === 'unavailable') return { kind: 'unavailable', message }
  return { kind: 'failed', message }
}

function parseObject(line: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(line)
    return isObject(value) ? value : undefined
  } catch {
    return undefined // whoever asked says so
  }
}

function isFamilies(value: unknown): boolean {
  return Array.isArray(value) && value.every((each) => FAMILIES.includes(each))
}

function areTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every((each) => typeof each === 'string')
}

function isAttachment(value: unknown): value is Attachment {
  return isObject(value) && typeof value.containerId === 'string' && typeof value.ifName === 'string'
}

function isAssigned(value: unknown): value is Assigned {
  if (!isObject(value)) return false
  const { address, block, borrowed, sequence } = value
  return typeof address === 'string' && typeof block === 'string' && typeof borrowed === 'boolean' && isCount(sequence)
}
