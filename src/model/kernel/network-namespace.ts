/** A namespace with all its tables: setup_net and cleanup_net, net/core/net_namespace.c. */
import type { Change } from '../../kernel/live.ts'
import { arpFamily } from '../arp.ts'
import { Loopback } from '../device/loopback.ts'
import { Fib } from '../ipv4/fib.ts'
import { IcmpLimits } from '../ipv4/icmp-limit.ts'
import { Identifications } from '../ipv4/identification.ts'
import { PathMtus } from '../ipv4/path-mtu.ts'
import { Reassembly } from '../ipv4/reassemble.ts'
import type { Ipv4State } from '../ipv4/state.ts'
import { createIpv6 } from '../ipv6/create.ts'
import { ndFamily } from '../ipv6/ndp.ts'
import type { Ipv6State } from '../ipv6/state.ts'
import type { Model } from '../model.ts'
import { Devices, type Namespace } from '../namespace.ts'
import { NeighbourTable } from '../neighbour.ts'
import { ConntrackTable } from '../netfilter/conntrack.ts'
import { createHooks, type DropCause, type RouteError } from '../netfilter/hooks.ts'
import { IpSetTable } from '../netfilter/ipset/ipsets.ts'
import { NftTables } from '../netfilter/tables.ts'
import { type BridgeSettings, type Ipv4Conf, type Ipv4Settings, type NeighbourConf, numbersOf } from '../settings.ts'
import { Sockets } from '../socket/sockets.ts'
import { Sysctls } from '../sysctl.ts'
import type { Tap } from '../tap.ts'
import { registerDevice, unregisterDevices } from './register.ts'

/** What most namespaces never need is made when it is first asked for: there may be a hundred thousand pods. */
export class NetworkNamespace implements Namespace {
  readonly model: Model
  readonly id: number
  readonly path: string
  readonly devices = new Devices()
  readonly hooks = createHooks()
  dropCause: DropCause | undefined = undefined
  refusal: RouteError | undefined = undefined
  readonly taps: Tap[] = []
  readonly watchers = new Set<(change: Change) => void>()
  routesChangedBy: object | undefined = undefined
  readonly ipv4: Ipv4State
  readonly ipv6: Ipv6State
  readonly fib: Fib
  readonly sysctl: Sysctls
  readonly loopback: Loopback
  #bridgeSettings: BridgeSettings | undefined = undefined
  #arp: NeighbourTable | undefined = undefined
  #nd: NeighbourTable | undefined = undefined
  #nftables: NftTables | undefined = undefined
  #ipsets: IpSetTable | undefined = undefined
  #conntrack: ConntrackTable | undefined = undefined
  #sockets: Sockets | undefined = undefined

  constructor(model: Model, path: string, id: number) {
    this.model = model
    this.id = id
    this.path = path
    this.ipv4 = new NamespaceIpv4(this)
    this.ipv6 = createIpv6(this)
    this.fib = new Fib(this)
    this.sysctl = new Sysctls(this)
    this.loopback = new Loopback(this)
    registerDevice(this.loopback)
    for (const listener of model.namespaceListeners) listener(this)
  }

  get bridgeSettings(): BridgeSettings {
    this.#bridgeSettings ??= numbersOf(this.model.profile, 'net/bridge/')
    return this.#bridgeSettings
  }

  get arp(): NeighbourTable {
    this.#arp ??= new NeighbourTable(this, arpFamily)
    return this.#arp
  }

  get nd(): NeighbourTable {
    this.#nd ??= new NeighbourTable(this, ndFamily)
    return this.#nd
  }

  get nftables(): NftTables {
    this.#nftables ??= new NftTables(this)
    return this.#nftables
  }

  get hasNftables(): boolean {
    return this.#nftables !== undefined
  }

  get ipsets(): IpSetTable {
    this.#ipsets ??= new IpSetTable(this)
    return this.#ipsets
  }

  get conntrack(): ConntrackTable {
    this.#conntrack ??= new ConntrackTable(this)
    return this.#conntrack
  }

  get sockets(): Sockets {
    this.#sockets ??= new Sockets(this)
    return this.#sockets
  }
}

class NamespaceIpv4 implements Ipv4State {
  readonly settings: Ipv4Settings
  readonly all: Ipv4Conf
  readonly default: Ipv4Conf
  readonly defaultNeighbourConf: NeighbourConf
  readonly #namespace: Namespace
  #identifications: Identifications | undefined = undefined
  #icmpLimits: IcmpLimits | undefined = undefined
  #pathMtus: PathMtus | undefined = undefined
  #reassembly: Reassembly | undefined = undefined

  constructor(namespace: Namespace) {
    const { profile } = namespace.model
    this.#namespace = namespace
    this.settings = numbersOf(profile, 'net/ipv4/')
    this.all = numbersOf(profile, 'net/ipv4/conf/all/')
    this.default = numbersOf(profile, 'net/ipv4/conf/default/')
    // The table's own parameters are not seen in a namespace that was made; the loopback device has them as they are.
    this.defaultNeighbourConf = numbersOf(profile, 'net/ipv4/neigh/lo/')
  }

  get identifications(): Identifications {
    this.#identifications ??= new Identifications()
    return this.#identifications
  }

  get icmpLimits(): IcmpLimits {
    this.#icmpLimits ??= new IcmpLimits(this.#namespace)
    return this.#icmpLimits
  }

  get pathMtus(): PathMtus {
    this.#pathMtus ??= new PathMtus(this.#namespace)
    return this.#pathMtus
  }

  get reassembly(): Reassembly {
    this.#reassembly ??= new Reassembly(this.#namespace)
    return this.#reassembly
  }
}

/** Nobody has a name or a handle for it any more: its devices end with it. */
export function closeNamespace(namespace: NetworkNamespace): void {
  unregisterDevices(namespace.devices.list())
}
