/**
 * What a lab looks like, as somebody writes it down: the part of a topology file (`*.ovl.yml`) that this lab builds. Names
 * and shapes are the file's, which are containerlab's with `cluster` beside.
 *
 *   topology   nodes, and links between their interfaces
 *   cluster    pods on the nodes, and the CNI plugin that attaches them
 */
import { familyOf } from '../address/ip.ts'
import { readPrefix } from '../address/prefix.ts'
import { isName } from '../cni/config.ts'
import { isInterfaceName } from '../cni/runtime/runtime.ts'

export interface Topology {
  readonly name: string
  readonly topology: {
    readonly nodes: Readonly<Record<string, { readonly kind: 'k8s-node' }>>
    readonly links: readonly TopologyLink[]
  }
  readonly cluster: {
    readonly cni: {
      readonly plugin: 'bridge'
      /** All pods' addresses, IPv4. Every node gets a /24 of it; the first /24 stays free. */
      readonly network: string
    }
    readonly pods: Readonly<Record<string, TopologyPod>>
  }
}

export interface TopologyLink {
  /** `node:interface`, twice. */
  readonly endpoints: readonly [string, string]
  /** Address of either end, with its prefix length. */
  readonly ipv4: readonly [string, string]
  readonly mtu?: number
}

export interface TopologyPod {
  readonly node: string
  /** 1 where left out. They are called `web-0`, `web-1` … */
  readonly replicas?: number
}

/** Two nodes, two pods on each, and one wire. */
export const twoNodes: Topology = {
  name: 'two-nodes',
  topology: {
    nodes: { n1: { kind: 'k8s-node' }, n2: { kind: 'k8s-node' } },
    links: [{ endpoints: ['n1:eth0', 'n2:eth0'], ipv4: ['192.168.56.11/24', '192.168.56.12/24'], mtu: 1500 }],
  },
  cluster: {
    cni: { plugin: 'bridge', network: '10.244.0.0/16' },
    pods: { web: { node: 'n1', replicas: 2 }, api: { node: 'n2', replicas: 2 } },
  },
}

/** Everything that is wrong with it, each a sentence that names the place; nothing when it can be built. */
export function faultsOf({ name, topology, cluster }: Topology): string[] {
  const faults: string[] = []
  const nodes = Object.keys(topology.nodes)
  // They become parts of namespaces' names and of paths.
  for (const each of [name, ...nodes, ...Object.keys(cluster.pods)]) {
    if (!isName(each))
      faults.push(`name "${each}" may have letters, digits and "_.-", and begins with neither of these`)
  }
  const network = readPrefix(cluster.cni.network)
  if (!network || familyOf(network.address) !== 'ipv4' || network.length > 24 - bitsFor(nodes.length)) {
    faults.push(
      `cluster.cni.network "${cluster.cni.network}" is no IPv4 network with a /24 for each of ${nodes.length} nodes`,
    )
  }
  for (const [pod, { node, replicas = 1 }] of Object.entries(cluster.pods)) {
    if (!nodes.includes(node))
      faults.push(`cluster.pods.${pod}.node "${node}" is not among the nodes (${nodes.join(', ')})`)
    if (!Number.isInteger(replicas) || replicas < 1)
      faults.push(`cluster.pods.${pod}.replicas is ${replicas}, at least 1`)
  }
  const interfaces = new Set<string>()
  for (const [i, { endpoints, ipv4, mtu = 1500 }] of topology.links.entries()) {
    for (const endpoint of endpoints) {
      const [node = '', ifName = ''] = endpoint.split(':')
      if (!nodes.includes(node))
        faults.push(`links[${i}] ends at "${node}", which is not among the nodes (${nodes.join(', ')})`)
      if (!isInterfaceName(ifName)) faults.push(`links[${i}] ends at "${endpoint}", which names no interface`)
      if (interfaces.has(endpoint)) faults.push(`links[${i}] ends at "${endpoint}", where another link ends`)
      interfaces.add(endpoint)
    }
    for (const address of ipv4) {
      const prefix = readPrefix(address)
      if (!prefix || familyOf(prefix.address) !== 'ipv4') faults.push(`links[${i}].ipv4 "${address}" is no IPv4 prefix`)
    }
    if (!Number.isInteger(mtu) || mtu < 68 || mtu > 65535) faults.push(`links[${i}].mtu is ${mtu}, allowed 68…65535`)
  }
  const pods = podNames(cluster.pods)
  for (const pod of pods) if (nodes.includes(pod)) faults.push(`name "${pod}" is a node's and a pod's`)
  return faults
}

/** `web-0`, `web-1`, `api-0` … in the file's order. */
export function podNames(pods: Topology['cluster']['pods']): string[] {
  return Object.entries(pods).flatMap(([name, { replicas = 1 }]) =>
    Array.from({ length: Math.max(0, Math.trunc(replicas)) }, (_, i) => `${name}-${i}`),
  )
}

/** Bits that number the nodes from 1. */
const bitsFor = (nodes: number) => Math.ceil(Math.log2(nodes + 1))
