/**
 * What overlab asks of Linux, in iproute2's words. `linux/` asks the real kernel; `model/` answers in userspace. Both
 * pass test/contract/kernel.ts.
 *
 * A `Kernel` is one network namespace seen from a process. Its operations are synchronous, as system calls are: a
 * netlink request takes 5 µs, and nothing can come between two steps of a plugin. They throw KernelError, whose `errno`
 * is Linux's. What waits for something to happen (notifications, captures, a TUN's packets) is a subscription and stands
 * in live.ts.
 *
 * Addresses, prefixes and MACs are text here, in the one form that src/address writes: `10.1.2.3/24`, `fd00::1`,
 * `02:42:0a:00:00:01`. Links are named; where the kernel wants an index, the implementation looks it up.
 */
import type { Addresses } from './address.ts'
import type { BridgeVlans, Links } from './link.ts'
import type { Fdb, Neighbours } from './neighbour.ts'
import type { Nftables } from './nftables.ts'
import type { Routes, Rules } from './route.ts'

export interface Kernel {
  /** Path of the network namespace this handle speaks for, such as /run/netns/blue; `/proc/self/ns/net` for one's own. */
  readonly namespacePath: string
  readonly links: Links
  readonly bridgeVlans: BridgeVlans
  readonly addresses: Addresses
  readonly routes: Routes
  readonly rules: Rules
  readonly neighbours: Neighbours
  readonly fdb: Fdb
  readonly nftables: Nftables
  readonly sysctl: Sysctl
  readonly namespaces: Namespaces
  /**
   * The same kernel seen from another namespace; undefined when nothing is at the path. KernelError EINVAL when what is
   * there is no network namespace.
   */
  enter(namespacePath: string): Kernel | undefined
  /** Whether both handles speak for the same namespace, whatever their paths. */
  sameNamespace(other: Kernel): boolean
  /** Gives the handle's sockets and descriptors back. The namespace lives on while something else holds it. */
  close(): void
}

/** Settings below /proc/sys, of this namespace where they are per namespace (all of `net/`). */
export interface Sysctl {
  /** `key` is the path below /proc/sys, `net/ipv4/conf/eth0.1/forwarding`; the value without its newline; undefined when there is none. */
  get(key: string): string | undefined
  /** The keys of all settings below a directory, in order; of all there are where it is left out. Not all can be read. */
  list(directory?: string): string[]
  /** KernelError ENOENT when there is no such setting, EINVAL for a value it does not take. */
  set(key: string, value: string): void
}

/** Named network namespaces, as `ip netns` keeps them: a file each in /run/netns. */
export interface Namespaces {
  /** Creates it with nothing but a loopback link that is down; answers its path. KernelError EEXIST when the name is taken. */
  add(name: string): string
  /** Removes the name; the namespace ends when nothing else holds it. KernelError ENOENT when there is none. */
  delete(name: string): void
  list(): string[]
}
