/** What an IPAM plugin wants of the pools, and what it is answered: the same by a directory and by a daemon's socket. */
import type { Family } from '../address/ip.ts'
import { type Assigned, assign, assignedTo, requireRoom } from './assign.ts'
import { releaseEmptyBlocks, releaseStale } from './collect.ts'
import { type Attachment, handleOf } from './handle.ts'
import { releaseHandle } from './release.ts'
import type { Labels } from './selector.ts'
import type { Steps } from './steps.ts'

/** Which addresses: see AssignRequest. */
export interface Wanted {
  readonly families: readonly Family[]
  readonly pools: readonly string[] | undefined
}

export type PoolRequest =
  | ({
      readonly verb: 'assign'
      readonly network: string
      readonly attachment: Attachment
      /** For people: `pod`, `namespace`. */
      readonly about: Readonly<Record<string, string>>
      readonly addresses: readonly string[]
    } & Wanted)
  | { readonly verb: 'list' | 'release'; readonly network: string; readonly attachment: Attachment }
  | { readonly verb: 'collect'; readonly network: string; readonly valid: readonly Attachment[] }
  | ({ readonly verb: 'status' } & Wanted)

/** `assigned` of assign and list; of the others nothing. */
export interface PoolAnswer {
  readonly assigned: readonly Assigned[]
}

/** Where it is asked. */
export interface Asker {
  readonly node: string
  readonly labels: Labels
}

/** PoolError when it cannot be. */
export function* answerTo(request: PoolRequest, { node, labels }: Asker): Steps<PoolAnswer> {
  switch (request.verb) {
    case 'assign': {
      const { network, attachment, about, families, pools, addresses } = request
      const { containerId, ifName } = attachment
      const attributes = { ...about, network, container: containerId, interface: ifName, node }
      const handle = handleOf(network, attachment)
      return { assigned: yield* assign({ handle, attributes, labels, families, pools, addresses }) }
    }
    case 'list':
      return { assigned: yield* assignedTo(handleOf(request.network, request.attachment)) }
    case 'release':
      yield* releaseHandle(handleOf(request.network, request.attachment))
      return nothing
    case 'collect': {
      const valid = new Set(request.valid.map((attachment) => handleOf(request.network, attachment)))
      const { network } = request
      yield* releaseStale(node, ({ handle, attributes }) => attributes.network === network && !valid.has(handle))
      yield* releaseEmptyBlocks(node, labels)
      return nothing
    }
    case 'status':
      yield* requireRoom({ ...request, node, labels })
      return nothing
  }
}

const nothing: PoolAnswer = { assigned: [] }
