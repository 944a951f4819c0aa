/**
 * bridge: joins a container to a Linux bridge on the node by a veth pair.
 * Behaves as https://www.cni.dev/plugins/current/main/bridge/
 *
 *   container  eth0 ──veth──> vethXXXXXXXXXXX ──port──> cni0  node
 *
 * bridge/config.ts reads the options, bridge/plan.ts says what they promise, attachment/ has what other plugins promise
 * too. Here is when it is done: first what can fail for reasons of the configuration, then what the container alone has,
 * which a failure takes back, then what it shares, which stays.
 */
import { isMulticastMac, parseMac } from '../address/mac.ts'
import { parseArgs } from '../cni/args.ts'
import {
  deleteLink,
  getContainer,
  hostVethName,
  interfaceOf,
  isHostVethName,
  openContainer,
  removeVeth,
  requestedMac,
} from '../cni/container.ts'
import { CniCode, CniError } from '../cni/errors.ts'
import type { Host } from '../cni/host.ts'
import type { CniInterface, CniResult, Plugin, Request } from '../cni/plugin.ts'
import { teardown } from '../cni/rollback.ts'
import type { Kernel } from '../kernel/kernel.ts'
import type { BridgePort, Link } from '../kernel/link.ts'
import { reconcile } from '../reconcile/apply.ts'
import type { State } from '../reconcile/state.ts'
import { addRoutes, addressState, awaitAddresses, routeState } from './attachment/addressing.ts'
import { addMasquerade, parseBackend, removeMasquerade, removeStaleMasquerade } from './attachment/masquerade.ts'
import { removeSpoofCheck, removeSpoofChecks, spoofCheckState } from './attachment/spoof-check.ts'
import { addPair, closing, randomMac, removeStaleLinks } from './attachment/veth.ts'
import { checkBridge } from './bridge/check.ts'
import { type BridgeConfig, parseBridgeConfig, requireName, requireUsable } from './bridge/config.ts'
import {
  addressesInTheWay,
  bridgeState,
  completeResult,
  gatewayLinkOf,
  gatewayState,
  gatewaysOf,
  hostEndState,
  vlanState,
} from './bridge/plan.ts'

/** Index of the container's end in the result: behind the bridge and the host's end. */
const CONTAINER = 2

/** Milliseconds between looks at the port, as long in all as the reference waits. */
const PORT_PAUSES = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 1000]

type BridgeRequest = Request<BridgeConfig>

