/** What the daemons of a lab have agreed on, as their nodes show it: the overlay that each of them has made. */
import { hostOf } from '../address/prefix.ts'
import { backendOf } from '../overlay/backend/backend.ts'
import { parseConfig } from '../overlay/config.ts'
import type { Lease } from '../overlay/lease.ts'
import type { Uplink } from '../overlay/uplink.ts'
import type { OverlayPlan } from './cluster.ts'
import { hasDaemon, takenSubnet } from './daemons.ts'
import type { Machine } from './machine.ts'
import { withNamespace } from './node.ts'
import type { LabPlan, NodePlan } from './plan.ts'

/** By name of the node. A node that has no subnet yet is left out. */
export function takenOverlays(plan: LabPlan, machine: Machine): Map<string, OverlayPlan> {
  if (plan.networkConfig === undefined) return new Map()
  const config = parseConfig(plan.networkConfig)
  const members = plan.nodes.filter(hasDaemon).flatMap((node) => {
    const subnet = takenSubnet(plan.name, node, machine)
    const uplink = uplinkOf(plan, node)
    if (subnet === undefined || !uplink) return []
    const device = backendOf(config).device('ipv4', config)
    const mac = device && withNamespace(node.namespace, machine, ({ links }) => links.get(device)?.mac)
    const { backend, ipv4 } = backendOf(config).attributes(uplink, config, mac ? { ipv4: mac } : {})
    const lease: Lease = { node: node.name, backend, ipv4: { ...ipv4!, subnet } }
    return [{ node, uplink, lease }]
  })
  const leases = members.map(({ lease }) => lease)
  return new Map(
    members.map(({ node, uplink, lease }) => {
      const peers = leases.filter((other) => other !== lease)
      return [node.name, { leases, state: backendOf(config).plan({ config, uplink, lease, peers }) }]
    }),
  )
}

function uplinkOf({ links }: LabPlan, { name, daemon }: NodePlan): Uplink | undefined {
  const link = links.find(({ ends }) => ends.some(({ node, ifName }) => node === name && ifName === daemon?.link))
  const end = link?.ends.find(({ node }) => node === name)
  const address = end?.addresses.find((each) => !each.includes(':'))
  return link && end && address
    ? { link: end.ifName, mtu: link.mtu, ipv4: { address, publicIp: hostOf(address) } }
    : undefined
}
