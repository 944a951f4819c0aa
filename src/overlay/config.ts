/**
 * The network's configuration: flannel's net-conf.json, the value of `<prefix>/config`.
 *
 *   { "Network": "10.5.0.0/16", "Backend": { "Type": "vxlan", "VNI": 1 } }
 *
 * Keys, defaults, checks and their messages are those of flannel's pkg/subnet/config.go and pkg/backend. flannel has no range
 * checks for what a backend takes, so that a VNI of 2^24 fails in the kernel and a port of 65537 becomes 1; here they are
 * refused at once. Its `VNI: 0` makes a device flannel.0 in the kernel; it is refused because 0 is also what leases without a
 * VNI are read as. The documents call vxlan the default backend; it is udp, here as there.
 */
import { formatIp, type Ip, ipFromBigInt, ipToBigInt, readIp } from '../address/ip.ts'
import { contains, formatPrefix, lastOf, networkOf, type Prefix, readPrefix } from '../address/prefix.ts'
import { JsonError } from '../json/errors.ts'
import { asObject, JsonObject } from '../json/json.ts'
import { parseJson } from '../json/parser.ts'
import type { Family } from './lease.ts'

/** Of one family. Addresses are text. */
export interface FamilyNetwork {
  /** The pods of all nodes: `10.5.0.0/16`. */
  readonly network: string
  /** The first and the last subnet that a node may get, by their first addresses. */
  readonly subnetMin: string
  readonly subnetMax: string
  /** Prefix length of a node's subnet. */
  readonly subnetLen: number
}

export interface VxlanConfig {
  readonly type: 'vxlan'
  /** 1 to 2^24 - 1. */
  readonly vni: number
  /** UDP port. */
  readonly port: number
  /** Of the network below, bytes; left out: the uplink's. */
  readonly mtu?: number
  /** Group policy extension. */
  readonly gbp: boolean
  readonly learning: boolean
  /** Plain routes to the nodes that are on the uplink's own network. */
  readonly directRouting: boolean
}

export interface UdpConfig {
  readonly type: 'udp'
  readonly port: number
}

export type BackendConfig = VxlanConfig | UdpConfig | { readonly type: 'host-gw' } | { readonly type: 'alloc' }

/** At least one of the families is there. */
export interface NetworkConfig {
  readonly ipv4?: FamilyNetwork
  readonly ipv6?: FamilyNetwork
  /** Traffic rules in nftables instead of iptables. */
  readonly nftables: boolean
  readonly backend: BackendConfig
}

/** linux/drivers/net/vxlan/vxlan_core.c, vxlan_port: Linux is older than IANA's 4789. */
const VXLAN_PORT = 8472
/** flannel's pkg/backend/udp. */
const UDP_PORT = 8285

const MAX_VNI = 2 ** 24 - 1
const MAX_PORT = 2 ** 16 - 1
/** What VXLAN takes from a packet, over IPv4 and over IPv6. */
const VXLAN_OVERHEAD = { ipv4: 50, ipv6: 70 }
/** RFC 791 §3.2, RFC 8200 §5: the least that a link must carry. */
const MIN_MTU = { ipv4: 68, ipv6: 1280 }
const MAX_MTU = 65535

/** Backends of flannel's that overlab has not. */
const NOT_OURS = ['extension', 'ipip', 'ipsec', 'wireguard', 'tencent-vpc', 'ali-vpc', 'aws-vpc', 'gce']

/** How the families' keys differ, and the prefix length that nodes get where the network has room for four of them. */
const FAMILIES = {
  ipv4: { bits: 32, key: '', usualLen: 24 },
  ipv6: { bits: 128, key: 'IPv6', usualLen: 64 },
} as const

/** JsonError when the text is no configuration. */
export function parseConfig(text: string): NetworkConfig {
  const json = asObject(parseJson(text, 'the network configuration'), '')
  const ipv4 = familyNetwork(json, 'ipv4', json.boolean('EnableIPv4') ?? true)
  const ipv6 = familyNetwork(json, 'ipv6', json.boolean('EnableIPv6') ?? false)
  if (!ipv4 && !ipv6) throw refused('none defined stack: both EnableIPv4 and EnableIPv6 are false')
  const families = { ...(ipv4 && { ipv4 }), ...(ipv6 && { ipv6 }) }
  return { ...families, nftables: json.boolean('EnableNFTables') ?? false, backend: backendConfig(json, families) }
}

