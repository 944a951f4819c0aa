/**
 * subnet.env: what the daemon tells the CNI plugin flannel, and itself when it starts again. Byte for byte as flannel writes it,
 * pkg/subnet/subnet.go:
 *
 *   FLANNEL_NETWORK=10.5.0.0/16
 *   FLANNEL_SUBNET=10.5.72.1/24           the subnet's second address: the bridge's
 *   FLANNEL_IPV6_NETWORK=fd00:5::/48
 *   FLANNEL_IPV6_SUBNET=fd00:5:0:7::1/64
 *   FLANNEL_MTU=1450
 *   FLANNEL_IPMASQ=true
 *
 * It is read as the shell and as godotenv, which flannel uses, read it: `export`, quotes and comments may be there.
 */
import { nextIp } from '../address/ip.ts'
import { formatPrefix, networkOf, parsePrefix, readPrefix } from '../address/prefix.ts'
import type { NetworkConfig } from './config.ts'
import type { Subnets } from './lease-key.ts'

export interface SubnetFile {
  readonly config: Pick<NetworkConfig, 'ipv4' | 'ipv6'>
  /** Of this node, for the families of the configuration. */
  readonly subnets: Subnets
  /** Bytes that a pod's packet may have, of either family. */
  readonly mtu: number
  /** Whether the daemon masquerades, so that the CNI plugin need not. */
  readonly ipMasq: boolean
}

export function formatSubnetFile({ config, subnets, mtu, ipMasq }: SubnetFile): string {
  const family = (name: string, network: string | undefined, subnet: string | undefined) =>
    network === undefined || subnet === undefined
      ? []
      : [`FLANNEL_${name}NETWORK=${network}`, `FLANNEL_${name}SUBNET=${bridgeAddress(subnet)}`]
  const lines = [
    ...family('', config.ipv4?.network, subnets.ipv4),
    ...family('IPV6_', config.ipv6?.network, subnets.ipv6),
    `FLANNEL_MTU=${mtu}`,
    `FLANNEL_IPMASQ=${ipMasq}`,
  ]
  return lines.map((line) => `${line}\n`).join('')
}

function bridgeAddress(subnet: string): string {
  const { address, length } = parsePrefix(subnet)
  return formatPrefix({ address: nextIp(address), length })
}

/** What an earlier daemon's file says, without host bits; what cannot be read is left out. */
export function parseSubnetFile(text: string): { readonly networks: Subnets; readonly subnets: Subnets } {
  const values = parseVariables(text)
  const family = (ipv4: string, ipv6: string): Subnets => {
    const found = { ipv4: onePrefix(values.get(ipv4), 4), ipv6: onePrefix(values.get(ipv6), 16) }
    return { ...(found.ipv4 && { ipv4: found.ipv4 }), ...(found.ipv6 && { ipv6: found.ipv6 }) }
  }
  return {
    networks: family('FLANNEL_NETWORK', 'FLANNEL_IPV6_NETWORK'),
    subnets: family('FLANNEL_SUBNET', 'FLANNEL_IPV6_SUBNET'),
  }
}

/** Of a list, `10.1.0.0/16,10.2.0.0/16`, nothing: it does not say which one was meant. */
function onePrefix(text: string | undefined, bytes: number): string | undefined {
  const prefix = readPrefix(text ?? '')
  return prefix?.address.length === bytes ? formatPrefix(networkOf(prefix)) : undefined
}

/** A line: `export KEY = value # comment`, the value bare, in single or in double quotes. */
const LINE = /^\s*(?:export\s+)?([A-Za-z0-9_.]+)\s*[=:]\s*(?:'([^']*)'|"((?:\\.|[^"\\])*)"|(.*?))(?:\s+#.*)?\s*$/

/** Of several lines for one name the last counts. */
function parseVariables(text: string): ReadonlyMap<string, string> {
  const values = new Map<string, string>()
  for (const line of text.split('\n')) {
    const [, name, single, double, bare] = LINE.exec(line) ?? []
    if (name !== undefined) values.set(name, single ?? double?.replace(/\\(.)/g, '$1') ?? bare ?? '')
  }
  return values
}
