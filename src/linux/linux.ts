/**
 * The kernel interface, asked of the real Linux.
 *
 *   linux ──┬── links, addresses, routes, rules, neighbours, fdb, bridgeVlans     netlink/    NETLINK_ROUTE
 *           ├── nftables                                                          netfilter/  NETLINK_NETFILTER
 *           ├── sysctl                                                            sysctl.ts   /proc/sys
 *           └── namespaces, enter                                                 netns.ts    setns(2)
 *
 * A handle opens its two sockets when they are first used: a plugin pays for what it asks. Subscriptions are live.ts's.
 */
import type { Kernel } from '../kernel/kernel.ts'
import type { Nftables } from '../kernel/nftables.ts'
import { LinuxNftables } from './netfilter/nftables.ts'
import { LinuxAddresses } from './netlink/address.ts'
import { LinuxBridgeVlans } from './netlink/bridge-vlan.ts'
import { LinuxFdb } from './netlink/fdb.ts'
import { LinuxLinks } from './netlink/link.ts'
import { LinuxNeighbours } from './netlink/neighbour.ts'
import { LinuxRoutes } from './netlink/routes.ts'
import { LinuxRules } from './netlink/rule.ts'
import { NETLINK_NETFILTER, NETLINK_ROUTE, NetlinkSocket, openNetlink } from './netlink/socket.ts'
import { Namespace, namespaces } from './netns.ts'
import { LinuxSysctl } from './sysctl.ts'

export class LinuxKernel implements Kernel {
  readonly links: LinuxLinks
  readonly bridgeVlans: LinuxBridgeVlans
  readonly addresses: LinuxAddresses
  readonly routes: LinuxRoutes
  readonly rules: LinuxRules
  readonly neighbours: LinuxNeighbours
  readonly fdb: LinuxFdb
  readonly nftables: Nftables
  readonly sysctl: LinuxSysctl
  readonly namespaces = namespaces
  /** What sockets and files of this handle are opened in. */
  readonly namespace: Namespace
  protected readonly netfilter = () => this.#socket(NETLINK_NETFILTER)
  readonly #sockets = new Map<number, NetlinkSocket>()

  /** `extend`: what a kernel that knows more makes of nf_tables; it may ask by the same socket. */
  constructor(
    namespace: Namespace,
    extend: (nftables: Nftables, socket: () => NetlinkSocket) => Nftables = (nftables) => nftables,
  ) {
    this.namespace = namespace
    const route = () => this.#socket(NETLINK_ROUTE)
    this.links = new LinuxLinks(route, namespace, descriptorOf)
    this.bridgeVlans = new LinuxBridgeVlans(route)
    this.addresses = new LinuxAddresses(route)
    this.routes = new LinuxRoutes(route, () => this.#open(NETLINK_ROUTE))
    this.rules = new LinuxRules(route)
    this.neighbours = new LinuxNeighbours(route)
    this.fdb = new LinuxFdb(route)
    this.nftables = extend(new LinuxNftables(this.netfilter), this.netfilter)
    this.sysctl = new LinuxSysctl(namespace)
  }

  /** What notifications of changes that this handle makes are marked with. */
  protected get routePort(): number {
    return this.#socket(NETLINK_ROUTE).port
  }

  get namespacePath(): string {
    return this.namespace.path
  }

  enter(namespacePath: string): LinuxKernel | undefined {
    const namespace = Namespace.open(namespacePath)
    return namespace && new LinuxKernel(namespace)
  }

  sameNamespace(other: Kernel): boolean {
    if (!(other instanceof LinuxKernel)) return false
    const [ours, theirs] = [this.namespace.file, other.namespace.file]
    return ours.device === theirs.device && ours.inode === theirs.inode
  }

  close(): void {
    for (const socket of this.#sockets.values()) socket.close()
    this.#sockets.clear()
    this.namespace.close()
  }

  #socket(protocol: number): NetlinkSocket {
    let socket = this.#sockets.get(protocol)
    if (!socket) {
      socket = this.#open(protocol)
      this.#sockets.set(protocol, socket)
    }
    return socket
  }

  #open(protocol: number): NetlinkSocket {
    return new NetlinkSocket(this.namespace.inside(() => openNetlink(protocol)))
  }
}

/** The caller's own network namespace. */
export const linux: Kernel = new LinuxKernel(new Namespace('/proc/self/ns/net'))

function descriptorOf(kernel: Kernel): number {
  if (kernel instanceof LinuxKernel) return kernel.namespace.descriptor
  throw new TypeError(`Cannot reach namespace "${kernel.namespacePath}": it is no namespace of this kernel`)
}
