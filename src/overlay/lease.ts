/**
 * What the nodes of an overlay tell each other: who has which pods, and how they are reached. flannel's lease, in our words.
 *
 * In a store, the subnets are the key (lease-key.ts) and the attributes the value, as pkg/lease/lease.go and Go's
 * encoding/json write them:
 *
 *   {"PublicIP":"192.168.77.1","PublicIPv6":null,"BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"c6:d2:32:6f:8f:44"}}
 *
 * Leases of udp and alloc have no type and no data; those of a node without IPv4 have 0.0.0.0 as PublicIP.
 */
import { readIpv4 } from '../address/ipv4.ts'
import { formatIpv6, isIpv4Mapped, parseIpv6, readIpv6 } from '../address/ipv6.ts'
import { formatMac, isMulticastMac, parseMac } from '../address/mac.ts'
import { JsonError } from '../json/errors.ts'
import { asObject, type JsonObject } from '../json/json.ts'
import { parseJson } from '../json/parser.ts'
import type { Subnets } from './lease-key.ts'

export type Family = 'ipv4' | 'ipv6'

export const FAMILIES: readonly Family[] = ['ipv4', 'ipv6']

/** How a node is reached in one family. */
export interface Endpoint {
  /** Address of the node in the network below. */
  readonly publicIp: string
  /** The node's VXLAN device, BackendData and BackendV6Data: backend vxlan only. Old flannels do not tell the VNI. */
  readonly vtep?: { readonly vni: number | undefined; readonly mac: string }
}

/** LeaseAttrs: all of a lease but its subnets. */
export interface LeaseAttributes {
  /** BackendType: `vxlan`, `host-gw`; empty for udp and alloc. */
  readonly backend: string
  readonly ipv4?: Endpoint
  readonly ipv6?: Endpoint
}

export interface FamilyLease extends Endpoint {
  /** The pods that are there: `10.5.72.0/24`, `fd00:5:0:7::/64`. */
  readonly subnet: string
}

/** At least one of the families is there. */
export interface Lease {
  /** The node, for people, where it is known: labs know it, etcd does not. */
  readonly node?: string
  /** BackendType: `vxlan`, `host-gw`; empty for udp and alloc. */
  readonly backend: string
  readonly ipv4?: FamilyLease
  readonly ipv6?: FamilyLease
}

/** The subnet's first address: the overlay device has it, and other nodes route by it. */
export function gatewayOf(subnet: string): string {
  return subnet.slice(0, subnet.indexOf('/'))
}

export function subnetsOf({ ipv4, ipv6 }: Lease): Subnets {
  return { ...(ipv4 && { ipv4: ipv4.subnet }), ...(ipv6 && { ipv6: ipv6.subnet }) }
}

/**
 * A family counts where the lease has both a subnet and an address for it: a dual-stack lease of udp has no address for IPv6.
 * JsonError when none is left, or when what vxlan needs for it is missing.
 */
export function leaseOf(subnets: Subnets, attributes: LeaseAttributes): Lease {
  const lease: { backend: string; ipv4?: FamilyLease; ipv6?: FamilyLease } = { backend: attributes.backend }
  for (const family of FAMILIES) {
    const subnet = subnets[family]
    const endpoint = attributes[family]
    if (subnet === undefined || !endpoint) continue
    if (attributes.backend === 'vxlan' && !endpoint.vtep) throw missing(DATA[family])
    lease[family] = { subnet, ...endpoint }
  }
  if (lease.ipv4 || lease.ipv6) return lease
  throw missing(subnets.ipv4 === undefined ? 'PublicIPv6' : 'PublicIP')
}

const DATA = { ipv4: 'BackendData', ipv6: 'BackendV6Data' } as const

/** Byte for byte what flannel writes. */
export function formatLeaseAttributes({ backend, ipv4, ipv6 }: LeaseAttributes): string {
  return JSON.stringify({
    PublicIP: ipv4 ? ipv4.publicIp : '0.0.0.0',
    PublicIPv6: ipv6 ? formatGoIpv6(ipv6.publicIp) : null,
    ...(backend !== '' && { BackendType: backend }),
    ...(ipv4?.vtep && { BackendData: vtepData(ipv4.vtep) }),
    ...(ipv6?.vtep && { BackendV6Data: vtepData(ipv6.vtep) }),
  })
}

function vtepData({ vni, mac }: NonNullable<Endpoint['vtep']>) {
  return { ...(vni !== undefined && { VNI: vni }), VtepMAC: formatMac(parseMac(mac)) }
}

/** net.IP's String, which writes the IPv4 address of one that is mapped. */
function formatGoIpv6(text: string): string {
  const bytes = parseIpv6(text)
  return isIpv4Mapped(bytes) ? bytes.subarray(12).join('.') : formatIpv6(bytes)
}

/** JsonError when the text cannot be used. An address that is missing is no error here: it depends on the subnets. */
export function parseLeaseAttributes(text: string): LeaseAttributes {
  const json = asObject(parseJson(text, 'the lease'), '')
  const backend = json.string('BackendType') ?? ''
  const ipv4 = endpoint(json, 'ipv4', backend)
  const ipv6 = endpoint(json, 'ipv6', backend)
  return { backend, ...(ipv4 && { ipv4 }), ...(ipv6 && { ipv6 }) }
}

function endpoint(json: JsonObject, family: Family, backend: string): Endpoint | undefined {
  const publicIp = family === 'ipv4' ? publicIpv4(json) : publicIpv6(json)
  const data = backend === 'vxlan' ? json.object(DATA[family]) : undefined
  if (!publicIp) return undefined
  return { publicIp, ...(data && { vtep: vtep(data) }) }
}

function publicIpv4(json: JsonObject): string | undefined {
  const text = json.string('PublicIP')
  if (text === undefined || text === '0.0.0.0') return undefined
  if (!readIpv4(text)) throw unusable(json.pathOf('PublicIP'), text, 'an IPv4 address')
  return text
}

function publicIpv6(json: JsonObject): string | undefined {
  const text = json.string('PublicIPv6')
  if (text === undefined) return undefined
  const bytes = readIpv6(readIpv4(text) ? `::ffff:${text}` : text)
  if (!bytes) throw unusable(json.pathOf('PublicIPv6'), text, 'an IPv6 address')
  return bytes.some((byte) => byte !== 0) ? formatIpv6(bytes) : undefined
}

function vtep(data: JsonObject): NonNullable<Endpoint['vtep']> {
  const path = data.pathOf('VtepMAC')
  const text = data.string('VtepMAC')
  if (text === undefined) throw missing(path)
  return { vni: data.integer('VNI', { min: 0, max: 2 ** 24 - 1 }), mac: stationMac(text, path) }
}

/** Go's net.ParseMAC reads 8 and 20 bytes too; neither they nor a group's address can be a neighbour's. */
function stationMac(text: string, path: string): string {
  const wanted = 'the MAC address of one station, of 6 bytes'
  let mac: Uint8Array
  try {
    mac = parseMac(text)
  } catch {
    throw unusable(path, text, wanted)
  }
  if (isMulticastMac(mac) || mac.every((byte) => byte === 0)) throw unusable(path, text, wanted)
  return formatMac(mac)
}

function unusable(path: string, text: string, wanted: string): JsonError {
  return new JsonError('value', `Cannot use "${path}": it is "${text}", give ${wanted}`)
}

function missing(path: string): JsonError {
  return new JsonError('value', `Cannot use the lease: there is no "${path}"`)
}
