/** A pod: an empty namespace, until plugin executables have attached it. Nothing in here knows how they do it. */
import { hostOf } from '../address/prefix.ts'
import type { CachedAttachment } from '../cni/runtime/cache.ts'
import { resultCache } from '../cni/runtime/cache.ts'
import { type AttachmentRequest, addNetwork, checkNetwork, deleteNetwork } from '../cni/runtime/runtime.ts'
import { LAB_GROUP } from './link.ts'
import type { Machine } from './machine.ts'
import { namespacePath, podNetworks, runtimeOf, withNamespace } from './node.ts'
import { type LabPlan, type NodePlan, nodeOf, type PodPlan } from './plan.ts'

/** Name of a pod's own interface. */
const POD_INTERFACE = 'eth0'

/** How a pod was attached, in the words of its ADD's result. */
export interface Attached {
  readonly address: string | undefined
  readonly gateway: string | undefined
  readonly mac: string | undefined
  /** The node's end of it. */
  readonly hostInterface: string | undefined
  /** Types of the plugins that did it. */
  readonly plugins: readonly string[]
}

/** The part of a result that the lab reads: CNI specification 1.1, section "Success". */
interface Result {
  readonly interfaces?: readonly { readonly name: string; readonly mac?: string; readonly sandbox?: string }[]
  readonly ips?: readonly { readonly address: string; readonly gateway?: string }[]
}

export function addPod({ name: lab }: LabPlan, pod: PodPlan, node: NodePlan, machine: Machine): void {
  machine.kernel.namespaces.add(pod.namespace)
  const runtime = runtimeOf(lab, node, machine)
  for (const { ifName, list } of podNetworks(lab, node, machine)) {
    const { interfaces = [] } = addNetwork(list, requestFor(pod, ifName), runtime) as Result
    const veths = interfaces.filter(isHostEnd)
    withNamespace(node.namespace, machine, ({ links }) => {
      for (const { name } of veths) links.set(name, { group: LAB_GROUP })
    })
  }
  if (pod.mtu !== undefined) widen(lab, pod, node, pod.mtu, machine)
}

/** Both ends of its pair, or one would lose what the other sends. */
function widen(lab: string, pod: PodPlan, node: NodePlan, mtu: number, machine: Machine): void {
  const { hostInterface } = getAttached(lab, pod, node, machine) ?? {}
  withNamespace(pod.namespace, machine, ({ links }) => links.set(POD_INTERFACE, { mtu }))
  if (hostInterface) withNamespace(node.namespace, machine, ({ links }) => links.set(hostInterface, { mtu }))
}

/** Runs CHECK. CniError that says what is not as ADD promised. */
export function checkPod(lab: string, pod: PodPlan, node: NodePlan, machine: Machine): void {
  const runtime = runtimeOf(lab, node, machine)
  for (const { ifName, list } of podNetworks(lab, node, machine)) checkNetwork(list, requestFor(pod, ifName), runtime)
}

/** Runs DEL, in the reverse order of addPod, and removes the namespace. Succeeds twice. */
export function detachPod(lab: string, pod: PodPlan, node: NodePlan, machine: Machine): void {
  const runtime = runtimeOf(lab, node, machine)
  for (const { ifName, list } of podNetworks(lab, node, machine).toReversed()) {
    deleteNetwork(list, requestFor(pod, ifName), runtime)
  }
}

/** Undefined for a pod that is not attached. */
export function getAttached(lab: string, pod: PodPlan, node: NodePlan, machine: Machine): Attached | undefined {
  const networks = podNetworks(lab, node, machine)
  const cache = resultCache(runtimeOf(lab, node, machine).cacheDirectory, machine.host)
  const cached = networks.map(({ ifName, list }) => cache.get(list.name, requestFor(pod, ifName)))
  if (!cached.every((one) => one !== undefined)) return undefined
  const plugins = networks.flatMap(({ list }) => list.plugins.flatMap(({ type, json }) => [type, ...ipamOf(json)]))
  return { ...describe(cached.at(-1)!), plugins }
}

/** Name of the pod that was given the address. */
export function podGiven(address: string, plan: LabPlan, machine: Machine): string | undefined {
  return plan.pods.find((pod) => {
    const given = getAttached(plan.name, pod, nodeOf(pod, plan), machine)?.address
    return given !== undefined && hostOf(given) === address
  })?.name
}

function describe({ result, ifName }: CachedAttachment): Omit<Attached, 'plugins'> {
  const { interfaces = [], ips = [] } = result as Result
  return {
    address: ips[0]?.address,
    gateway: ips[0]?.gateway,
    mac: interfaces.find(({ name, sandbox }) => sandbox && name === ifName)?.mac,
    hostInterface: interfaces.find(isHostEnd)?.name,
  }
}

/** Named as our plugins name it; a bridge is in results, too. */
const isHostEnd = ({ name, sandbox }: { readonly name: string; readonly sandbox?: string }) =>
  !sandbox && /^(?:veth|cali)/.test(name)

const ipamOf = ({ ipam }: { readonly ipam?: unknown }): string[] =>
  typeof ipam === 'object' && ipam !== null && 'type' in ipam ? [String(ipam.type)] : []

function requestFor({ name, namespace }: PodPlan, ifName: string): AttachmentRequest {
  return { containerId: name, ifName, netns: namespacePath(namespace), args: [], capabilityArgs: {} }
}
