/** A node of flannel's facts: 192.168.77.1 on eth0, subnet 10.5.72.0/24; and peers of it. */
import type { BackendConfig, NetworkConfig, VxlanConfig } from '../../../src/overlay/config.ts'
import type { Lease } from '../../../src/overlay/lease.ts'
import type { Uplink } from '../../../src/overlay/uplink.ts'

export const uplink: Uplink = {
  link: 'eth0',
  mtu: 1500,
  ipv4: { address: '192.168.77.1/24', publicIp: '192.168.77.1' },
  ipv6: { address: 'fd77::1/64', publicIp: 'fd77::1' },
}

export const vxlanConfig: VxlanConfig = {
  type: 'vxlan',
  vni: 1,
  port: 8472,
  gbp: false,
  learning: false,
  directRouting: false,
}

const ipv4 = { network: '10.5.0.0/16', subnetMin: '10.5.1.0', subnetMax: '10.5.255.0', subnetLen: 24 }
const ipv6 = { network: 'fd00:5::/48', subnetMin: 'fd00:5:0:1::', subnetMax: 'fd00:5:0:ffff::', subnetLen: 64 }

/** IPv4 alone. */
export function network<C extends BackendConfig>(backend: C): NetworkConfig & { readonly backend: C } {
  return { ipv4, nftables: false, backend }
}

export function dualStack<C extends BackendConfig>(backend: C): NetworkConfig & { readonly backend: C } {
  return { ipv4, ipv6, nftables: false, backend }
}

/** Peer number `n` of a vxlan network has 10.5.n.0/24 and 192.168.77.n. */
export function vxlanLease(n: number, publicIp = `192.168.77.${n}`): Lease {
  const hex = n.toString(16)
  const byte = hex.padStart(2, '0')
  return {
    backend: 'vxlan',
    ipv4: { subnet: `10.5.${n}.0/24`, publicIp, vtep: { vni: 1, mac: `c6:d2:32:00:04:${byte}` } },
    ipv6: { subnet: `fd00:5:0:${hex}::/64`, publicIp: `fd77::${hex}`, vtep: { vni: 1, mac: `c6:d2:32:00:06:${byte}` } },
  }
}

/** One of a backend that has nothing to tell besides. */
export function plainLease(n: number, backend: string, publicIp = `192.168.77.${n}`): Lease {
  return { backend, ipv4: { subnet: `10.5.${n}.0/24`, publicIp } }
}
