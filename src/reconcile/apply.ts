/**
 * Operations carried out on a kernel, in their order; those on nftables take effect all at once.
 *
 * `undo` is told how to take back each thing that was added, so that a failure later leaves none of them. What was
 * changed or removed stays so: others may have come to rely on it.
 */
import { ignoring, isErrno, KernelError } from '../kernel/errors.ts'
import type { Kernel } from '../kernel/kernel.ts'
import type { NftOperation } from '../kernel/nftables.ts'
import type { Route } from '../kernel/route.ts'
import { carryOut, type Undo } from './carriers.ts'
import { nftOperations } from './nftables-operations.ts'
import { observe } from './observe.ts'
import { plan } from './reconcile.ts'
import type { Operation, SeenState, State, SubjectName } from './state.ts'

/** So often may somebody else change the same things between our look and our act. */
const ATTEMPTS = 10

/**
 * Makes the kernel match the state; answers what it did. `known` as in `observe`. Where somebody else makes or removes the
 * same thing at the same time, it looks again.
 */
export function reconcile(kernel: Kernel, desired: State, undo: Undo = forget, known: SeenState = {}): Operation[] {
  for (let attempt = 1; ; attempt++) {
    const operations = plan(desired, observe(kernel, desired, attempt === 1 ? known : {}))
    try {
      apply(kernel, operations, undo)
      return operations
    } catch (error) {
      if (attempt === ATTEMPTS || !isErrno(error, 'EEXIST', 'ENOENT', 'EBUSY')) throw error
    }
  }
}

/** KernelError of the first operation that is refused; those behind it are not tried. */
export function apply(kernel: Kernel, operations: readonly Operation[], undo: Undo = forget): void {
  let i = 0
  while (i < operations.length) {
    const batch = batchOf(operations[i]!.subject)
    if (batch === undefined) {
      carryOut(kernel, operations[i]!, undo)
      i++
      continue
    }
    let end = i
    while (end < operations.length && batchOf(operations[end]!.subject) === batch) end++
    const together = operations.slice(i, end)
    if (batch === 'nftables') commit(kernel, together, undo)
    else if (batch === 'routes') changeRoutes(kernel, together as RouteOperation[], undo)
    else changeVlans(kernel, together as VlanOperation[], undo)
    i = end
  }
}

const forget: Undo = () => {}

/** Which operations go to the kernel together. */
export function batchOf(subject: SubjectName): 'nftables' | 'routes' | 'vlans' | undefined {
  if (subject === 'routes' || subject === 'vlans') return subject
  return subject.startsWith('nft') ? 'nftables' : undefined
}

function commit(kernel: Kernel, operations: readonly Operation[], undo: Undo): void {
  const changes: NftOperation[] = operations.flatMap(nftOperations)
  kernel.nftables.commit(changes)
  undo(() => {
    for (const change of changes) {
      if (change.operation === 'create elements') kernel.nftables.commit([{ ...change, operation: 'delete elements' }])
    }
  })
}

export type RouteOperation = Extract<Operation, { readonly subject: 'routes' }>

function changeRoutes(kernel: Kernel, operations: readonly RouteOperation[], undo: Undo): void {
  const changes = operations.map(routeChange)
  const refused = kernel.routes.batch(changes)
  const failed = new Set(refused.map(({ index }) => index))
  for (const [i, { operation, route }] of changes.entries()) {
    if (operation === 'add' && !failed.has(i)) undo(() => kernel.routes.delete(route))
  }
  const [first, ...others] = refused.filter(({ index, errno }) => !isGoneAlready(changes[index]!, errno))
  if (!first) return
  const { operation, route } = changes[first.index]!
  const more = others.length > 0 ? `, and ${others.length} more` : ''
  throw new KernelError(
    first.errno,
    `${operation} route ${route.destination}${route.gateway ? ` via ${route.gateway}` : ''}${more}`,
  )
}

export interface RouteChange {
  readonly operation: 'add' | 'replace' | 'delete'
  readonly route: Route
}

/** A route that is to go and is not there, or whose link is not, is as good as deleted. */
export function isGoneAlready({ operation }: RouteChange, errno: string): boolean {
  return operation === 'delete' && (errno === 'ESRCH' || errno === 'ENODEV')
}

export function routeChange(operation: RouteOperation): RouteChange {
  if (operation.operation === 'remove') return { operation: 'delete', route: operation.seen }
  return { operation: operation.operation === 'add' ? 'add' : 'replace', route: operation.desired }
}

export type VlanOperation = Extract<Operation, { readonly subject: 'vlans' }>

/** VLANs that follow one another and are alike go as one range: a trunk may have all 4094. */
export function changeVlans(kernel: Kernel, operations: readonly VlanOperation[], undo: Undo): void {
  const same = (operation: VlanOperation) => {
    const { link, pvid, untagged } = vlanOf(operation)
    return `${operation.operation === 'remove' ? 0 : 1} ${link} ${pvid} ${untagged}`
  }
  const sorted = [...operations].sort((a, b) => compareText(same(a), same(b)) || vlanOf(a).vlan - vlanOf(b).vlan)
  let i = 0
  while (i < sorted.length) {
    const first = sorted[i]!
    const { link, vlan: id, pvid, untagged } = vlanOf(first)
    let end = id
    for (i++; i < sorted.length && same(sorted[i]!) === same(first) && vlanOf(sorted[i]!).vlan === end + 1; i++) end++
    const remove = () => ignoring(['ENODEV', 'ENOENT'], () => kernel.bridgeVlans.delete(link, { id, end }))
    if (first.operation === 'remove') {
      remove()
    } else {
      // Adding a membership that is there changes its flags.
      kernel.bridgeVlans.add(link, { id, end, pvid, untagged })
      if (first.operation === 'add') undo(remove)
    }
  }
}

const compareText = (a: string, b: string) => (a < b ? -1 : Number(a > b))

const vlanOf = (operation: VlanOperation) => (operation.operation === 'remove' ? operation.seen : operation.desired)
