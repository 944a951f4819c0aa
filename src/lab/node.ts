/** A node: a namespace that forwards, and the configuration lists by which its pods are attached. */
import type { NetworkList } from '../cni/runtime/network.ts'
import { parseNetwork } from '../cni/runtime/network.ts'
import type { Runtime } from '../cni/runtime/runtime.ts'
import { removeIndex } from '../ipam/disk-index.ts'
import { isErrno } from '../kernel/errors.ts'
import type { LiveKernel } from '../kernel/live.ts'
import { removeOwners } from '../plugins/flannel/scratch.ts'
import type { PodNetworkPlan } from './cluster.ts'
import { applySysctls } from './describe-node.ts'
import type { Machine } from './machine.ts'
import { type LabPlan, NAMESPACES, type NodePlan } from './plan.ts'
import { nodeDirectory, subnetFile } from './state.ts'

/** A node without IPv6 is a quiet one: no router solicitations, no listener reports. */
const WITHOUT_IPV6 = { 'net.ipv6.conf.all.disable_ipv6': 1, 'net.ipv6.conf.default.disable_ipv6': 1 }

/** Name of the bridge that a node's pods are on. */
const BRIDGE = 'cni0'

export interface PodNetwork {
  readonly ifName: string
  readonly file: string
  readonly list: NetworkList
}

export function addNode({ name }: LabPlan, node: NodePlan, machine: Machine): void {
  machine.kernel.namespaces.add(node.namespace)
  withNamespace(node.namespace, machine, (kernel) => {
    const { kind, ipv6 = false, sysctls = {} } = node.description
    if (!ipv6) applySysctls(kernel, WITHOUT_IPV6)
    if (kind === 'k8s-node' || node.speaker) applySysctls(kernel, { 'net.ipv4.ip_forward': 1 })
    applySysctls(kernel, sysctls)
    kernel.links.set('lo', { up: true })
    if (kind === 'bridge') kernel.links.add({ kind: 'bridge', name: node.name, up: true })
  })
  if (!node.podNetwork) return
  const { files } = machine.host
  for (const { file, list } of podNetworks(name, node, machine)) {
    files.makeDirectory(file.slice(0, file.lastIndexOf('/')), 0o755)
    files.replace(file, list.text, 0o644)
  }
}

/** What a pod is attached to, in this order: the loopback that every runtime adds by itself, then the node's bridge. */
export function podNetworks(lab: string, node: NodePlan, machine: Machine): PodNetwork[] {
  if (!node.podNetwork) return []
  const directory = nodeDirectory(lab, node.name, machine)
  const loopback = { cniVersion: '1.1.0', name: 'loopback', plugins: [{ type: 'loopback' }] }
  const pods = {
    cniVersion: '1.1.0',
    name: 'pods',
    plugins: [
      node.daemon
        ? flannelPlugin(subnetFile(lab, node.name, machine), directory)
        : node.podNetwork.isRouted
          ? routedPlugin(node.podNetwork, directory)
          : bridgePlugin(node.podNetwork, directory),
    ],
  }
  return [
    { ifName: 'lo', file: `${directory}/net.d/00-loopback.conflist`, json: loopback },
    { ifName: 'eth0', file: `${directory}/net.d/10-pods.conflist`, json: pods },
  ].map(({ ifName, file, json }) => ({
    ifName,
    file,
    list: parseNetwork(`${JSON.stringify(json, undefined, 2)}\n`, file),
  }))
}

function bridgePlugin({ subnet, mtu, hairpin }: PodNetworkPlan, directory: string) {
  return {
    type: 'bridge',
    bridge: BRIDGE,
    isGateway: true,
    isDefaultGateway: true,
    ...(hairpin && { hairpinMode: true }),
    ...(mtu !== undefined && { mtu }),
    ipam: hostLocal(subnet, directory),
  }
}

/** As Calico does it; the subnet is the node's block. */
function routedPlugin({ subnet }: PodNetworkPlan, directory: string) {
  return { type: 'routed', ipam: hostLocal(subnet, directory) }
}

function hostLocal(subnet: string | undefined, directory: string) {
  return { type: 'host-local', ranges: [[{ subnet }]], dataDir: `${directory}/ipam` }
}

/** The same bridge; its subnet and MTU are what the node's daemon says. */
function flannelPlugin(path: string, directory: string) {
  return {
    type: 'flannel',
    subnetFile: path,
    dataDir: `${directory}/flannel`,
    ipam: { dataDir: `${directory}/ipam` },
    delegate: { bridge: BRIDGE, isDefaultGateway: true, hairpinMode: true },
  }
}

/** What the node's plugins keep outside of its directory, for as long as this is there. */
export function forgetAddresses(lab: string, node: NodePlan, machine: Machine): void {
  const { files } = machine.host
  const directory = nodeDirectory(lab, node.name, machine)
  for (const network of files.list(`${directory}/ipam`) ?? []) {
    const status = files.status(`${directory}/ipam/${network}`)
    if (status) removeIndex(files, status)
  }
  const noted = files.status(`${directory}/flannel`)
  if (noted) removeOwners(files, noted)
}

/** The container runtime of this node: its plugins run in its namespace. */
export function runtimeOf(lab: string, node: NodePlan, machine: Machine): Runtime {
  return {
    host: machine.hostIn(namespacePath(node.namespace)),
    pluginDirectories: machine.pluginDirectories,
    cacheDirectory: `${nodeDirectory(lab, node.name, machine)}/cni`,
  }
}

export function namespacePath(namespace: string): string {
  return `${NAMESPACES}/${namespace}`
}

/** Undefined, and no call of `body`, when there is no such namespace, or no more of it than a file with its name. */
export function withNamespace<T>(namespace: string, machine: Machine, body: (kernel: LiveKernel) => T): T | undefined {
  const kernel = enter(namespace, machine)
  if (!kernel) return undefined
  try {
    return body(kernel)
  } finally {
    kernel.close()
  }
}

/** The caller closes it. */
export function enter(namespace: string, { kernel }: Machine): LiveKernel | undefined {
  try {
    return kernel.enter(namespacePath(namespace))
  } catch (error) {
    if (isErrno(error, 'EINVAL')) return undefined // whoever was adding it was killed between the file and the mount
    throw error
  }
}
