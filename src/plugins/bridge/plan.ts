/**
 * What a bridge network promises, as desired states: pure functions of the configuration and the IPAM plugin's result.
 * ADD applies them, CHECK compares them.
 */
import { type Family, familyOf, formatIp, nextIp, parseIp } from '../../address/ip.ts'
import { contains, formatPrefix, networkOf, type Prefix, parsePrefix } from '../../address/prefix.ts'
import { CniCode, CniError } from '../../cni/errors.ts'
import type { CniIp, CniResult, CniRoute } from '../../cni/plugin.ts'
import type { Address } from '../../kernel/address.ts'
import type { PortVlan, State } from '../../reconcile/state.ts'
import { gatewayOf } from '../attachment/addressing.ts'
import type { BridgeConfig } from './config.ts'

const DEFAULT_ROUTES: Readonly<Record<Family, string>> = { ipv4: '0.0.0.0/0', ipv6: '::/0' }

const FORWARDING: Readonly<Record<Family, string>> = {
  ipv4: 'net/ipv4/ip_forward',
  ipv6: 'net/ipv6/conf/all/forwarding',
}

/** VLAN that a port has while it has no other: IFLA_BR_VLAN_DEFAULT_PVID. */
const DEFAULT_VLAN = 1

/** The IPAM plugin's result with the gateways and default routes that the configuration adds. */
export function completeResult(
  config: BridgeConfig,
  { ips, routes, dns }: CniResult,
  containerIndex: number,
): CniResult {
  const completeIps = ips.map((ip): CniIp => {
    const gateway = ip.gateway ?? (config.isGateway ? firstHost(ip.address) : undefined)
    return { ...ip, ...(gateway !== undefined && { gateway }), interface: containerIndex }
  })
  return {
    interfaces: [],
    ips: completeIps,
    routes: config.isDefaultGateway ? withDefaultRoutes(routes, completeIps) : routes,
    dns: config.ownDns ?? dns,
  }
}

/**
 * Addresses of the node in the containers' subnets: `10.1.2.1/24`. With `forceAddress` each makes way for a later one that
 * it conflicts with, as an address that was there before would.
 */
export function gatewaysOf(config: BridgeConfig, ips: readonly CniIp[]): string[] {
  if (!config.isGateway) return []
  const gateways = ips.map(({ address, gateway }) =>
    formatPrefix({ address: parseIp(gateway ?? firstHost(address)), length: parsePrefix(address).length }),
  )
  const each = [...new Set(gateways)]
  if (!config.forceAddress) return each
  const prefixes = each.map(parsePrefix)
  return each.filter((_, i) => !prefixes.slice(i + 1).some((later) => conflict(prefixes[i]!, later)))
}

/** The link that has the gateways' addresses: with a VLAN, one end of a pair whose other end is a port of it. */
export function gatewayLinkOf({ bridge, vlan }: BridgeConfig): string {
  return vlan === 0 ? bridge : `${bridge}.${vlan}`
}

/**
 * The addresses that must go before the gateways can be set. An interface has one IPv4 gateway; IPv6 subnets must not
 * overlap. CniError when something must go and `forceAddress` does not allow it.
 */
export function addressesInTheWay(
  config: BridgeConfig,
  there: readonly Address[],
  gateways: readonly string[],
): string[] {
  const others = new Set(there.map(({ prefix }) => prefix))
  const inTheWay: string[] = []
  for (const gateway of gateways) {
    if (others.has(gateway)) continue
    const other = [...others].filter((prefix) => conflict(parsePrefix(prefix), parsePrefix(gateway)))
    if (other.length > 0 && !config.forceAddress) {
      throw new CniError(
        CniCode.conflict,
        `Cannot give "${gatewayLinkOf(config)}" the gateway address ${gateway}: it has ${other.join(', ')} already. ` +
          'If the network has got another subnet, remove the old address or the bridge, or set "forceAddress"',
      )
    }
    for (const prefix of other) others.delete(prefix)
    inTheWay.push(...other)
    others.add(gateway)
  }
  return inTheWay
}

