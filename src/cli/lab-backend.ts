/** `--backend`: a topology whose nodes run `overlab daemon` or speak BGP, whatever its file says of the plugin. */
import type { Topology } from '../lab/topology.ts'
import { CommandError, Exit } from './exit.ts'
import type { Given } from './lab-options.ts'

export const BACKENDS = ['vxlan', 'host-gw', 'udp', 'bgp'] as const

/** As it is where no backend is asked for. CommandError (usage) for what does not go with it. */
export function withBackend(topology: Topology, { backend, directRouting }: Given): Topology {
  if (directRouting && backend !== 'vxlan') {
    throw new CommandError(Exit.usage, 'Cannot use --direct-routing without --backend vxlan')
  }
  if (backend === undefined) return topology
  const { cluster } = topology
  if (backend === 'bgp') {
    return { ...topology, cluster: { ...cluster, cni: { ...networkOf(topology), plugin: 'calico', backend } } }
  }
  const routing = directRouting && { directRouting }
  return {
    ...topology,
    cluster: { ...cluster, cni: { ...cluster?.cni, plugin: 'flannel', backend, daemons: true, ...routing } },
  }
}

/** What both kinds of network understand. */
function networkOf({ cluster }: Topology) {
  const { network } = cluster?.cni ?? {}
  return network === undefined ? {} : { network }
}