/** CheckNetworkConfig of pkg/subnet/config.go. What is said of a family that is off must still be of the right type. */
function familyNetwork(json: JsonObject, family: Family, isEnabled: boolean): FamilyNetwork | undefined {
  const { key, bits, usualLen } = FAMILIES[family]
  const network = readNetwork(json, `${key}Network`, family)
  const given = {
    len: json.integer(`${key}SubnetLen`, { min: 0 }) ?? 0,
    min: readAddress(json, `${key}SubnetMin`, family),
    max: readAddress(json, `${key}SubnetMax`, family),
  }
  if (!isEnabled) return undefined
  if (!network) throw refused(`please define a correct ${key}Network parameter in the flannel config`)

  // A tunnel and a bridge need an address each, and the network's first subnet is not given out.
  if (given.len > bits - 2) throw refused(`SubnetLen must be less than /${bits - 1}`)
  if (given.len > 0 && given.len < network.length + 2) {
    throw refused('network must be able to accommodate at least four subnets')
  }
  if (given.len === 0 && network.length > bits - 4) {
    const name = family === 'ipv4' ? 'network' : 'IPv6Network'
    throw refused(`${name} is too small. Minimum useful network prefix is /${bits - 4}`)
  }
  const length = given.len || Math.max(usualLen, network.length + 2)

  const min = given.min ?? secondSubnet(network, length, family)
  const max = given.max ?? networkOf({ address: lastOf(network), length }).address
  for (const [name, address] of [['SubnetMin', min] as const, ['SubnetMax', max] as const]) {
    if (!contains(network, address)) throw refused(`${key}${name} is not in the range of the ${key}Network`)
  }
  for (const [name, address] of [['SubnetMin', min] as const, ['SubnetMax', max] as const]) {
    if (formatIp(networkOf({ address, length }).address) === formatIp(address)) continue
    throw refused(`${key}${name} is not on a SubnetLen boundary: ${formatIp(address)}`)
  }
  if (ipToBigInt(min) > ipToBigInt(max)) {
    throw refused(`${key}SubnetMin ${formatIp(min)} is greater than ${key}SubnetMax ${formatIp(max)}`)
  }
  return {
    network: formatPrefix(network),
    subnetMin: formatIp(min),
    subnetMax: formatIp(max),
    subnetLen: length,
  }
}

/** The first one has the network's own address, which interfaces should not have. */
function secondSubnet(network: Prefix, length: number, family: Family): Ip {
  return ipFromBigInt(ipToBigInt(network.address) + 2n ** BigInt(FAMILIES[family].bits - length), family)
}

/** Undefined where it is left out, or empty: 0.0.0.0/0. The messages are those of Go's net.ParseCIDR and pkg/ip/ipnet.go. */
function readNetwork(json: JsonObject, key: string, family: Family): Prefix | undefined {
  const text = json.string(key)
  if (text === undefined) return undefined
  const prefix = readPrefix(text)
  if (!prefix) throw unusable(key, `invalid CIDR address: ${text}`)
  const name = family === 'ipv4' ? 'IPv4' : 'IPv6'
  if (prefix.address.length * 8 !== FAMILIES[family].bits) throw unusable(key, `invalid ${name} CIDR format: ${text}`)
  return prefix.length === 0 ? undefined : networkOf(prefix)
}

/** Undefined where it is left out, or has no bit: 0.0.0.0. */
function readAddress(json: JsonObject, key: string, family: Family): Ip | undefined {
  const text = json.string(key)
  if (text === undefined) return undefined
  const ip = readIp(text)
  if (!ip || ip.length * 8 !== FAMILIES[family].bits) throw unusable(key, `invalid IP address format: ${text}`)
  return ip.some((byte) => byte !== 0) ? ip : undefined
}

type Families = Pick<NetworkConfig, 'ipv4' | 'ipv6'>

function backendConfig(json: JsonObject, families: Families): BackendConfig {
  // Of several Backends the last one counts, and whole: flannel keeps it as json.RawMessage.
  const value = json.value('Backend')
  if (value === undefined) return udpConfig(new JsonObject(), families)
  const backend = decoding('Backend property of config', () => asObject(value, json.pathOf('Backend')))
  const type = decoding('Backend property of config', () => backend.string('Type') ?? '').toLowerCase()
  switch (type) {
    case 'vxlan':
      return decoding('VXLAN backend config', () => vxlanConfig(backend, families))
    case 'udp':
      return decoding('UDP backend config', () => udpConfig(backend, families))
    case 'host-gw':
    case 'alloc':
      return { type }
  }
  const problem = NOT_OURS.includes(type) ? `overlab has no backend type ${type}` : `unknown backend type: ${type}`
  throw refused(`${problem} ("Type" is one of vxlan, host-gw, udp and alloc)`)
}

function vxlanConfig(backend: JsonObject, families: Families): VxlanConfig {
  const least = (family: Family) => MIN_MTU[family] + VXLAN_OVERHEAD[family]
  const mtu = backend.integer('MTU', { min: least(families.ipv6 ? 'ipv6' : 'ipv4'), max: MAX_MTU })
  return {
    type: 'vxlan',
    vni: backend.integer('VNI', { min: 1, max: MAX_VNI }) ?? 1,
    // flannel leaves 0 to the kernel.
    port: backend.integer('Port', { min: 0, max: MAX_PORT }) || VXLAN_PORT,
    ...(mtu !== undefined && { mtu }),
    gbp: backend.boolean('GBP') ?? false,
    learning: backend.boolean('Learning') ?? false,
    directRouting: backend.boolean('DirectRouting') ?? false,
  }
}

function udpConfig(backend: JsonObject, families: Families): UdpConfig {
  if (!families.ipv4) throw refused('backend type udp carries IPv4 only: set EnableIPv4, or use vxlan or host-gw')
  return { type: 'udp', port: backend.integer('Port', { min: 1, max: MAX_PORT }) ?? UDP_PORT }
}

/** As flannel's backends tell what is wrong with their part: `error decoding VXLAN backend config: …`. */
function decoding<T>(what: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof JsonError)) throw error
    throw new JsonError(error.kind, `error decoding ${what}: ${error.message}`)
  }
}

function unusable(key: string, problem: string): JsonError {
  return refused(`Cannot use "${key}": ${problem}`)
}

function refused(message: string): JsonError {
  return new JsonError('value', message)
}
