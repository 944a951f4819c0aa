/**
 * What a topology file says of a node in full, made on a kernel: settings, interfaces with their ports, permanent
 * neighbours and FDB entries, routes. Sets, rules and commands are text: `commandsOf` says what to run.
 */
import { readIp } from '../address/ip.ts'
import { ignoring } from '../kernel/errors.ts'
import type { Kernel } from '../kernel/kernel.ts'
import type { NewLink } from '../kernel/link.ts'
import type { NextHop, Route } from '../kernel/route.ts'
import type { Sysctls, TopologyInterface, TopologyNode, TopologyRoute } from './topology.ts'

/** Settings that are there before the node has any link but its loopback. */
export function applySysctls(kernel: Kernel, sysctls: Sysctls): void {
  for (const [name, value] of Object.entries(sysctls)) kernel.sysctl.set(sysctlPath(name), String(value))
}

/** `net.ipv4.conf.eth0/1.rp_filter`, as sysctl(8) reads it, to the path below /proc/sys: dots and slashes change places. */
export function sysctlPath(name: string): string {
  const first = name.search(/[./]/)
  if (first < 0 || name[first] === '/') return name
  return name.replace(/[./]/g, (separator) => (separator === '.' ? '/' : '.'))
}

/** Whether the file says anything of the node that describeNode would make. */
export function isDescribed({ description }: { readonly description: TopologyNode }): boolean {
  const { interfaces = {}, neighbours = [], fdb = [], routes = [] } = description
  return Object.keys(interfaces).length + neighbours.length + fdb.length + routes.length > 0
}

/** What is run in a node, and what it reads. */
export interface NodeCommand {
  readonly title: string
  readonly line: string
  readonly stdin?: string
}

/**
 * In their order, when everything else of the node is there. What nft and ipset read is in languages of their own, in which
 * shells have no say: it goes the way that a saved file goes.
 */
export function commandsOf({ description }: { readonly description: TopologyNode }): NodeCommand[] {
  const { ipset = [], iptables = [], nft = [], exec = [] } = description
  return [
    ...textsOf(ipset).map((stdin) => ({ title: `ipset ${beginningOf(stdin)}`, line: 'ipset restore', stdin })),
    ...iptables.map((rule) => typed(`iptables ${rule}`)),
    ...textsOf(nft).map((stdin) => ({ title: `nft ${beginningOf(stdin)}`, line: 'nft -f -', stdin })),
    ...exec.map(typed),
  ]
}

const typed = (line: string): NodeCommand => ({ title: line, line })

/** Each ends its last line, as ipset asks. */
function textsOf(given: string | readonly string[]): string[] {
  return (typeof given === 'string' ? [given] : given).map((text) => (text.endsWith('\n') ? text : `${text}\n`))
}

/** Its first line that says something. */
function beginningOf(text: string): string {
  const lines = text.split('\n').filter((line) => /^\s*[^\s#]/.test(line))
  return lines.length > 1 ? `${lines[0]!.trim()} …` : (lines[0]?.trim() ?? '')
}

/** Everything but sysctls and commands. Links to other nodes are there. */
export function describeNode(kernel: Kernel, node: TopologyNode): void {
  const interfaces = Object.entries(node.interfaces ?? {})
  for (const [name, options] of interfaces) addInterface(kernel, name, options)
  for (const { ip, mac, dev } of node.neighbours ?? []) {
    kernel.neighbours.replace({ link: dev, address: ip, mac, state: 'permanent' })
  }
  for (const { mac, dev, dst } of node.fdb ?? []) {
    kernel.fdb.append({ link: dev, mac, owner: 'self', state: 'permanent', destination: dst })
  }
  for (const route of node.routes ?? []) kernel.routes.add(toRoute(route))
}

/** After links of the node were down: the routes that are there stay as they are. */
export function restoreRoutes(kernel: Kernel, { routes = [] }: Pick<TopologyNode, 'routes'>): void {
  for (const route of routes) ignoring('EEXIST', () => kernel.routes.add(toRoute(route)))
}

function addInterface(kernel: Kernel, name: string, options: TopologyInterface): void {
  const { mac, mtu, addresses = [] } = options
  const birth = { name, ...(mac !== undefined && { mac }), ...(mtu !== undefined && { mtu }) }
  kernel.links.add(linkOf(birth, options))
  if (options.type === 'bridge') {
    for (const { interface: port, hairpin = false, isolated = false } of options.ports ?? []) {
      kernel.links.set(port, { master: name, port: { hairpin, isolated } })
    }
  }
  kernel.links.set(name, { up: true })
  for (const prefix of addresses) kernel.addresses.add({ link: name, prefix })
}

function linkOf(birth: { readonly name: string }, options: TopologyInterface): NewLink {
  if (options.type === 'bridge') return { ...birth, kind: 'bridge' }
  const { id, dev, local, port = 8472, learning = true } = options
  const vxlan = { vni: id, port, learning, ...(dev && { device: dev }), ...(local && { local }) }
  return { ...birth, kind: 'vxlan', vxlan }
}

function toRoute({ to, type, via, dev, onlink, scope, mtu, table, metric, nexthops }: TopologyRoute): Route {
  const hop = (next: { via?: string | undefined; dev?: string | undefined; weight?: number | undefined }): NextHop => ({
    ...(next.via !== undefined && { gateway: next.via }),
    ...(next.dev !== undefined && { link: next.dev }),
    ...(next.weight !== undefined && { weight: next.weight }),
  })
  const hops = nexthops?.map(hop)
  return {
    destination: destinationOf(to, via ?? nexthops?.[0]?.via),
    ...(type !== undefined && { type }),
    ...(scope !== undefined && { scope }),
    ...(mtu !== undefined && { metrics: { mtu } }),
    ...(table !== undefined && { table }),
    ...(metric !== undefined && { metric }),
    ...(hops && hops.length > 1 ? { nextHops: hops } : (hops?.[0] ?? hop({ via, dev }))),
    ...(onlink !== undefined && { onlink }),
  }
}

/** `default` is of the gateway's family. */
function destinationOf(to: string, via: string | undefined): string {
  if (to === 'default') return via?.includes(':') ? '::/0' : '0.0.0.0/0'
  const ip = readIp(to)
  return ip ? `${to}/${8 * ip.length}` : to
}
