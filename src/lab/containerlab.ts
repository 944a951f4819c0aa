/**
 * containerlab's own topology files, `*.clab.yml`: read as they are, as far as they are about networks. Kinds `linux` and
 * `bridge` are built; what concerns containers (images, binds, ports …) has no meaning here and is left aside. Defaults, kinds
 * and groups are applied to nodes as containerlab does: the node's own word counts most.
 */
import { isName } from '../cni/config.ts'
import type { Topology, TopologyLink, TopologyNode } from './topology.ts'

/** What is wrong, and where: a path of keys. */
export interface ClabFault {
  readonly path: readonly (string | number)[]
  readonly message: string
}

type Values = Readonly<Record<string, unknown>>

const KINDS: readonly string[] = ['linux', 'bridge']

export function isContainerlab(path: string): boolean {
  return /\.clab\.ya?ml$/.test(path)
}

/** The topology, or everything that is wrong with the file. */
export function readContainerlab(
  file: unknown,
): { readonly topology: Topology } | { readonly faults: readonly ClabFault[] } {
  const faults: ClabFault[] = []
  const say = (message: string, ...path: (string | number)[]) => faults.push({ path, message })
  const root = valuesOf(file)
  const described = valuesOf(root?.topology)
  if (typeof root?.name !== 'string') say('the file lacks "name"')
  else if (!isName(root.name)) say(`name "${root.name}" may have letters, digits and "_.-"`, 'name')
  if (!described) say('the file lacks "topology"')
  const given = valuesOf(described?.nodes) ?? {}
  if (described && Object.keys(given).length === 0) say('topology lacks "nodes"', 'topology')

  const nodes = new Map<string, TopologyNode>()
  for (const [name, own] of Object.entries(given)) {
    const node = inherit(valuesOf(own) ?? {}, described!)
    const kind = String(node.kind ?? 'linux')
    if (!KINDS.includes(kind)) {
      say(`unsupported: kind "${kind}" of node "${name}", supported: ${KINDS.join(', ')}`, 'topology', 'nodes', name)
      continue
    }
    const exec = Array.isArray(node.exec) ? node.exec.map(String) : []
    const sysctls = valuesOf(node.sysctls) as TopologyNode['sysctls']
    nodes.set(name, { kind: kind as 'linux' | 'bridge', ipv6: true, exec, ...(sysctls && { sysctls }) })
  }
  const links = (Array.isArray(described?.links) ? described.links : []).flatMap((link, i) => {
    const read = readLink(valuesOf(link) ?? {})
    if (typeof read !== 'string') return [read]
    say(read, 'topology', 'links', i)
    return []
  })
  if (faults.length > 0) return { faults }
  return { topology: { name: root!.name as string, topology: { nodes: Object.fromEntries(nodes), links } } }
}

/** defaults, then the group's, then the kind's, then the node's own. Lists of commands are joined. */
function inherit(node: Values, topology: Values): Values {
  const defaults = valuesOf(topology.defaults) ?? {}
  const group = valuesOf(valuesOf(topology.groups)?.[String(node.group ?? defaults.group)]) ?? {}
  const kindName = node.kind ?? group.kind ?? defaults.kind ?? 'linux'
  const kind = valuesOf(valuesOf(topology.kinds)?.[String(kindName)]) ?? {}
  const layers = [defaults, group, kind, node]
  return {
    ...Object.assign({}, ...layers),
    kind: kindName,
    exec: layers.flatMap((layer) => (Array.isArray(layer.exec) ? layer.exec : [])),
    sysctls: Object.assign({}, ...layers.map((layer) => valuesOf(layer.sysctls) ?? {})),
  }
}

/** Both forms of a link; a sentence when it is neither, or leads out of the lab. */
function readLink(link: Values): TopologyLink | string {
  const { endpoints, type = 'veth', mtu } = link
  if (type !== 'veth') return `unsupported: link of type "${String(type)}", supported: veth`
  if (!Array.isArray(endpoints) || endpoints.length !== 2) return 'a link has two endpoints'
  const ends = endpoints.map(readEndpoint)
  const wrong = ends.find((end) => typeof end === 'string')
  if (wrong !== undefined) return wrong as string
  const [a, b] = ends as [
    Exclude<ReturnType<typeof readEndpoint>, string>,
    Exclude<ReturnType<typeof readEndpoint>, string>,
  ]
  const addresses = (key: 'ipv4' | 'ipv6') => (Array.isArray(link[key]) ? link[key].map(String) : [])
  return {
    endpoints: [a, b],
    ipv4: addresses('ipv4'),
    ipv6: addresses('ipv6'),
    ...(typeof mtu === 'number' && { mtu }),
  }
}

/** containerlab's names for what is outside of the lab. */
const OUTSIDE: readonly string[] = ['host', 'mgmt-net', 'macvlan', 'vxlan', 'vxlan-stitch', 'dummy']

function readEndpoint(endpoint: unknown) {
  const values = valuesOf(endpoint)
  const [node, ifName] = values
    ? [String(values.node ?? ''), String(values.interface ?? '')]
    : String(endpoint).split(/:(.*)/)
  if (!node || !ifName) return `endpoint ${JSON.stringify(endpoint)} is not of the form "node:interface"`
  if (OUTSIDE.includes(node)) return `unsupported: endpoint "${node}:${ifName}" is outside of the lab`
  const mac = typeof values?.mac === 'string' ? { mac: values.mac } : {}
  const addresses = [values?.ipv4, values?.ipv6].filter((each) => typeof each === 'string')
  return { node, interface: ifName, addresses, ...mac }
}

function valuesOf(value: unknown): Values | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Values) : undefined
}
