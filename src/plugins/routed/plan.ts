/**
 * What a routed network promises, as desired states: pure functions of the configuration and the IPAM plugin's result. ADD
 * applies them, CHECK compares them.
 *
 * The container's gateways are no address that anybody has: what stands behind them is the MAC of the host's end, which is the
 * same for all. The container knows it from the beginning. Calico leaves that to proxy ARP, for which Linux wants a route to
 * 169.254.1.1 by another device (net/ipv4/arp.c, arp_fwd_proxy): a node without a default route has no containers then.
 */
import { type Family, familyOf } from '../../address/ip.ts'
import { formatPrefix, hostPrefix, parsePrefix } from '../../address/prefix.ts'
import type { CniIp, CniResult, CniRoute } from '../../cni/plugin.ts'
import type { State } from '../../reconcile/state.ts'
import { addressState, routeState } from '../attachment/addressing.ts'
import type { RoutedConfig } from './config.ts'

/** Of all host's ends: each is alone with its container. */
export const HOST_MAC = 'ee:ee:ee:ee:ee:ee'

/** RFC 3927's range; and the link-local address that RFC 4291 appendix A makes of HOST_MAC. */
export const GATEWAYS: Readonly<Record<Family, string>> = {
  ipv4: '169.254.1.1',
  ipv6: 'fe80::ecee:eeff:feee:eeee',
}

const DEFAULT_ROUTES: Readonly<Record<Family, string>> = { ipv4: '0.0.0.0/0', ipv6: '::/0' }

const FORWARDING: Readonly<Record<Family, string>> = {
  ipv4: 'net/ipv4/ip_forward',
  ipv6: 'net/ipv6/conf/all/forwarding',
}

/** Whatever subnet the IPAM plugin speaks of, an address is alone, and every route leads to the node. */
export function completeResult(
  config: RoutedConfig,
  { ips, routes, dns }: CniResult,
  containerIndex: number,
): CniResult {
  const completeIps = ips.map(
    ({ address }): CniIp => ({
      address: alone(address),
      gateway: GATEWAYS[familyIn(address)],
      interface: containerIndex,
    }),
  )
  const towards = routes.map((route): CniRoute => ({ ...route, gw: GATEWAYS[familyIn(route.dst)] }))
  const missing = familiesOf(completeIps).filter((family) => !towards.some(({ dst }) => dst === DEFAULT_ROUTES[family]))
  const defaults = missing.map((family): CniRoute => ({ dst: DEFAULT_ROUTES[family], gw: GATEWAYS[family] }))
  return {
    interfaces: [],
    ips: completeIps,
    routes: config.isDefaultGateway ? [...towards, ...defaults] : towards,
    dns: config.ownDns ?? dns,
  }
}

/** The host's end. It must know how it is to behave before the container's end is up. */
export function hostEndState({ mtu }: RoutedConfig, name: string, ips: readonly CniIp[]): State {
  const families = familiesOf(ips)
  const ipv4 = `net/ipv4/conf/${name}`
  const ipv6 = `net/ipv6/conf/${name}`
  return {
    links: [{ name, kind: 'veth', mac: HOST_MAC, ...(mtu !== 0 && { mtu }) }],
    sysctls: [
      { key: `${ipv6}/accept_ra`, value: '0', optional: true },
      ...(families.includes('ipv4')
        ? [
            { key: `${ipv4}/forwarding`, value: '1' },
            // For containers that forget what they knew of the gateway.
            { key: `${ipv4}/proxy_arp`, value: '1' },
            { key: `net/ipv4/neigh/${name}/proxy_delay`, value: '0' },
            // It sends from no address but its own.
            { key: `${ipv4}/rp_filter`, value: '1' },
          ]
        : []),
      ...(families.includes('ipv6')
        ? [
            { key: `${ipv6}/disable_ipv6`, value: '0' },
            { key: `${ipv6}/accept_dad`, value: '0' },
            { key: `${ipv6}/forwarding`, value: '1' },
            { key: `${ipv6}/proxy_ndp`, value: '1' },
          ]
        : []),
    ],
    // As the kernel would make it of the MAC, were it not told to make another.
    addresses: families.includes('ipv6')
      ? [{ link: name, prefix: `${GATEWAYS.ipv6}/64`, scope: 'link' as const, noDad: true }]
      : [],
    linkStates: [{ link: name, up: true }],
  }
}

/** The way to the container's addresses, and that the node goes it. */
export function wayState(name: string, ips: readonly CniIp[]): State {
  return {
    sysctls: familiesOf(ips).map((family) => ({ key: FORWARDING[family], value: '1' })),
    routes: ips.map(({ address }) => ({
      destination: alone(address),
      link: name,
      ...(familyIn(address) === 'ipv4' && { scope: 'link' as const }),
    })),
  }
}

/** Everything but the routes, which need an interface that is up. */
export function containerState(ifName: string, result: CniResult): State {
  return { ...addressState(ifName, result, false), neighbours: neighboursOf(ifName, result.ips) }
}

export function containerRoutes(ifName: string, { ips, routes }: CniResult): State {
  const { routes: towards = [] } = routeState(ifName, { ips, routes })
  const gateway = { destination: `${GATEWAYS.ipv4}/32`, link: ifName, scope: 'link' as const }
  return { routes: familiesOf(ips).includes('ipv4') ? [gateway, ...towards] : towards }
}

function neighboursOf(link: string, ips: readonly CniIp[]) {
  return familiesOf(ips).map((family) => ({
    link,
    address: GATEWAYS[family],
    mac: HOST_MAC,
    state: 'permanent' as const,
  }))
}

function alone(prefix: string): string {
  return formatPrefix(hostPrefix(parsePrefix(prefix).address))
}

function familyIn(prefix: string): Family {
  return familyOf(parsePrefix(prefix).address)
}

function familiesOf(ips: readonly CniIp[]): Family[] {
  return [...new Set(ips.map(({ address }) => familyIn(address)))]
}
