/** host-gw: plain routes by the peers' own addresses. Every peer must be on the link: nothing in between knows of pods. */
import { parseIp } from '../../address/ip.ts'
import { contains, parsePrefix } from '../../address/prefix.ts'
import { RouteProtocol } from '../../kernel/route.ts'
import type { Backend } from './backend.ts'

export const hostGw: Backend = {
  mtu: ({ mtu }, options) => Math.min(mtu, options.mtu ?? mtu),

  plan({ lease, link, prefix }, peers) {
    const onLink = parsePrefix(prefix)
    for (const { node, ipv4 } of peers) {
      const { publicIp } = ipv4!
      if (contains(onLink, parseIp(publicIp))) continue
      throw new RangeError(
        `Cannot reach node "${node}" from "${lease.node}" by host-gw: ${publicIp} is not on the link ${link} (${prefix}); use vxlan`,
      )
    }
    return {
      routes: peers.map(({ ipv4 }) => ({
        destination: ipv4!.subnet,
        gateway: ipv4!.publicIp,
        link,
        protocol: RouteProtocol.static,
      })),
    }
  },
}
