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
import { createHooks, type DropCause } from '../netfilter/hooks.ts'
import { IpSetTable } from '../netfilter/ipset/ipsets.ts'
import { NftTables } from '../netfilter/tables.ts'
import { type BridgeSettings, numbersOf } from '../settings.ts'
import { Sockets } from '../socket/sockets.ts'
import { Sysctls } from '../sysctl.ts'
import type { Tap } from '../tap.ts'
import { registerDevice, unregisterDevices } from './register.ts'

export class NetworkNamespace implements Namespace {
  readonly model: Model
  readonly id: number
  readonly path: string
  readonly devices = new Devices()
  readonly hooks = createHooks()
  dropCause: DropCause | undefined = undefined
  readonly taps: Tap[] = []
  readonly watchers = new Set<(change: Change) => void>()
  routesChangedBy: object | undefined = undefined
  readonly bridgeSettings: BridgeSettings
  readonly ipv4: Ipv4State
  readonly ipv6: Ipv6State
  readonly fib: Fib
  readonly arp: NeighbourTable
  readonly nd: NeighbourTable
  readonly nftables: NftTables
  readonly ipsets: IpSetTable
  readonly conntrack: ConntrackTable
  readonly sockets: Sockets
  readonly sysctl: Sysctls
  readonly loopback: Loopback

  constructor(model: Model, path: string, id: number) {
    const { profile } = model
    this.model = model
    this.id = id
    this.path = path
    this.bridgeSettings = numbersOf(profile, 'net/bridge/')
    this.ipv4 = {
      settings: numbersOf(profile, 'net/ipv4/'),
      all: numbersOf(profile, 'net/ipv4/conf/all/'),
      default: numbersOf(profile, 'net/ipv4/conf/default/'),
      // The table's own parameters are not seen in a namespace that was made; the loopback device has them as they are.
      defaultNeighbourConf: numbersOf(profile, 'net/ipv4/neigh/lo/'),
      identifications: new Identifications(),
      icmpLimits: new IcmpLimits(this),
      pathMtus: new PathMtus(this),
      reassembly: new Reassembly(this),
    }
    this.ipv6 = createIpv6(this)
    this.fib = new Fib(this)
    this.arp = new NeighbourTable(this, arpFamily)
    this.nd = new NeighbourTable(this, ndFamily)
    this.conntrack = new ConntrackTable(this)
    this.nftables = new NftTables(this)
    this.ipsets = new IpSetTable(this)
    this.sockets = new Sockets(this)
    this.sysctl = new Sysctls(this)
    this.loopback = new Loopback(this)
    registerDevice(this.loopback)
    for (const listener of model.namespaceListeners) listener(this)
  }
}

/** Nobody has a name or a handle for it any more: its devices end with it. */
export function closeNamespace(namespace: NetworkNamespace): void {
  unregisterDevices(namespace.devices.list())
}
