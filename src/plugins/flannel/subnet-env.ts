/**
 * subnet.env: what flannel's daemon, or ours, says of this node's subnet. Lines `KEY=VALUE`, without quotes and comments:
 *
 *   FLANNEL_NETWORK=10.244.0.0/16           one or more, with commas between them
 *   FLANNEL_SUBNET=10.244.3.1/24            the node's part of it
 *   FLANNEL_IPV6_NETWORK=fd00:5::/48
 *   FLANNEL_IPV6_SUBNET=fd00:5:0:3::1/64
 *   FLANNEL_MTU=1450
 *   FLANNEL_IPMASQ=true                     the daemon masquerades: the plugin need not. Anything else is false
 *
 * Other lines say nothing. The words of the errors are those of flannel's plugin, by which people look for help.
 */
import { formatPrefix, networkOf } from '../../address/prefix.ts'
import { readAnyPrefix } from '../../cni/address.ts'
import { CniCode, CniError } from '../../cni/errors.ts'
import type { Files } from '../../cni/host.ts'
import { KernelError } from '../../kernel/errors.ts'

const MAX_UINT32 = 0xffff_ffff

export interface SubnetEnv {
  /** Where all nodes' containers are: `10.244.0.0/16`, IPv4 before IPv6. At least one. */
  readonly networks: readonly string[]
  /** This node's part of them, as networks: at most one of IPv4 and one of IPv6. At least one. */
  readonly subnets: readonly string[]
  /** Bytes. */
  readonly mtu: number
  readonly ipMasq: boolean
}

/** CniError when there is no such file (code 11: the daemon may still write it) or it cannot be used. */
export function readSubnetEnv(files: Files, path: string): SubnetEnv {
  const text = readText(files, path)
  if (text === undefined) throw unusable(CniCode.tryAgainLater, `open ${path}: no such file or directory`)
  return parseSubnetEnv(text, path)
}

/** `path` is for the messages. */
export function parseSubnetEnv(text: string, path: string): SubnetEnv {
  const values = readValues(text, path)
  const networks = ['FLANNEL_NETWORK', 'FLANNEL_IPV6_NETWORK'].flatMap((key) => {
    return values.get(key)?.split(',').map(parseNetwork) ?? []
  })
  const subnets = ['FLANNEL_SUBNET', 'FLANNEL_IPV6_SUBNET'].flatMap((key) => {
    const value = values.get(key)
    return value === undefined ? [] : [parseNetwork(value)]
  })
  const mtu = values.get('FLANNEL_MTU')
  const ipMasq = values.get('FLANNEL_IPMASQ')
  const missing = [
    ...(networks.length === 0 ? ['FLANNEL_NETWORK', 'FLANNEL_IPV6_NETWORK'] : []),
    ...(subnets.length === 0 ? ['FLANNEL_SUBNET', 'FLANNEL_IPV6_SUBNET'] : []),
    ...(mtu === undefined ? ['FLANNEL_MTU'] : []),
    ...(ipMasq === undefined ? ['FLANNEL_IPMASQ'] : []),
  ]
  if (mtu !== undefined) requireMtu(mtu)
  if (missing.length > 0) throw useless(`${path} is missing ${missing.join(', ')}`)
  return { networks: [...new Set(networks)], subnets, mtu: Number(mtu), ipMasq: ipMasq === 'true' }
}

const KEYS = /^FLANNEL_(?:(?:IPV6_)?(?:NETWORK|SUBNET)|MTU|IPMASQ)$/

/** What the known keys say; of several lines for one key the last counts. */
function readValues(text: string, path: string): Map<string, string> {
  const values = new Map<string, string>()
  text.split(/\r?\n/).forEach((line, i) => {
    const equals = line.indexOf('=')
    const key = equals < 0 ? line : line.slice(0, equals)
    if (!KEYS.test(key)) return
    if (equals < 0) throw useless(`line ${i + 1} of ${path} is "${line}", without "=" and a value`)
    values.set(key, line.slice(equals + 1))
  })
  return values
}

function parseNetwork(text: string): string {
  const prefix = readAnyPrefix(text)
  if (!prefix) throw useless(`invalid CIDR address: ${text}`)
  return formatPrefix(networkOf(prefix))
}

function requireMtu(text: string): void {
  if (/^[0-9]+$/.test(text) && Number(text) <= MAX_UINT32) return
  throw useless(`FLANNEL_MTU is "${text}", no number of bytes`)
}

function readText(files: Files, path: string): string | undefined {
  try {
    return files.read(path)
  } catch (cause) {
    if (!(cause instanceof KernelError)) throw cause
    throw unusable(CniCode.ioFailure, `open ${path}: ${cause.errno}`)
  }
}

const useless = (reason: string) => unusable(CniCode.invalidConfig, reason)

function unusable(code: number, reason: string): CniError {
  return new CniError(
    code,
    `failed to load flannel 'subnet.env' file: ${reason}. Check the flannel pod log for this node.`,
  )
}
