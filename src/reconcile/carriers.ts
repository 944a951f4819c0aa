/** How a thing of each subject is made, changed and removed: one operation at a time, for those subjects that are not sent together. */
import { ignoring, KernelError } from '../kernel/errors.ts'
import type { Kernel } from '../kernel/kernel.ts'
import type { Link, LinkChange, NewLink } from '../kernel/link.ts'
import type { Desired, DesiredLink, Operation, Seen, SeenLink, SubjectName } from './state.ts'
import { hasPeers } from './subjects.ts'

/** Is told how to take back what was added. */
export type Undo = (step: () => void) => void

/** How a thing of one subject is made, changed and removed. */
interface Carrier<D, S> {
  add(kernel: Kernel, desired: D): void
  change(kernel: Kernel, desired: D, seen: S): void
  remove(kernel: Kernel, item: D | S): void
}

type Single = Exclude<SubjectName, 'routes' | 'vlans' | `nft${string}`>

export function carryOut(kernel: Kernel, operation: Operation, undo: Undo): void {
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
