/** The options of a bridge network: https://www.cni.dev/plugins/current/main/bridge/ */
import { invalid } from '../../cni/errors.ts'
import type { CniDns, NetworkConfig } from '../../cni/plugin.ts'
import type { JsonObject } from '../../json/json.ts'

export interface BridgeConfig extends NetworkConfig {
  readonly bridge: string
  /** The bridge has each subnet's gateway address, and the node forwards. */
  readonly isGateway: boolean
  /** Containers have a default route to it. */
  readonly isDefaultGateway: boolean
  /** An address of the bridge that is in the gateway's way goes. */
  readonly forceAddress: boolean
  readonly ipMasq: boolean
  /** As it stands there: see parseBackend. */
  readonly ipMasqBackend: string | undefined
  /** Of the veth pair, and of the bridge when it is made; 0: the kernel's. */
  readonly mtu: number
  readonly hairpinMode: boolean
  readonly promiscMode: boolean
  /** VLAN of the container's untagged frames; 0: none. */
  readonly vlan: number
  /** VLANs whose frames go through with their tag. */
  readonly trunk: readonly number[]
  readonly vlanFiltering: boolean
  readonly preserveDefaultVlan: boolean
  readonly macspoofchk: boolean
  readonly enabledad: boolean
  readonly disableContainerInterface: boolean
  readonly portIsolation: boolean
  /** Overrules what the IPAM plugin says; undefined where it does not. */
  readonly ownDns: CniDns | undefined
}

/** IEEE 802.1Q: 0 means no VLAN, 4095 is reserved. */
const MAX_VLAN = 4094

export function parseBridgeConfig(config: NetworkConfig): BridgeConfig {
  const { json, dns } = config
  const flag = (key: string) => json.boolean(key) ?? false
  const vlan = json.integer('vlan') ?? 0
  if (vlan < 0 || vlan > MAX_VLAN) {
    throw invalid(`Cannot use "vlan" ${vlan}: give a number from 1 to ${MAX_VLAN}, or 0 for none`)
  }
  const trunk = parseTrunk(json)
  const isDefaultGateway = flag('isDefaultGateway')
  return {
    ...config,
    bridge: json.string('bridge') ?? 'cni0',
    isGateway: isDefaultGateway || flag('isGateway'),
    isDefaultGateway,
    forceAddress: flag('forceAddress'),
    ipMasq: flag('ipMasq'),
    ipMasqBackend: json.string('ipMasqBackend'),
    mtu: json.integer('mtu') ?? 0,
    hairpinMode: flag('hairpinMode'),
    promiscMode: flag('promiscMode'),
    vlan,
    trunk,
    vlanFiltering: vlan !== 0 || json.has('vlanTrunk'),
    preserveDefaultVlan: flag('preserveDefaultVlan'),
    macspoofchk: flag('macspoofchk'),
    enabledad: flag('enabledad'),
    disableContainerInterface: flag('disableContainerInterface'),
    portIsolation: flag('portIsolation'),
    ownDns: dns && Object.values(dns).some((member) => member !== '') ? dns : undefined,
  }
}

/** What only ADD refuses: DEL must be able to clean up whatever the configuration has become. */
export function requireUsable(config: BridgeConfig): void {
  requireName(config)
  if (config.hairpinMode && config.promiscMode) {
    throw invalid('Cannot set "hairpinMode" and "promiscMode" at the same time: leave one of them out')
  }
  if (config.disableContainerInterface && config.ipamType !== undefined) {
    throw invalid('Cannot use "ipam" with "disableContainerInterface": an interface that is down has no addresses')
  }
  if (config.ipamType === undefined && ['0.1.0', '0.2.0'].includes(config.cniVersion)) {
    throw invalid(
      `Cannot set up layer 2 alone in CNI ${config.cniVersion}, whose results must have an address: ` +
        'add "ipam", or use "cniVersion" 0.3.0 or newer',
    )
  }
  if (config.mtu < 0) throw invalid(`Cannot use "mtu" ${config.mtu}: give a number of bytes, or 0 for the kernel's`)
}

/** The name becomes a link's and a part of sysctl paths: net/core/dev.c, dev_valid_name(). DEL and GC look for no bridge. */
export function requireName({ bridge: name }: BridgeConfig): void {
  if (/^[^\s/:]{1,15}$/.test(name) && name !== '.' && name !== '..') return
  throw invalid(`Cannot use "bridge" "${name}": give a name of at most 15 characters without "/", ":" and white space`)
}

/** The ids of `[{id}, {minID, maxID}, …]` in order, each once. */
function parseTrunk(json: JsonObject): number[] {
  const ids = new Set<number>()
  for (const entry of json.objects('vlanTrunk') ?? []) {
    const [id, min, max] = (['id', 'minID', 'maxID'] as const).map((key) => vlanAt(entry, key))
    if ((min === undefined) !== (max === undefined)) {
      throw invalid(`Cannot use "${entry.path}": give both "minID" and "maxID", or "id" alone`)
    }
    if (min !== undefined && max !== undefined) {
      if (min > max) throw invalid(`Cannot use "${entry.path}": "minID" ${min} is greater than "maxID" ${max}`)
      for (let vlan = min; vlan <= max; vlan++) ids.add(vlan)
    }
    if (id !== undefined) ids.add(id)
  }
  return [...ids].sort((a, b) => a - b)
}

function vlanAt(json: JsonObject, key: string): number | undefined {
  const vlan = json.integer(key)
  if (vlan === undefined || (vlan > 0 && vlan <= MAX_VLAN)) return vlan
  throw invalid(`Cannot use "${json.pathOf(key)}" ${vlan}: give a number from 1 to ${MAX_VLAN}`)
}
