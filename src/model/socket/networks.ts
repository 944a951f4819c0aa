/** The families that sockets can speak. */
import type { Family } from '../../address/ip.ts'
import { KernelError } from '../../kernel/errors.ts'
import { ipv4Network } from './ipv4.ts'
import { ipv6Network } from './ipv6.ts'
import type { Network } from './network.ts'

const NETWORKS: Readonly<Partial<Record<Family, Network>>> = { ipv4: ipv4Network, ipv6: ipv6Network }

export function networkOf(family: Family): Network | undefined {
  return NETWORKS[family]
}

/** Throws KernelError EAFNOSUPPORT. */
export function requireNetwork(family: Family, call: string): Network {
  const network = NETWORKS[family]
  if (!network) throw new KernelError('EAFNOSUPPORT', call)
  return network
}
