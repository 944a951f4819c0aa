/**
 * Whether an address is on the uplink's own network: the kernel is asked for the way there, as flannel asks for DirectRouting,
 * and the answer has no gateway. A point-to-point address or a route that an administrator made counts, too.
 */
import type { Kernel } from '../../kernel/kernel.ts'
import type { Uplink } from '../uplink.ts'

export function onLink({ routes }: Kernel, { link }: Uplink): (ip: string) => boolean {
  return (ip) => {
    const route = routes.lookup(ip)
    return route !== undefined && route.type === 'unicast' && route.gateway === undefined && route.link === link
  }
}