export const bridge: Plugin<BridgeConfig> = {
  name: 'bridge',

  parseConfig: parseBridgeConfig,

  add(request, { kernel, host, ipam }) {
    const { config } = request
    requireUsable(config)
    const masquerades = config.ipMasq && config.ipamType !== undefined
    const backend = masquerades ? parseBackend(config.ipMasqBackend) : undefined
    const mac = requestedMac(parseArgs(request.args, ['MAC']), config.json) ?? randomMac(host)
    const container = openContainer(request, kernel)
    return closing(container, (undo) => {
      const before = requireBridgeOrNothing(kernel, config.bridge)
      const name = hostVethName(config.name, request)
      const hostEnd = addPair(request, kernel, container, { name, mac, mtu: config.mtu })
      // Also when IPAM's ADD fails: CNI specification, section 4. And last: an address that is free again must be nobody's.
      if (config.ipamType !== undefined) undo(() => ipam.del())
      undo(() => deleteLink(kernel, hostEnd.name))

      let result: CniResult = { ...emptyPromise, dns: config.ownDns ?? {} }
      if (config.ipamType !== undefined) {
        result = completeResult(config, ipam.add(), CONTAINER)
        if (result.ips.length === 0) {
          throw new CniError(CniCode.delegateFailed, `Cannot set up layer 3: "${config.ipamType}" gave no IP address`)
        }
      }
      const gateways = gatewaysOf(config, result.ips)
      const routes = routeState(request.ifName, result)

      setUpPort(config, kernel, host, before, hostEnd, gateways)
      if (config.macspoofchk) {
        undo(() => removeSpoofCheck(kernel.nftables, request))
        reconcile(kernel, spoofCheckState(hostEnd.name, mac, request, host))
      }
      setUpContainer(request, container, host, result, routes)
      const gatewayLinks = setUpGateways(config, kernel, host, before, gateways)
      if (masquerades) addMasquerade(kernel, host, masqueraded(request, result), backend, undo)

      if (!config.disableContainerInterface) awaitPort(kernel, host, hostEnd.name)
      const interfaces = [
        interfaceOf(kernel.links.get(config.bridge)!), // its MAC and MTU may follow those of its ports
        interfaceOf(hostEnd),
        { name: request.ifName, mac, mtu: hostEnd.mtu, sandbox: request.netns },
        ...gatewayLinks,
      ]
      return { ...result, interfaces }
    })
  },

  check(request, surroundings) {
    parseArgs(request.args, ['MAC'])
    checkBridge(request, surroundings)
  },

  del(request, { kernel, host, ipam }) {
    const { config } = request
    parseArgs(request.args, ['MAC'])
    const whose = masqueraded(request, config.prevResult ?? emptyPromise)
    const container = getContainer(request, kernel) // before anything else: a wrong CNI_NETNS may mean another container
    // What nftables loses is gone after the same wait of the kernel's as the link that is deleted behind it.
    teardown(
      () => config.macspoofchk && removeSpoofCheck(kernel.nftables, request),
      () => config.ipMasq && config.ipamType !== undefined && removeMasquerade(kernel, host, whose),
      () => removeVeth(request, kernel, container),
      () => config.ipamType !== undefined && ipam.del(),
      () => container?.close(),
    )
  },

  gc({ config, validAttachments }, { kernel, host, ipam }) {
    const valid = new Set(validAttachments.map((attachment) => hostVethName(config.name, attachment)))
    const isStale = (name: string) => isHostVethName(name, config.name) && !valid.has(name)
    teardown(
      () => config.macspoofchk && removeSpoofChecks(kernel.nftables, isStale, host),
      () => config.ipMasq && removeStaleMasquerade(kernel, host, config.name, validAttachments),
      () => removeStalePorts(kernel, config.bridge, isStale),
      () => config.ipamType !== undefined && ipam.gc(),
    )
  },

  status({ config }, { kernel, ipam }) {
    requireName(config)
    const link = kernel.links.get(config.bridge)
    if (link && link.kind !== 'bridge') {
      throw new CniError(CniCode.notAvailable, noBridge(link).message)
    }
    if (config.ipamType !== undefined) ipam.status()
  },
}

const emptyPromise: CniResult = { interfaces: [], ips: [], routes: [], dns: {} }

/** The bridge where it is there already. CniError when something else has its name. */
function requireBridgeOrNothing(kernel: Kernel, name: string): Link | undefined {
  const link = kernel.links.get(name)
  if (link && link.kind !== 'bridge') throw noBridge(link)
  return link
}

function noBridge({ name, kind = 'hardware' }: Link): CniError {
  return new CniError(
    CniCode.conflict,
    `Cannot use "${name}" as a bridge: there is a link of that name and it is a ${kind} one. Give "bridge" another name`,
  )
}

/** The bridge, which the container shares with others, and its own port of it. */
function setUpPort(
  config: BridgeConfig,
  kernel: Kernel,
  host: Host,
  before: Link | undefined,
  hostEnd: Link,
  gateways: readonly string[],
): void {
  const pinned = gateways.length > 0 && config.vlan === 0
  const state = bridgeState(config, pinned ? randomMac(host) : undefined)
  reconcile(kernel, state, undefined, before && { links: [{ link: before, master: undefined, port: undefined }] })
  addPort(config, kernel, hostEnd)
}

/** The bridge's addresses, and forwarding: they stay when an ADD fails, so they come when the container has all it needs. */
function setUpGateways(
  config: BridgeConfig,
  kernel: Kernel,
  host: Host,
  before: Link | undefined,
  gateways: readonly string[],
): CniInterface[] {
  if (gateways.length === 0) return []
  const link = gatewayLinkOf(config)
  const vlanGateway = config.vlan === 0 ? undefined : ensureVlanGateway(config, kernel, link)
  const there = kernel.addresses.list(link)
  for (const prefix of addressesInTheWay(config, there, gateways)) kernel.addresses.delete({ link, prefix })
  const { addresses = [], sysctls = [] } = gatewayState(config, gateways)
  const done = reconcile(kernel, { addresses }, undefined, { addresses: there })
  reconcile(kernel, { sysctls }) // a node that has no such address need not forward
  // A bridge takes the lowest MAC of its ports until it is given one: then it would change as containers come and go.
  const owner = vlanGateway ?? before
  const isNew = done.some(({ subject }) => subject === 'addresses')
  if (isNew && owner && owner.macOrigin !== 'set') kernel.links.set(link, { mac: usableMac(owner.mac, host) })
  return vlanGateway ? [interfaceOf(kernel.links.get(link)!)] : []
}

