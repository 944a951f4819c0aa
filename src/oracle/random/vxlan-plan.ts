/** Names and numbers of the random worlds with VXLAN: vxlan.ts shows them. */
import { addressOf, macOf } from './address-plan.ts'

export const VNI = 7
/** Linux' own, and flannel's. */
export const PORT = 8472

/** Networks: of the VXLAN devices, below them between n1 and n2, and, one more, between n1 and n3. */
export const TUNNEL = 9
export const BELOW = 100

/** Hosts in a pod's network. */
export const ROUTER = 1
export const POD = 10

export const podMac = (pod: number) => macOf(0x10 + pod, 0)
export const vtepMac = (node: number) => macOf(node, 7)

/** Of a node, as the others know it. */
export function underlayOf(node: number): string {
  return node === 3 ? addressOf(BELOW + 1, 3) : addressOf(BELOW, node)
}
