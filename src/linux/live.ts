/**
 * The kernel interface with what waits: captures, notifications, TUN devices, ping. Node only; a plugin takes linux.ts.
 *
 *   live ──┬── packets     packet.ts    AF_PACKET
 *          ├── tuns        tun.ts       /dev/net/tun
 *          ├── sockets     sockets.ts   TCP and UDP            tcp.ts  udp.ts
 *          ├── conntrack   netfilter/conntrack.ts       NETLINK_NETFILTER
 *          ├── ipsets      netfilter/ipset/ipsets.ts    NETLINK_NETFILTER
 *          ├── watch       watch.ts     multicast groups of netlink      change.ts  their messages
 *          └── ping        ping.ts      raw ICMP sockets
 *                └── all wait in reactor.ts; datagrams.ts receives; sys.live.ts calls
 *
 * What a subscription has opened is its own: it lives on when the handle that made it is closed.
 */
import type { Change, EchoAnswer, EchoRequest, LiveKernel, Subscription, WatchOptions } from '../kernel/live.ts'
import { LinuxKernel } from './linux.ts'
import { LinuxConntrack } from './netfilter/conntrack.ts'
import { LinuxIpSets } from './netfilter/ipset/ipsets.ts'
import { withExtensions } from './netfilter/xtables.ts'
import { Namespace } from './netns.ts'
import { LinuxPackets } from './packet.ts'
import { ping } from './ping.ts'
import { LinuxSockets } from './sockets.ts'
import { LinuxTuns } from './tun.ts'
import { watch } from './watch.ts'

class LinuxLiveKernel extends LinuxKernel implements LiveKernel {
  readonly packets: LinuxPackets
  readonly tuns: LinuxTuns
  readonly sockets: LinuxSockets
  readonly conntrack: LinuxConntrack
  readonly ipsets: LinuxIpSets

  constructor(namespace: Namespace) {
    super(namespace, (nftables, socket) => withExtensions(nftables, new LinuxIpSets(socket)))
    this.packets = new LinuxPackets(namespace)
    this.tuns = new LinuxTuns(namespace)
    this.sockets = new LinuxSockets(namespace)
    this.conntrack = new LinuxConntrack(this.netfilter)
    this.ipsets = new LinuxIpSets(this.netfilter)
  }

  ping(destination: string, request?: EchoRequest): Promise<EchoAnswer> {
    return ping(this.namespace, destination, request)
  }

  sendPing(destination: string, request: EchoRequest, onAnswer: (answer: EchoAnswer) => void): void {
    void this.ping(destination, request).then(onAnswer)
  }

  watch(
    subjects: readonly Change['subject'][],
    onChange: (change: Change | 'lost') => void,
    { exceptOwnRoutes = false }: WatchOptions = {},
  ): Subscription {
    return watch(this.namespace, subjects, onChange, exceptOwnRoutes ? this.routePort : undefined)
  }

  override enter(namespacePath: string): LinuxLiveKernel | undefined {
    const namespace = Namespace.open(namespacePath)
    return namespace && new LinuxLiveKernel(namespace)
  }

  override close(): void {
    this.packets.close()
    super.close()
  }
}

/** The caller's own network namespace. */
export function liveLinux(): LiveKernel {
  return new LinuxLiveKernel(new Namespace('/proc/self/ns/net'))
}
