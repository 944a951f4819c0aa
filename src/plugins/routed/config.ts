/** The options of a routed network. */
import { invalid } from '../../cni/errors.ts'
import type { CniDns, NetworkConfig } from '../../cni/plugin.ts'

export interface RoutedConfig extends NetworkConfig {
  /** Of the veth pair; 0: the kernel's. */
  readonly mtu: number
  /** The container's default routes lead here; or only those routes do that the IPAM plugin names. */
  readonly isDefaultGateway: boolean
  /** Overrules what the IPAM plugin says; undefined where it does not. */
  readonly ownDns: CniDns | undefined
}

/** IPv4 takes no less: RFC 791 §3.2. */
const SMALLEST_MTU = 68
const LARGEST_MTU = 65535

export function parseRoutedConfig(config: NetworkConfig): RoutedConfig {
  const { json, dns } = config
  return {
    ...config,
    mtu: json.integer('mtu') ?? 0,
    isDefaultGateway: json.boolean('isDefaultGateway') ?? true,
    ownDns: dns && Object.values(dns).some((member) => member !== '') ? dns : undefined,
  }
}

/** What only ADD and STATUS refuse: DEL must be able to clean up whatever the configuration has become. */
export function requireUsable({ mtu, ipamType }: RoutedConfig): void {
  if (mtu !== 0 && (mtu < SMALLEST_MTU || mtu > LARGEST_MTU)) {
    throw invalid(`Cannot use "mtu" ${mtu}: give ${SMALLEST_MTU} to ${LARGEST_MTU}, or 0 for the kernel's`)
  }
  if (ipamType === undefined) throw invalid('Cannot route to a container without addresses: give "ipam"')
}
