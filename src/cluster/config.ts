/**
 * The configuration of `overlab bgp run`: that of a speaker (bgp/config.ts), and `cluster`, by which the speaker is a node of one.
 * One file may serve all nodes: what is a node's own (name, router id, addresses) is found out where it is left out.
 */

import { formatBgpId } from '../bgp/bgp-id.ts'
import { filterDefinitions } from '../bgp/config/filters.ts'
import { identity, manners, neighbourSettings } from '../bgp/config/neighbour.ts'
import { ConfigError, collecting, type Path, type Problem } from '../bgp/config/problem.ts'
import {
  boolean,
  defaulted,
  listOf,
  mapOf,
  number,
  type Of,
  object,
  oneOf,
  optional,
  required,
  type Schema,
  type Shape,
  text,
  wrong,
} from '../bgp/config/shape.ts'
import { address, asNumber, bgpId, port } from '../bgp/config/values.ts'
import { type ConfigHost, HASH, neighbourContext, routerId, speakerMembers, speakerSettings } from '../bgp/config.ts'
import type { SpeakerSettings } from '../bgp/speaker-settings.ts'
import { nodePrefix } from '../pool/keys.ts'
import { parseSelector } from '../pool/selector.ts'
import type { ClusterSettings, RouterSettings } from './settings.ts'

/** What the nodes of Calico's clusters have, too: libcalico-go, felix/config. */
const VXLAN = { vni: 4096, port: 4789 }
const DEFAULT_SOCKET = '/run/overlab/pool.sock'

const etcd = object('an object as { endpoints: ["https://10.0.0.2:2379"] }', {
  endpoints: defaulted(
    listOf(text(), 'a list of URLs', { min: 1 }),
    ['http://127.0.0.1:2379'],
    'URLs; of several, one that answers',
  ),
  cafile: optional(text(), 'Authorities that its certificate is checked with'),
  certfile: optional(text(), 'Our certificate'),
  keyfile: optional(text(), 'Its key'),
  username: optional(text(), 'User of etcd'),
  passwordFile: optional(text(), 'File with the password of the user'),
})

const store = oneOf('a store, as { etcd: { endpoints: [ … ] } } or { directory: "/var/lib/overlab/store" }', {
  etcd,
  directory: text(),
})

const selector: Shape<string> = {
  expected: `a selector as "rack == 'r1'"`,
  schema: { type: 'string' },
  read(value, path) {
    if (typeof value === 'string' && isSelector(value)) return value
    throw wrong(path, value, this.expected)
  },
}

const router = object('a router as { address: "10.0.0.251", remoteAs: 65001, nodeSelector: "rack == \'r1\'" }', {
  nodes: optional(listOf(text(), 'a list of names'), 'Nodes that speak with it; left out: those of nodeSelector'),
  nodeSelector: defaulted(selector, 'all()', 'Labels of the nodes that speak with it'),
  name: identity.name,
  address: required(address, 'Of the router'),
  remoteAs: required(asNumber, 'AS of the router, checked against its OPEN'),
  localAddress: identity.localAddress,
  localAs: identity.localAs,
  families: identity.families,
  exportAll: defaulted(boolean, false, 'true: also what other nodes announce, where not every node has a router'),
  ...manners,
})

const cluster = object('an object as { store: { etcd: { endpoints: [ … ] } } }', {
  store: required(store, 'What all nodes of the cluster share; paths are those of this machine'),
  labels: defaulted(mapOf(text(), 'an object of texts'), {}, 'Of this node: pools and routers select nodes by them'),
  interfaces: defaulted(
    listOf(text(), 'a list of links or addresses'),
    [],
    'Link, or address of one, that the other nodes reach this one by, the first that will do; none: that of the default route',
  ),
  canReach: optional(address, 'In place of a link: that by which this address is reached'),
  mesh: defaulted(boolean, true, 'Every node speaks with every other, as long as none reflects'),
  reflector: optional(
    bgpId,
    'This node is a route reflector, for the cluster of this id: no mesh, but a session with each',
  ),
  peers: defaulted(
    object('an object as { holdTime: 9, bfd: true }', manners),
    {},
    'What holds for sessions with nodes',
  ),
  routers: defaulted(
    listOf(router, 'a list of routers'),
    [],
    'Who is spoken to by some nodes: of a rack, or reflectors',
  ),
  vxlan: defaulted(
    object('{ vni: 4096, port: 4789 }', {
      vni: defaulted(number(1, 0xff_ffff), VXLAN.vni, 'VXLAN network identifier, the same on all nodes'),
      port: defaulted(port, VXLAN.port, 'UDP port, the same on all nodes'),
      mtu: optional(number(576, 65_535), 'Bytes of a packet in the network below; left out: as the link has it'),
    }),
    {},
    'Of pools whose packets go to other nodes in VXLAN',
  ),
  socket: defaulted(text(), DEFAULT_SOCKET, 'Path at which the plugin block-ipam asks for addresses'),
})

