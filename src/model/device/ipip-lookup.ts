/** Which IPIP device of a namespace is meant: ip_tunnel_lookup and ip_tunnel_find, net/ipv4/ip_tunnel.c. */
import type { Namespace } from '../namespace.ts'
import type { Device } from './device.ts'
import type { Ipip } from './ipip.ts'

/** Those that were made in a namespace, wherever they are now; the newest first. */
const tunnels = new WeakMap<Namespace, readonly Ipip[]>()

const tunnelsOf = (namespace: Namespace): readonly Ipip[] => tunnels.get(namespace) ?? []

/** ip_tunnel_add */
export function addIpip(device: Ipip): void {
  tunnels.set(device.underlay, [device, ...tunnelsOf(device.underlay)])
}

/** ip_tunnel_del */
export function removeIpip(device: Ipip): void {
  const others = tunnelsOf(device.underlay).filter((each) => each !== device)
  tunnels.set(device.underlay, others)
}

/** Whether such a one is there already. */
export function hasIpip(namespace: Namespace, wanted: Pick<Ipip, 'local' | 'remote' | 'lower'>): boolean {
  const { local, remote, lower } = wanted
  return tunnelsOf(namespace).some((each) => each.local === local && each.remote === remote && each.lower === lower)
}

/**
 * The device that takes what `remote` sends to `local`: one that has both, one with that remote, one with that address, and
 * tunl0 where there is none. Of several, one on the link that the packet came by.
 */
export function findIpip(namespace: Namespace, input: Device, remote: number, local: number): Ipip | undefined {
  const usable = tunnelsOf(namespace).filter(({ up }) => up)
  const levels = [
    usable.filter((each) => each.local === local && each.remote === remote).reverse(),
    usable.filter((each) => each.local === 0 && each.remote === remote),
    usable.filter((each) => isForAny(each, local)),
  ]
  let candidate: Ipip | undefined
  for (const level of levels) {
    const exact = level.find(({ lower }) => lower === input)
    if (exact) return exact
    candidate ??= level[0]
  }
  return candidate ?? usable.find(({ isFallback }) => isFallback)
}

/** Whatever the remote: the device has the address, or sends to the group. */
function isForAny({ local: own, remote }: Ipip, local: number): boolean {
  return (own === local && remote === 0) || (remote === local && local >>> 28 === 0xe)
}
