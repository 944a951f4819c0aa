/**
 * routed: joins a container to the node by a veth pair and a route for each of its addresses, as Calico does: no bridge, and
 * nothing that containers share. How other nodes find the way here is BGP's business.
 *
 *   container  10.244.1.5/32 eth0 ──veth──> caliXXXXXXXXXXX  node
 *              default via 169.254.1.1        10.244.1.5 dev caliXXXXXXXXXXX
 *
 * routed/config.ts reads the options, routed/plan.ts says what they promise.
 */
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
import type { CniResult, Plugin } from '../cni/plugin.ts'
import { teardown } from '../cni/rollback.ts'
import { KernelError } from '../kernel/errors.ts'
import type { Kernel } from '../kernel/kernel.ts'
import type { Link } from '../kernel/link.ts'
import { reconcile } from '../reconcile/apply.ts'
import { joinStates } from '../reconcile/state.ts'
import { addRoutes } from './attachment/addressing.ts'
import { differencesIn, promisedTo, requireNone } from './attachment/promise.ts'
import { addPair, closing, randomMac, removeStaleLinks } from './attachment/veth.ts'
import { parseRoutedConfig, type RoutedConfig, requireUsable } from './routed/config.ts'
import { completeResult, containerRoutes, containerState, HOST_MAC, hostEndState, wayState } from './routed/plan.ts'

/** Index of the container's end in the result: behind the host's. */
const CONTAINER = 1

export const routed: Plugin<RoutedConfig> = {
  name: 'routed',

  parseConfig: parseRoutedConfig,

  add(request, { kernel, host, ipam }) {
    const { config, ifName, netns } = request
    requireUsable(config)
    const mac = requestedMac(parseArgs(request.args, ['MAC']), config.json) ?? randomMac(host)
    const container = openContainer(request, kernel)
    return closing(container, (undo) => {
      const name = hostVethName(config.name, request, 'cali')
      const hostEnd = addPair(request, kernel, container, { name, mac, hostMac: HOST_MAC, mtu: config.mtu })
      // Also when IPAM's ADD fails: CNI specification, section 4. And last: an address that is free again must be nobody's.
      undo(() => ipam.del())
      undo(() => deleteLink(kernel, name))
      const result = completeResult(config, ipam.add(), CONTAINER)
      if (result.ips.length === 0) {
        throw new CniError(CniCode.delegateFailed, `Cannot set up layer 3: "${config.ipamType}" gave no IP address`)
      }
      setUpHostEnd(config, kernel, hostEnd, result)
      setUpContainer(ifName, container, result)
      addWay(kernel, name, result) // last, so that nothing leads to a container that is not ready
      const interfaces = [interfaceOf(hostEnd), { name: ifName, mac, mtu: hostEnd.mtu, sandbox: netns }]
      return { ...result, interfaces }
    })
  },

  check(request, { kernel, ipam }) {
    const { config, ifName } = request
    parseArgs(request.args, ['MAC'])
    const container = openContainer(request, kernel)
    try {
      ipam.check()
      const { result, own } = promisedTo(request)
      const name = hostVethName(config.name, request, 'cali')
      const parent = kernel.links.get(name)?.index
      const link = { name: ifName, kind: 'veth', ...(own.mac && { mac: own.mac }), ...(parent && { parent }) }
      // Without MTU and settings: plugins that come later in the chain, such as tuning, are there to change them.
      const { sysctls: _, ...state } = containerState(ifName, result)
      requireNone([
        ...differencesIn(container, joinStates({ links: [link] }, state, containerRoutes(ifName, result))),
        ...differencesIn(kernel, joinStates(hostEndState(config, name, result.ips), wayState(name, result.ips))),
      ])
    } finally {
      container.close()
    }
  },

  del(request, { kernel, ipam }) {
    parseArgs(request.args, ['MAC'])
    const container = getContainer(request, kernel) // before anything else: a wrong CNI_NETNS may mean another container
    teardown(
      () => removeVeth(request, kernel, container, 'cali'), // and with it the routes to the container
      () => ipam.del(),
      () => container?.close(),
    )
  },

  gc({ config, validAttachments }, { kernel, ipam }) {
    const valid = new Set(validAttachments.map((attachment) => hostVethName(config.name, attachment, 'cali')))
    teardown(
      () => removeStaleLinks(kernel, ({ name }) => isHostVethName(name, config.name, 'cali') && !valid.has(name)),
      () => ipam.gc(),
    )
  },

  status({ config }, { ipam }) {
    requireUsable(config)
    ipam.status()
  },
}

function setUpHostEnd(config: RoutedConfig, kernel: Kernel, hostEnd: Link, { ips }: CniResult): void {
  const { name } = hostEnd
  reconcile(kernel, hostEndState(config, name, ips), undefined, {
    links: [{ link: hostEnd, master: undefined, port: undefined }],
    addresses: [],
    linkStates: [{ link: name, up: true }],
  })
}

function setUpContainer(ifName: string, container: Kernel, result: CniResult): void {
  const nothingYet = { sysctls: [], addresses: [], neighbours: [], linkStates: [{ link: ifName, up: false }] }
  reconcile(container, containerState(ifName, result), undefined, nothingYet)
  addRoutes(container, containerRoutes(ifName, result))
}

/** CniError when the node has another way to one of the addresses: somebody else's container has it. */
function addWay(kernel: Kernel, name: string, { ips }: CniResult): void {
  const { routes = [], ...settings } = wayState(name, ips)
  reconcile(kernel, settings)
  const [refusal] = kernel.routes.batch(routes.map((route) => ({ operation: 'add', route })))
  if (!refusal) return
  const { destination } = routes[refusal.index]!
  const call = `add route ${destination} by "${name}"`
  if (refusal.errno !== 'EEXIST') throw new KernelError(refusal.errno, call)
  const there = kernel.routes.list().find((route) => route.destination === destination)
  const whose = there?.link === undefined ? '' : ` by "${there.link}"`
  throw new CniError(CniCode.conflict, `Cannot ${call}: the node has another route to it${whose}`)
}
