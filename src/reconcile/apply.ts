/**
 * Operations carried out on a kernel, in their order; those on nftables take effect all at once.
 *
 * `undo` is told how to take back each thing that was added, so that a failure later leaves none of them. What was
 * changed or removed stays so: others may have come to rely on it.
 */
import { ignoring, isErrno, KernelError } from '../kernel/errors.ts'
import type { Kernel } from '../kernel/kernel.ts'
import type { Link, LinkChange, NewLink } from '../kernel/link.ts'
import type { NftOperation } from '../kernel/nftables.ts'
import type { Route } from '../kernel/route.ts'
import { nftOperations } from './nftables-operations.ts'
import { observe } from './observe.ts'
import { plan } from './reconcile.ts'
import type { Desired, DesiredLink, Operation, Seen, SeenLink, SeenState, State, SubjectName } from './state.ts'
import { hasPeers } from './subjects.ts'

export type Undo = (step: () => void) => void

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
function batchOf(subject: SubjectName): 'nftables' | 'routes' | 'vlans' | undefined {
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

type RouteOperation = Extract<Operation, { readonly subject: 'routes' }>

function changeRoutes(kernel: Kernel, operations: readonly RouteOperation[], undo: Undo): void {
  const changes = operations.map(routeChange)
  const refused = kernel.routes.batch(changes)
  const failed = new Set(refused.map(({ index }) => index))
  for (const [i, { operation, route }] of changes.entries()) {
    if (operation === 'add' && !failed.has(i)) undo(() => kernel.routes.delete(route))
  }
  const [first, ...others] = refused.filter(
    ({ index, errno }) => !(changes[index]!.operation === 'delete' && errno === 'ESRCH'),
  )
  if (!first) return
  const { operation, route } = changes[first.index]!
  const more = others.length > 0 ? `, and ${others.length} more` : ''
  throw new KernelError(
    first.errno,
    `${operation} route ${route.destination}${route.gateway ? ` via ${route.gateway}` : ''}${more}`,
  )
}

function routeChange(operation: RouteOperation): {
  readonly operation: 'add' | 'replace' | 'delete'
  readonly route: Route
} {
  if (operation.operation === 'remove') return { operation: 'delete', route: operation.seen }
  return { operation: operation.operation === 'add' ? 'add' : 'replace', route: operation.desired }
}

type VlanOperation = Extract<Operation, { readonly subject: 'vlans' }>

/** VLANs that follow one another and are alike go as one range: a trunk may have all 4094. */
function changeVlans(kernel: Kernel, operations: readonly VlanOperation[], undo: Undo): void {
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

/** How a thing of one subject is made, changed and removed. */
interface Carrier<D, S> {
  add(kernel: Kernel, desired: D): void
  change(kernel: Kernel, desired: D, seen: S): void
  remove(kernel: Kernel, item: D | S): void
}

type Single = Exclude<SubjectName, 'routes' | 'vlans' | `nft${string}`>

function carryOut(kernel: Kernel, operation: Operation, undo: Undo): void {
  // The operation's subject chooses the carrier of its kind: the compiler cannot see that they belong together.
  const carrier = carriers[operation.subject as Single] as Carrier<unknown, unknown>
  if (operation.operation === 'add') {
    carrier.add(kernel, operation.desired)
    undo(() => carrier.remove(kernel, operation.desired))
  } else if (operation.operation === 'change') {
    carrier.change(kernel, operation.desired, operation.seen)
  } else {
    carrier.remove(kernel, operation.seen)
  }
}

const carriers: { readonly [S in Single]: Carrier<Desired[S], Seen[S]> } = {
  links: {
    add: addLink,
    change: (kernel, desired, seen) => kernel.links.set(desired.name, onlyDifferent(changeOf(desired), seen)),
    remove: (kernel, link) =>
      ignoring('ENODEV', () => kernel.links.delete('link' in link ? link.link.name : link.name)),
  },
  sysctls: {
    add: setSysctl,
    change: setSysctl,
    remove: () => {}, // a setting cannot be unset, and what it was before is not known
  },
  addresses: {
    add: (kernel, address) => kernel.addresses.add(address),
    change: (kernel, address) => {
      // Scope, broadcast and peer of an address that is there stay as they are when it is replaced.
      ignoring('EADDRNOTAVAIL', () => kernel.addresses.delete(address))
      kernel.addresses.add(address)
    },
    remove: (kernel, { link, prefix }) =>
      ignoring(['EADDRNOTAVAIL', 'ENODEV'], () => kernel.addresses.delete({ link, prefix })),
  },
  linkStates: {
    add: (kernel, { link, up }) => kernel.links.set(link, { up }),
    change: (kernel, { link, up }) => kernel.links.set(link, { up }),
    remove: (kernel, { link, up }) => ignoring('ENODEV', () => kernel.links.set(link, { up: !up })),
  },
  neighbours: {
    add: (kernel, neighbour) => kernel.neighbours.replace(neighbour),
    change: (kernel, neighbour) => kernel.neighbours.replace(neighbour),
    remove: (kernel, neighbour) => ignoring(['ENOENT', 'ENODEV'], () => kernel.neighbours.delete(neighbour)),
  },
  fdb: {
    add: (kernel, entry) => (hasPeers(entry) ? kernel.fdb.append(entry) : kernel.fdb.replace(entry)),
    change: (kernel, entry) => kernel.fdb.replace(entry),
    remove: (kernel, entry) => ignoring(['ENOENT', 'ENODEV'], () => kernel.fdb.delete(entry)),
  },
  rules: {
    add: (kernel, rule) => kernel.rules.add(rule),
    change: () => {}, // all of a rule is its key: it never differs
    remove: (kernel, rule) => ignoring('ENOENT', () => kernel.rules.delete(rule)),
  },
}

function setSysctl(kernel: Kernel, { key, value, optional }: Desired['sysctls']): void {
  const set = () => kernel.sysctl.set(key, value)
  if (optional) ignoring('ENOENT', set)
  else set()
}

function addLink(kernel: Kernel, desired: DesiredLink): void {
  if (!desired.birth) throw new KernelError('ENODEV', `find link "${desired.name}"`)
  const { mac, mtu, alias, group, txQueueLength, master, vxlan: _, ...later } = changeOf(desired)
  const atBirth = { mac, mtu, alias, group, txQueueLength, master }
  kernel.links.add({ ...desired.birth, ...withoutNothing(atBirth) } as NewLink)
  if (Object.keys(later).length > 0) kernel.links.set(desired.name, later)
}

/** What of a desired link is set: all that it says but what only tells one link from another, or is so from its birth. */
function changeOf({ name, kind, birth, parent, vxlan, ...change }: DesiredLink): LinkChange {
  const learning = vxlan?.learning ?? undefined
  return { ...change, ...(learning !== undefined && { vxlan: { learning } }) }
}

/** Setting what is so already is not always without effect: a MAC that is set once no longer follows the ports'. */
function onlyDifferent(change: LinkChange, seen: SeenLink): LinkChange {
  const now = (field: string): unknown =>
    field === 'master' || field === 'port' ? seen[field] : seen.link[field as keyof Link]
  return Object.fromEntries(
    Object.entries(change).filter(([field, value]) =>
      typeof value === 'object' && value !== null
        ? Object.entries(value).some(([part, of]) => (now(field) as Record<string, unknown> | undefined)?.[part] !== of)
        : (value ?? undefined) !== now(field),
    ),
  )
}

function withoutNothing(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined && value !== null))
}
