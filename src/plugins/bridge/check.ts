/** CHECK: whether everything that ADD promised is still there. */
import { hostVethName, openContainer } from '../../cni/container.ts'
import type { Request, Surroundings } from '../../cni/plugin.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import { joinStates, type State } from '../../reconcile/state.ts'
import { addressState, routeState } from '../attachment/addressing.ts'
import { checkMasquerade, parseBackend } from '../attachment/masquerade.ts'
import { differencesIn, type Promised, promisedTo, requireNone } from '../attachment/promise.ts'
import { spoofCheckState } from '../attachment/spoof-check.ts'
import { type BridgeConfig, requireName } from './config.ts'
import { bridgeState, gatewayState, gatewaysOf, hostEndState, vlanState } from './plan.ts'

type BridgeRequest = Request<BridgeConfig>

/** CniError with the first difference; its details have the others. */
export function checkBridge(request: BridgeRequest, surroundings: Surroundings): void {
  requireName(request.config)
  const container = openContainer(request, surroundings.kernel)
  try {
    checkAll(request, surroundings, container)
  } finally {
    container.close()
  }
}

function checkAll(request: BridgeRequest, { kernel, host, ipam }: Surroundings, container: Kernel): void {
  const { config } = request
  if (config.ipamType !== undefined) ipam.check()
  const promised = promisedTo(request)

  const hostEnd = hostEndOf(request, promised, kernel, container)
  const mac = promised.own.mac ?? container.links.get(request.ifName)?.mac ?? ''
  const node = joinStates(
    nodeState(request, promised, hostEnd, kernel, container),
    config.macspoofchk && mac !== '' ? spoofCheckState(hostEnd, mac, request, host) : {},
  )
  const differences = [
    ...differencesIn(container, containerState(request, promised, hostEnd, kernel)),
    ...differencesIn(kernel, node),
  ]
  if (config.ipMasq && config.ipamType !== undefined) {
    const addresses = promised.result.ips.map(({ address }) => address)
    const whose = { network: config.name, containerId: request.containerId, ifName: request.ifName, addresses }
    differences.push(...checkMasquerade(kernel, host, whose, parseBackend(config.ipMasqBackend)))
  }
  requireNone(differences)
}

/** The name of the host's end: ours, or the one of prevResult that is the pair's, where the reference chose it. */
function hostEndOf(request: BridgeRequest, { result }: Promised, kernel: Kernel, container: Kernel): string {
  const { config, ifName } = request
  const ours = hostVethName(config.name, request)
  const candidates = result.interfaces.filter(({ sandbox, name }) => !sandbox && name !== config.bridge)
  if (candidates.length === 0 || candidates.some(({ name }) => name === ours)) return ours
  const peer = container.links.get(ifName)?.parent
  const found = candidates.find(({ name }) => kernel.links.get(name)?.index === peer)
  return (found ?? candidates[0]!).name
}

function nodeState(
  { config, ifName }: BridgeRequest,
  { result }: Promised,
  hostEnd: string,
  kernel: Kernel,
  container: Kernel,
): State {
  const gateways = gatewaysOf(config, result.ips)
  const bridge = bridgeState(config)
  const port = hostEndState(config, hostEnd)
  const bridgeLink = kernel.links.get(config.bridge)
  const promised = result.interfaces.find(({ name, sandbox }) => name === config.bridge && !sandbox)
  // A bridge that nobody gave a MAC takes on those of its ports.
  const mac = bridgeLink?.macOrigin === 'set' ? promised?.mac : undefined
  const parent = container.links.get(ifName)?.index
  return joinStates(
    { ...bridge, links: bridge.links!.map((link) => ({ ...link, ...(mac !== undefined && { mac }) })) },
    { ...port, links: port.links!.map((link) => ({ ...link, ...(parent !== undefined && { parent }) })) },
    vlanState(config, hostEnd),
    gatewayState(config, gateways),
  )
}

/** Without MTU and settings: plugins that come later in the chain, such as tuning, are there to change them. */
function containerState({ config, ifName }: BridgeRequest, promise: Promised, hostEnd: string, kernel: Kernel): State {
  const { mac } = promise.own
  const parent = kernel.links.get(hostEnd)?.index
  const link: State = {
    links: [
      {
        name: ifName,
        kind: 'veth',
        ...(mac !== undefined && { mac }),
        ...(parent !== undefined && { parent }),
      },
    ],
  }
  if (config.ipamType === undefined) {
    const up: State = { linkStates: [{ link: ifName, up: true }] }
    return config.disableContainerInterface ? link : joinStates(link, up)
  }
  const { addresses = [], linkStates = [] } = addressState(ifName, promise.result, config.enabledad)
  return joinStates(link, { addresses, linkStates }, routeState(ifName, promise.result))
}
