/**
 * Who made an object of a node: the topology file's line, a lease, a CNI plugin's ADD. A reference is the object in iproute2's
 * words, after its kind: `route 10.244.1.0/24 via …`, `fdb 02:f1:00:00:02:01 dst …`, `link veth1`.
 */

import type { OverlayPlan } from './cluster.ts'
import { sysctlPath } from './describe-node.ts'
import type { Machine } from './machine.ts'
import { type LabPlan, nodeOf } from './plan.ts'
import { getAttached } from './pod.ts'
import { takenOverlays } from './taken-leases.ts'
import type { Topology } from './topology.ts'

export interface Origin {
  readonly node: string
  /** What the references of the object begin with. */
  readonly ref: string
  /** `flannel lease n2`, `T2.ovl.yml:24`. */
  readonly maker: string
}

/** All that is known of who made what in a lab that is up. */
export function originsOf(
  plan: LabPlan,
  topology: Topology,
  machine: Machine,
  source: { readonly file: string; lineOf(path: readonly (string | number)[]): number | undefined } | undefined,
): Origin[] {
  const taken = takenOverlays(plan, machine)
  return [
    ...(source ? originsOfFile(topology, source.file, source.lineOf) : []),
    ...plan.nodes.flatMap(({ name, overlay = taken.get(name) }) => originsOfOverlay(name, overlay)),
    ...plan.routes.map(({ node, destination }) => ({ node, ref: `route ${destination}`, maker: `lab ${plan.name}` })),
    ...plan.pods.flatMap((pod): Origin[] => {
      const attached = getAttached(plan.name, pod, nodeOf(pod, plan), machine)
      const maker = `CNI ADD of ${pod.name}`
      return attached?.hostInterface ? [{ node: pod.node, ref: `link ${attached.hostInterface}`, maker }] : []
    }),
  ]
}

/** What the leases of an overlay brought. */
function originsOfOverlay(node: string, overlay: OverlayPlan | undefined): Origin[] {
  if (!overlay) return []
  const { state, leases } = overlay
  const origins: Origin[] = (state.links ?? []).map((link) => ({
    node,
    ref: `link ${link.name}`,
    maker: `flannel lease ${node}`,
  }))
  for (const lease of leases) {
    const maker = `flannel lease ${lease.node}`
    for (const { destination } of state.routes ?? []) {
      if (destination === lease.ipv4?.subnet) origins.push({ node, ref: `route ${destination}`, maker })
    }
    for (const { address, mac } of state.neighbours ?? []) {
      if (mac === lease.ipv4?.vtep?.mac) origins.push({ node, ref: `neigh ${address}`, maker })
    }
    for (const { mac } of state.fdb ?? []) {
      if (mac === lease.ipv4?.vtep?.mac) origins.push({ node, ref: `fdb ${mac}`, maker })
    }
  }
  return origins
}

/** What the file says in full, by its lines. */
function originsOfFile(
  { topology, cluster: _ }: Topology,
  file: string,
  lineOf: (path: readonly (string | number)[]) => number | undefined,
): Origin[] {
  const name = file.slice(file.lastIndexOf('/') + 1)
  return Object.entries(topology.nodes).flatMap(
    ([node, { interfaces = {}, neighbours, fdb, routes, sysctls = {} }]) => {
      const origin = (ref: string, ...path: (string | number)[]): Origin => ({
        node,
        ref,
        maker: `${name}:${lineOf(['topology', 'nodes', node, ...path])}`,
      })
      return [
        ...Object.keys(interfaces).map((link) => origin(`link ${link}`, 'interfaces', link)),
        ...(neighbours ?? []).map(({ ip }, i) => origin(`neigh ${ip}`, 'neighbours', i)),
        ...(fdb ?? []).map(({ mac }, i) => origin(`fdb ${mac}`, 'fdb', i)),
        ...(routes ?? []).map(({ to, type }, i) =>
          origin(`route ${type && type !== 'unicast' ? `${type} ` : ''}${to}`, 'routes', i),
        ),
        ...Object.keys(sysctls).map((key) => origin(`sysctl ${sysctlPath(key)}`, 'sysctls', key)),
      ]
    },
  )
}

export function findOrigin(origins: readonly Origin[], node: string, ref: string): string | undefined {
  return origins.find((each) => each.node === node && (ref === each.ref || ref.startsWith(`${each.ref} `)))?.maker
}
