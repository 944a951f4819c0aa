/** What becomes of IPv6 when a device or a setting changes: addrconf_notify, addrconf_ifdown, net/ipv6/addrconf.c. */
import type { Device } from '../device/device.ts'
import { ALL_NODES, ALL_ROUTERS, LOOPBACK, sameAddress } from './address.ts'
import {
  addMulticastRoute,
  addPrefixRoute,
  addressReady,
  changed,
  joinAnycast,
  leaveAnycast,
} from './address-routes.ts'
import { addAddress6, hasLinkLocal, linkLocalAddress, removeAddress } from './addresses.ts'
import { resumeDad } from './dad.ts'
import { linkChanged6, linkGone6, linkRevived6, routeMtusChanged6 } from './fib-device.ts'
import { joinAllNodes, joinGroup, leaveGroup, startReports, stopReports } from './multicast.ts'
import { stopSoliciting } from './router-solicitation.ts'

/** IN6_ADDR_GEN_MODE_*; the addresses of modes 2 and 3 are drawn. */
const GenerationMode = { eui64: 0, none: 1, random: 3 } as const
/** IFAPROT_KERNEL_LO, IFAPROT_KERNEL_LL. */
const AddressProtocol = { loopback: 1, linkLocal: 3 } as const

const NODE_LOCAL_ROUTERS = Uint8Array.from(ALL_ROUTERS, (byte, i) => (i === 1 ? 1 : byte))
const SITE_LOCAL_ROUTERS = Uint8Array.from(ALL_ROUTERS, (byte, i) => (i === 1 ? 5 : byte))

/** NETDEV_UP */
export function linkUp6(device: Device): void {
  const { ipv6 } = device
  if (ipv6.conf.disable_ipv6) return
  if (!isInitialized(device)) initialize(device)
  linkRevived6(device)
  linkReady(device)
}

/** An address that was there before the link came up has joined its own group already. */
function isInitialized({ ipv6 }: Device): boolean {
  return ipv6.groups.some(({ address }) => sameAddress(address, ALL_NODES))
}

/** ipv6_add_dev */
function initialize(device: Device): void {
  joinAllNodes(device)
  if (device.ipv6.conf.forwarding !== 0) joinRouters(device)
}

/** NETDEV_CHANGE: the carrier. */
export function carrierChanged6(device: Device): void {
  if (!device.up || device.ipv6.conf.disable_ipv6) return
  linkChanged6(device)
  if (device.carrier) linkReady(device)
}

function linkReady(device: Device): void {
  const { ipv6, kind } = device
  if (!device.carrier) return
  if (ipv6.ready) {
    startReports(device)
    return
  }
  ipv6.ready = true
  if (kind === 'ipip') {
    restoreAddresses(device)
    return
  }
  if (kind === 'loopback') {
    addAddress6(device, { address: LOOPBACK, length: 128, protocol: AddressProtocol.loopback })
    restoreAddresses(device)
    return
  }
  startReports(device)
  restoreAddresses(device)
  addMulticastRoute(device)
  generateAddress6(device)
  resumeDad(device)
}

/** addrconf_permanent_addr: what was set while the device was down gets its routes. */
function restoreAddresses(device: Device): void {
  for (const address of [...device.ipv6.addresses].reverse()) {
    if (!address.noPrefixRoute && device.kind !== 'loopback') addPrefixRoute(device, address.address, address.length)
    if (!address.tentative) addressReady(device, address)
  }
}

/** addrconf_dev_config: the link-local address. */
export function generateAddress6(device: Device): void {
  const { ipv6, kind, namespace } = device
  if (!ipv6.ready || kind === 'loopback' || kind === 'ipip' || hasLinkLocal(device)) return
  if (device.mac.length === 0 && ipv6.conf.addr_gen_mode === GenerationMode.eui64)
    ipv6.conf.addr_gen_mode = GenerationMode.random
  if (ipv6.conf.addr_gen_mode === GenerationMode.none) return
  let address = linkLocalAddress(device)
  if (!address || ipv6.conf.addr_gen_mode !== GenerationMode.eui64) {
    address = new Uint8Array(16)
    address[0] = 0xfe
    address[1] = 0x80
    for (let i = 8; i < 16; i++) address[i] = namespace.model.random.below('host', 256)
  }
  addAddress6(device, { address, length: 64, protocol: AddressProtocol.linkLocal })
}

/** addrconf_ifdown: addresses and routes go with the link. */
export function linkDown6(device: Device): void {
  const { ipv6, namespace } = device
  stopSoliciting(device)
  stopReports(device)
  ipv6.ready = false
  linkGone6(device, false)
  for (const address of [...ipv6.addresses]) {
    address.hostRoute = undefined
    removeAddress(device, address)
  }
  stopReports(device)
  namespace.nd.flush(device)
}

export function mtuChanged6(device: Device): void {
  routeMtusChanged6(device, device.ipv6.conf.mtu)
  device.ipv6.conf.mtu = device.mtu
  device.namespace.ipv6.fib.flush()
}

/** NETDEV_UNREGISTER, or an MTU too small for IPv6. */
export function deviceGone6(device: Device): void {
  linkDown6(device)
  linkGone6(device, true)
  device.ipv6.groups = []
}

/** dev_forward_change: a router listens to all routers, and answers for its subnets. */
export function forwardingChanged6(device: Device): void {
  const { conf, addresses } = device.ipv6
  if (conf.forwarding !== 0) {
    if (isInitialized(device)) joinRouters(device)
    for (const address of addresses) if (!address.tentative) joinAnycast(device, address)
  } else {
    for (const group of [ALL_ROUTERS, NODE_LOCAL_ROUTERS, SITE_LOCAL_ROUTERS]) leaveGroup(device, group)
    for (const address of addresses) leaveAnycast(device, address)
  }
  changed(device, 'new')
  device.namespace.model.settle()
}

function joinRouters(device: Device): void {
  for (const group of [ALL_ROUTERS, NODE_LOCAL_ROUTERS, SITE_LOCAL_ROUTERS]) joinGroup(device, group)
}