const configuration = object('an object as { as: 64512, cluster: { store: … } }', {
  ...speakerMembers,
  routerId: optional(
    routerId,
    'BGP identifier; "hash": made of the name; in a cluster it can be left out: the IPv4 address of the node, else "hash"',
  ),
  cluster: optional(cluster, 'Of which this node is one: its store tells who else is, and what each announces'),
})

type ClusterDocument = Of<typeof cluster>

export interface Configuration {
  readonly speaker: SpeakerSettings
  /** undefined: the file says all there is. */
  readonly cluster: ClusterSettings | undefined
}

export interface NodeHost extends ConfigHost {
  /** By which a node goes that is given no name. */
  readonly hostName: string
}

/** ConfigError when it cannot be used. */
export function readConfiguration(value: unknown, host: NodeHost): Configuration {
  const given = configuration.read(value, [])
  if (given.routerId === undefined && !given.cluster) {
    throw new ConfigError([{ path: ['routerId'], what: `is missing, expected ${routerId.expected}` }])
  }
  const name = given.name ?? (given.cluster && host.hostName)
  const document = { ...given, name, routerId: given.routerId ?? HASH }
  const problems: Problem[] = []
  const speaker = collecting(problems, () => speakerSettings(document, host))
  const its = given.cluster && collecting(problems, () => clusterSettings(given.cluster!, name!))
  if (problems.length > 0) throw new ConfigError(problems)
  return { speaker: speaker!, cluster: its }

  function clusterSettings(its: ClusterDocument, node: string): ClusterSettings {
    const context = neighbourContext(document, host)
    const refuse = (path: Path, what: string) => problems.push({ path: ['cluster', ...path], what })
    if (!isNodeName(node)) problems.push({ path: ['name'], what: `is "${node}", which cannot be a node's` })
    const routers = its.routers.map((each, i) => {
      const neighbour = collecting(problems, () =>
        neighbourSettings({ ...nobody, ...each }, ['cluster', 'routers', i], context),
      )
      return { nodes: each.nodes, nodeSelector: each.nodeSelector, neighbour } as RouterSettings
    })
    const peers = collecting(problems, () =>
      neighbourSettings(
        { ...nobody, ...its.peers, address: ANYBODY, remoteAs: given.as },
        ['cluster', 'peers'],
        context,
      ),
    )
    return {
      store: storeOf(its.store, (file) => {
        try {
          return host.readSecret(file)
        } catch (error) {
          refuse(['store', 'etcd', 'passwordFile'], `"${file}" ${(error as Error).message}`)
          return ''
        }
      }),
      node,
      labels: Object.fromEntries(its.labels),
      isRouterIdAddress: given.routerId === undefined,
      reflector: its.reflector === undefined ? undefined : formatBgpId(its.reflector),
      mesh: its.mesh,
      uplink: { interfaces: its.interfaces, canReach: its.canReach },
      peers: peers!,
      routers,
      vxlan: its.vxlan,
      socket: its.socket,
    }
  }
}

/** Stands for each of the nodes. */
const ANYBODY = '0.0.0.0'

/** A neighbour of which nothing is said. */
const nobody = {
  name: undefined,
  address: undefined,
  remoteAs: undefined,
  localAddress: undefined,
  localAs: undefined,
  families: undefined,
  rrClient: false,
  clusterId: undefined,
  exportAll: false,
  dynamicRange: undefined,
  dynamicLimit: 1,
}

function storeOf(given: Of<typeof store>, readSecret: (file: string) => string): ClusterSettings['store'] {
  if ('directory' in given) return { file: given.directory }
  const { endpoints, cafile: ca, certfile: cert, keyfile: key, username, passwordFile } = given.etcd
  const password = passwordFile === undefined ? undefined : readSecret(passwordFile)
  return { etcd: { endpoints, ca, cert, key, username, password } }
}

function isSelector(value: string): boolean {
  try {
    parseSelector(value)
    return true
  } catch {
    return false
  }
}

function isNodeName(name: string): boolean {
  try {
    nodePrefix(name)
    return true
  } catch {
    return false
  }
}

/** For schema/bgp.schema.json. */
export const configSchema: Schema = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  $id: 'https://overlab.dev/schema/bgp-1.json',
  title: 'overlab bgp: configuration of the BGP speaker, and of a node of a cluster',
  ...configuration.schema,
  anyOf: [
    { required: ['routerId'], properties: { routerId: { not: { type: 'null' } } } },
    { required: ['cluster'], properties: { cluster: { not: { type: 'null' } } } },
  ],
  $defs: filterDefinitions,
}
