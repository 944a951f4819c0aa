/**
 * host-gw: plain routes by the peers' own addresses. Every peer must be on the link: nothing in between knows of pods. The
 * others can be reached once it is; till then they are left out.
 */
import { hostOf } from '../../address/prefix.ts'
import type { Backend } from './backend.ts'
import {
  familiesOf,
  familyPlans,
  isOnLink,
  leftOut,
  type Obstacle,
  otherBackend,
  publicAddresses,
  routeByAddress,
  subnetRoutes,
} from './peer.ts'

type HostGwConfig = { readonly type: 'host-gw' }

const obstacle: Obstacle<HostGwConfig> = (peer, { publicIp }, _family, input) =>
  otherBackend(peer, 'host-gw') ??
  (isOnLink(input, publicIp) ? undefined : `${publicIp} is not on the link ${input.uplink.link}`)

export const hostGw: Backend<HostGwConfig> = {
  check(uplink, config) {
    for (const family of familiesOf(config)) {
      const below = uplink[family]
      if (!below || below.publicIp === hostOf(below.address)) continue
      throw new RangeError(
        `Cannot use the backend host-gw behind address translation: the public address ${below.publicIp} is not the ${hostOf(below.address)} of "${uplink.link}"`,
      )
    }
  },

  mtu: ({ mtu }) => mtu,

  device: () => undefined,

  attributes: (uplink, config) => publicAddresses(uplink, config, 'host-gw'),

  plan(input) {
    const { config, uplink } = input
    const routes = familyPlans(input, obstacle).flatMap(({ peers }) =>
      peers.map((peer) => routeByAddress(peer, uplink.link)),
    )
    return { routes, owned: { routes: subnetRoutes(config, () => [uplink.link]) } }
  },

  leftOut: (input) => leftOut(input, obstacle),
}
