/**
 * What writing a setting does besides: devinet_sysctl_forward and ipv4_doint_and_flush in net/ipv4/devinet.c, addrconf.c,
 * net/core/neighbour.c, net/bridge/br_netfilter_hooks.c. The number has been written already.
 */
import type { Device } from './device/device.ts'
import * as ipv6 from './ipv6/settings.ts'
import type { Namespace } from './namespace.ts'
import type { Numbers } from './settings.ts'

export interface Write {
  readonly namespace: Namespace
  /** The settings that it stands in, and its name there. */
  readonly numbers: Numbers
  readonly name: string
  readonly before: number
  readonly value: number
  /** Whose settings they are; undefined for `all`, `default`, and what is of no device. */
  readonly device: Device | undefined
}

/** Answers an errno where the kernel would rather not, and all stays as it was. */
export type Effect = (write: Write) => string | undefined

/** `known` is the key with `default` in place of a device's name. */
export function effectOf(known: string): Effect | undefined {
  return EFFECTS[known]
}

/** SKB_TRUESIZE(ETH_FRAME_LEN): what one packet of 1514 bytes takes of a neighbour's queue. */
const PACKET_TRUESIZE = 2090

const EFFECTS: Readonly<Record<string, Effect>> = {
  'net/ipv4/ip_forward': forwardAll,
  'net/ipv4/conf/default/forwarding': ({ namespace, numbers, before, value, device }) =>
    numbers === (namespace.ipv4.all as object)
      ? forwardAll({ namespace, numbers, name: 'forwarding', before, value, device })
      : undefined,
  'net/ipv4/neigh/lo/base_reachable_time': alias('base_reachable_time_ms', (seconds) => seconds * 1000),
  'net/ipv4/neigh/lo/base_reachable_time_ms': alias('base_reachable_time', (ms) => Math.floor(ms / 1000)),
  'net/ipv4/neigh/lo/retrans_time': alias('retrans_time_ms', (ticks) => ticks * 10),
  'net/ipv4/neigh/lo/retrans_time_ms': alias('retrans_time', (ms) => Math.floor(ms / 10)),
  'net/ipv4/neigh/lo/unres_qlen': alias('unres_qlen_bytes', (packets) => packets * PACKET_TRUESIZE),
  'net/ipv4/neigh/lo/unres_qlen_bytes': alias('unres_qlen', (bytes) => Math.floor(bytes / PACKET_TRUESIZE)),
  'net/ipv6/neigh/lo/base_reachable_time': alias('base_reachable_time_ms', (seconds) => seconds * 1000),
  'net/ipv6/neigh/lo/base_reachable_time_ms': alias('base_reachable_time', (ms) => Math.floor(ms / 1000)),
  'net/ipv6/neigh/lo/retrans_time': alias('retrans_time_ms', (ms) => ms * 10),
  'net/ipv6/neigh/lo/retrans_time_ms': alias('retrans_time', (ms) => Math.floor(ms / 10)),
  'net/ipv6/neigh/lo/unres_qlen': alias('unres_qlen_bytes', (packets) => packets * PACKET_TRUESIZE),
  'net/ipv6/neigh/lo/unres_qlen_bytes': alias('unres_qlen', (bytes) => Math.floor(bytes / PACKET_TRUESIZE)),
  'net/bridge/bridge-nf-call-iptables': truth,
  'net/bridge/bridge-nf-call-ip6tables': truth,
  'net/bridge/bridge-nf-call-arptables': truth,
  'net/bridge/bridge-nf-filter-vlan-tagged': truth,
  'net/bridge/bridge-nf-filter-pppoe-tagged': truth,
  'net/bridge/bridge-nf-pass-vlan-input-dev': truth,
  'net/ipv6/conf/default/forwarding': ipv6.forwardingWritten,
  'net/ipv6/conf/default/disable_ipv6': ipv6.disableWritten,
  'net/ipv6/conf/default/addr_gen_mode': ipv6.addrGenModeWritten,
  'net/ipv6/conf/default/ignore_routes_with_linkdown': ipv6.linkdownWritten,
}

/** inet_forward_change: a router. It does not listen to redirects, and every device forwards, those to come too. */
function forwardAll({ namespace, before, value }: Write): undefined {
  const { settings, all } = namespace.ipv4
  settings.ip_forward = value
  all.forwarding = value
  if (before === value) return
  all.accept_redirects = value ? 0 : 1
  namespace.ipv4.default.forwarding = value
  for (const device of namespace.devices.list()) device.ipv4.conf.forwarding = value
}

/** Two settings that are one number in two units. */
function alias(other: string, convert: (value: number) => number): Effect {
  return ({ numbers, value }) => {
    numbers[other] = convert(value)
    return undefined
  }
}

/** brnf_sysctl_call_tables */
function truth({ numbers, name, value }: Write): undefined {
  if (value !== 0) numbers[name] = 1
}