/** The bridge: shared with other containers, so nothing of it is ever taken back. `mac` is what it is born with. */
export function bridgeState(config: BridgeConfig, mac?: string): State {
  const { bridge: name, mtu, promiscMode, vlanFiltering } = config
  return {
    links: [
      {
        name,
        kind: 'bridge',
        birth: {
          name,
          kind: 'bridge',
          ...(mac !== undefined && { mac }),
          ...(mtu !== 0 && { mtu }),
          ...(vlanFiltering && { bridge: { vlanFiltering } }),
        },
        ...(promiscMode && { promiscuous: true }),
      },
    ],
    // The node's routes on the bridge are ours, not those of a container that plays the router.
    sysctls: [{ key: `net/ipv6/conf/${name}/accept_ra`, value: '0', optional: true }],
    linkStates: [{ link: name, up: true }],
  }
}

/**
 * The gateways' addresses, and that the node forwards. Duplicates are not looked for, as in the container, unless the
 * network asks for it.
 */
export function gatewayState(config: BridgeConfig, gateways: readonly string[]): State {
  const link = gatewayLinkOf(config)
  const noDad = !config.enabledad
  const families = new Set(gateways.map((gateway) => familyOf(parsePrefix(gateway).address)))
  return {
    addresses: gateways.map((prefix) => ({ link, prefix, ...(prefix.includes(':') && { noDad }) })),
    sysctls: [...families].map((family) => ({ key: FORWARDING[family], value: '1' })),
  }
}

/** The container's pair as the node sees it. */
export function hostEndState(config: BridgeConfig, name: string): State {
  return {
    links: [
      {
        name,
        kind: 'veth',
        master: config.bridge,
        port: { hairpin: config.hairpinMode, isolated: config.portIsolation },
        ...(config.mtu !== 0 && { mtu: config.mtu }),
      },
    ],
    sysctls: [{ key: `net/ipv6/conf/${name}/accept_ra`, value: '0', optional: true }],
    linkStates: [{ link: name, up: true }],
  }
}

/** The port's VLANs, those of a container's port or of the VLAN gateway's. */
export function vlanState(config: BridgeConfig, port: string, trunk: readonly number[] = config.trunk): State {
  if (config.vlan === 0 && trunk.length === 0) return {}
  const untagged = config.vlan || DEFAULT_VLAN
  const vlans: PortVlan[] = [{ link: port, vlan: untagged, pvid: true, untagged: true }]
  for (const vlan of trunk) if (vlan !== untagged) vlans.push({ link: port, vlan, pvid: false, untagged: false })
  return { vlans, ...(config.preserveDefaultVlan ? {} : { owned: { vlans: { links: [port] } } }) }
}

function firstHost(address: string): string {
  return formatIp(nextIp(networkOf(parsePrefix(address)).address))
}

/** One per family: IPAM's own, which gets its gateway where it has none, or a new one. */
function withDefaultRoutes(routes: readonly CniRoute[], ips: readonly CniIp[]): CniRoute[] {
  const complete = [...routes]
  for (const family of new Set(ips.map(({ address }) => familyOf(parsePrefix(address).address)))) {
    const gw = gatewayOf(ips, family)
    const dst = DEFAULT_ROUTES[family]
    const there = complete.findIndex((route) => route.dst === dst)
    if (there < 0) complete.push({ dst, ...(gw !== undefined && { gw }) })
    else if (complete[there]!.gw === undefined)
      complete[there] = { ...complete[there]!, ...(gw !== undefined && { gw }) }
  }
  return complete
}

function conflict(there: Prefix, gateway: Prefix): boolean {
  if (there.address.length !== gateway.address.length) return false
  return there.address.length === 4 || contains(there, gateway.address) || contains(gateway, there.address)
}
