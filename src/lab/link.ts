/** A wire between two nodes: a veth pair, born with an end in either namespace; and the routes over it. */
import type { Machine } from './machine.ts'
import { namespacePath, withNamespace } from './node.ts'
import { type LabPlan, type LinkEnd, type LinkPlan, namespaceOf, type RoutePlan } from './plan.ts'

/** IFLA_GROUP of every link that a lab makes in a node, so that all of a node's go with one wait of the kernel. */
export const LAB_GROUP = 0x6f_766c

export function addLink({ name: lab }: LabPlan, { ends, mtu }: LinkPlan, machine: Machine): void {
  const [a, b] = ends
  withNamespace(namespaceOf(a.node, lab), machine, (near) =>
    withNamespace(namespaceOf(b.node, lab), machine, (far) => {
      near.links.add({
        kind: 'veth',
        name: a.ifName,
        mtu,
        group: LAB_GROUP,
        ...macOf(a),
        peer: { name: b.ifName, namespace: far, mtu, ...macOf(b) },
      })
      for (const [kernel, { ifName, addresses, master }] of [[near, a] as const, [far, b] as const]) {
        for (const prefix of addresses) kernel.addresses.add({ link: ifName, prefix })
        kernel.links.set(ifName, { up: true, ...(master !== undefined && { master }) })
      }
    }),
  )
}

/** What an impaired wire does to what either end sends. */
export async function impairLink({ name: lab }: LabPlan, { ends, impair }: LinkPlan, machine: Machine): Promise<void> {
  for (const { node, ifName } of ends) await machine.impair(namespacePath(namespaceOf(node, lab)), ifName, impair!)
}

export function addRoute({ name: lab }: LabPlan, { node, destination, gateway }: RoutePlan, machine: Machine): void {
  withNamespace(namespaceOf(node, lab), machine, ({ routes }) => routes.replace({ destination, gateway }))
}

const macOf = ({ mac }: LinkEnd) => (mac === undefined ? {} : { mac })