/** The port has just been made: of what it may have, nothing is asked for. */
function addPort(config: BridgeConfig, kernel: Kernel, port: Link): void {
  reconcile(kernel, hostEndState(config, port.name), undefined, {
    links: [{ link: port, master: undefined, port: freshPort }],
    sysctls: [],
    linkStates: [{ link: port.name, up: true }],
  })
  const vlans = vlanState(config, port.name)
  if (vlans.vlans) reconcile(kernel, vlans)
}

/** How the kernel makes a port: net/bridge/br_if.c, new_nbp(). */
const freshPort: BridgePort = {
  state: 'disabled',
  hairpin: false,
  isolated: false,
  learning: true,
  flood: true,
  neighbourSuppression: false,
  priority: 32,
  cost: 2, // of a veth, whose speed is 10 Gbit/s
  multicastFlood: true,
  broadcastFlood: true,
}

/** With a VLAN, the gateway is a veth pair on the node: one end has the address, the other is a port in the VLAN. */
function ensureVlanGateway(config: BridgeConfig, kernel: Kernel, name: string): Link {
  const there = kernel.links.get(name)
  if (there) return there
  const { mtu } = kernel.links.get(config.bridge)!
  // No network is called so: GC of none may take it for the end of an attachment of its own.
  const peer = hostVethName(`/${name}`, { containerId: name, ifName: '' })
  const port = kernel.links.add({ kind: 'veth', name: peer, up: true, mtu, txQueueLength: 0, peer: { name, mtu } })
  addPort({ ...config, hairpinMode: false, portIsolation: false, mtu: 0, trunk: [] }, kernel, port)
  kernel.links.set(name, { up: true })
  return kernel.links.get(name)!
}

function setUpContainer(
  { config, ifName }: BridgeRequest,
  container: Kernel,
  host: Host,
  result: CniResult,
  routes: State,
): void {
  if (config.ipamType === undefined) {
    if (!config.disableContainerInterface) container.links.set(ifName, { up: true })
    return
  }
  const nothingYet = { sysctls: [], addresses: [], linkStates: [{ link: ifName, up: false }] }
  reconcile(container, addressState(ifName, result, config.enabledad), undefined, nothingYet)
  awaitAddresses(container, ifName, result, host)
  addRoutes(container, routes)
}

/** A port forwards when the kernel has seen that both ends are up, a moment after the last of them was. */
function awaitPort(kernel: Kernel, host: Host, name: string): void {
  for (const pause of PORT_PAUSES) {
    if (kernel.links.get(name)?.operState === 'up') return
    host.sleep(pause)
  }
  const state = kernel.links.get(name)?.operState ?? 'missing'
  if (state !== 'up') throw new CniError(CniCode.failed, `Cannot use bridge port "${name}": it is ${state}, not up`)
}

function masqueraded({ config, containerId, ifName }: BridgeRequest, { ips }: CniResult) {
  return { network: config.name, containerId, ifName, addresses: ips.map(({ address }) => address) }
}

/** Of the network's stale links those that are ports of its bridge, or of none yet: a name alone may be another network's, too. */
function removeStalePorts(kernel: Kernel, bridge: string, isStale: (name: string) => boolean): void {
  const index = kernel.links.get(bridge)?.index
  removeStaleLinks(kernel, ({ name, master }) => (master === undefined || master === index) && isStale(name))
}

/** A bridge that has lost its last port has the MAC 00:00:00:00:00:00, which cannot be set. */
function usableMac(mac: string, host: Host): string {
  return mac === '00:00:00:00:00:00' || isMulticastMac(parseMac(mac)) ? randomMac(host) : mac
}
