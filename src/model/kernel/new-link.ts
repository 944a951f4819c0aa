/** The birth of links: rtnl_newlink and each kind's newlink. Source: net/core/rtnetlink.c. */
import { parseIp } from '../../address/ip.ts'
import { IPV4_LENGTH } from '../../address/ipv4.ts'
import { parseMac } from '../../address/mac.ts'
import { KernelError } from '../../kernel/errors.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import type { NewLink, VethPeer } from '../../kernel/link.ts'
import { u32 } from '../bytes.ts'
import { Bridge } from '../device/bridge.ts'
import type { Device } from '../device/device.ts'
import { isValidMac } from '../device/ethernet.ts'
import { Ipip } from '../device/ipip.ts'
import { addIpip, hasIpip } from '../device/ipip-lookup.ts'
import { Dummy, Ifb } from '../device/plain.ts'
import { Tun, type TunOptions } from '../device/tun.ts'
import { Veth } from '../device/veth.ts'
import { Vxlan } from '../device/vxlan.ts'
import type { Namespace } from '../namespace.ts'
import { loadIpip } from './ipip-module.ts'
import { changeBridge } from './link-change.ts'
import { freeName } from './link-name.ts'
import { registerDevice, unregisterDevices } from './register.ts'
import { requireDevice } from './require.ts'

const ETHERNET_MTU = 1500
/** ETH_MIN_MTU, ETH_MAX_MTU. */
const LEAST_MTU = 68
const GREATEST_MTU = 65535
const HIGHEST_VNI = 0xff_ffff

/** What a link and a veth's peer are told alike. */
type Common = Pick<NewLink, 'name' | 'mac' | 'mtu' | 'txQueueLength' | 'group'>

/** Makes and registers the device. `namespaceOf` knows whose handle on which namespace it is. */
export function newDevice(
  namespace: Namespace,
  link: NewLink,
  call: string,
  namespaceOf: (kernel: Kernel) => Namespace,
): Device {
  if (link.kind === 'ipip') loadIpip(namespace.model)
  const lower = lowerOf(namespace, link, call)
  validate(link, call)
  const name = freeName(namespace, link.name, call)
  switch (link.kind) {
    case 'veth':
      return newVeth(namespace, link, name, call, namespaceOf)
    case 'bridge':
      return newBridge(namespace, link, name, call)
    case 'vxlan':
      return newVxlan(namespace, link, name, lower, call)
    case 'tun':
      return newPersistentTun(namespace, link, name, call)
    case 'ipip':
      return newIpip(namespace, link, name, lower, call)
    case 'ifb':
      return register(new Ifb(namespace, common(namespace, link, name, call)), link, call)
    case 'dummy':
      return register(new Dummy(namespace, common(namespace, link, name, call)), link, call)
    default:
      throw new KernelError('EOPNOTSUPP', call, `not modelled: ${link.kind}`)
  }
}

/** The link that it names as the one below it. Whether that is there is asked before all else. */
function lowerOf(namespace: Namespace, link: NewLink, call: string): Device | undefined {
  const name = nameOfLower(link)
  return name === undefined ? undefined : requireDevice(namespace, name, call)
}

function nameOfLower(link: NewLink): string | undefined {
  if (link.kind === 'vxlan') return link.vxlan.device
  if (link.kind === 'ipip') return link.ipip?.device
  return 'parent' in link ? link.parent : undefined
}

/** Each kind's validate, which comes before the name is looked at. */
function validate(link: NewLink, call: string): void {
  if (link.mac !== undefined && link.kind !== 'tun' && !isValidMac(parseMac(link.mac), 0))
    throw new KernelError('EADDRNOTAVAIL', call)
  const { mtu = ETHERNET_MTU } = link
  if ((link.kind === 'veth' || link.kind === 'vxlan') && (mtu < LEAST_MTU || mtu > GREATEST_MTU)) {
    throw new KernelError('EINVAL', call, `MTU must be between ${LEAST_MTU} and ${GREATEST_MTU}`)
  }
  if (link.kind === 'vxlan' && link.vxlan.vni > HIGHEST_VNI) throw new KernelError('ERANGE', call)
}

function common(namespace: Namespace, { mac, txQueueLength }: Common, name: string, call: string) {
  const bytes = mac === undefined ? undefined : parseMac(mac)
  if (bytes && !isValidMac(bytes, 0)) throw new KernelError('EADDRNOTAVAIL', call)
  return {
    name,
    mac: bytes ?? randomMac(namespace),
    macOrigin: bytes ? 'set' : 'random',
    mtu: ETHERNET_MTU,
    ...(txQueueLength !== undefined && { txQueueLength }),
  } as const
}

function register<T extends Device>(device: T, { mtu, group }: Common, call: string): T {
  checkMtu(device, mtu, call)
  if (mtu !== undefined) device.setFirstMtu(mtu)
  registerDevice(device)
  if (group !== undefined) device.group = group
  return device
}

/** dev_validate_mtu: before anything is made. */
function checkMtu({ minMtu, maxMtu }: Device, mtu: number | undefined, call: string): void {
  if (mtu === undefined) return
  if (mtu < minMtu) throw new KernelError('EINVAL', call, 'mtu less than device minimum')
  if (maxMtu > 0 && mtu > maxMtu) throw new KernelError('EINVAL', call, 'mtu greater than device maximum')
}

/** veth_newlink: the peer is registered first. */
function newVeth(
  namespace: Namespace,
  link: NewLink & { readonly kind: 'veth' },
  name: string,
  call: string,
  namespaceOf: (kernel: Kernel) => Namespace,
): Device {
  const { peer } = link
  const there = peer.namespace ? namespaceOf(peer.namespace) : namespace
  const peerName = freeName(there, peer.name, call)
  if (there === namespace && peerName === name) throw new KernelError('EEXIST', call)
  const own = new Veth(namespace, common(namespace, link, name, call))
  const other = new Veth(there, common(there, peer, peerName, call))
  checkMtu(own, link.mtu, call)
  checkMtu(other, peer.mtu, call)
  Veth.connect(own, other)
  register(other, withoutNamespace(peer), call)
  return register(own, link, call)
}

function newBridge(
  namespace: Namespace,
  link: NewLink & { readonly kind: 'bridge' },
  name: string,
  call: string,
): Device {
  const bridge = new Bridge(namespace, common(namespace, link, name, call))
  if (link.bridge) changeBridge(bridge, link.bridge, call)
  return register(bridge, link, call)
}

/** The device is made first, and then told the rest: so it is on Linux, where it goes again if it does not take that. */
function newPersistentTun(
  namespace: Namespace,
  link: NewLink & { readonly kind: 'tun' },
  name: string,
  call: string,
): Device {
  const tun = tunOf(namespace, { ...link.tun, persistent: true }, name)
  registerDevice(tun)
  try {
    // It is made by a call of its own, tun_set_iff; a second one gives it all this, and looks for its master first.
    if (link.master !== undefined) requireDevice(namespace, link.master, call)
    if (link.mac !== undefined) tun.setMac(parseMac(link.mac))
    if (link.mtu !== undefined) tun.setMtu(link.mtu)
  } catch (error) {
    unregisterDevices([tun])
    throw error instanceof KernelError ? new KernelError(error.errno, call, error.explanation) : error
  }
  if (link.txQueueLength !== undefined) tun.txQueueLength = link.txQueueLength
  if (link.group !== undefined) tun.group = link.group
  return tun
}

/** One that a program opens. */
export function newTun(namespace: Namespace, options: Pick<TunOptions, 'mode'>, name: string): Tun {
  const tun = tunOf(namespace, options, name)
  registerDevice(tun)
  return tun
}

/** A TUN has no MAC, a TAP a random one until it is given one. */
function tunOf(namespace: Namespace, options: Pick<TunOptions, 'mode'> & Partial<TunOptions>, name: string): Tun {
  const mac = options.mode === 'tun' ? new Uint8Array() : randomMac(namespace)
  const macOrigin = options.mode === 'tun' ? 'permanent' : 'random'
  return new Tun(namespace, { mac, macOrigin, mtu: ETHERNET_MTU, ...options, name })
}

function withoutNamespace({ namespace: _, ...peer }: VethPeer): Common {
  return peer
}

function newVxlan(
  namespace: Namespace,
  link: NewLink & { readonly kind: 'vxlan' },
  name: string,
  lower: Device | undefined,
  call: string,
): Device {
  const { device: _, local, remote, ...rest } = link.vxlan
  const options = {
    ...common(namespace, link, name, call),
    ...rest,
    ...(lower && { lower }),
    ...(local !== undefined && { local: parseIp(local) }),
    ...(remote !== undefined && { remote: parseIp(remote) }),
  }
  const isGroup =
    options.remote?.length === IPV4_LENGTH ? options.remote[0]! >> 4 === 0xe : options.remote?.[0] === 0xff
  if (isGroup && !lower) throw new KernelError('EINVAL', call, 'Local interface required for multicast remote group')
  const vxlan = new Vxlan(namespace, options)
  if (isInUse(vxlan)) throw new KernelError('EEXIST', call, 'A VXLAN device with the specified VNI already exists')
  return register(vxlan, link, call)
}

/** ip_tunnel_newlink */
function newIpip(
  namespace: Namespace,
  link: NewLink & { readonly kind: 'ipip' },
  name: string,
  lower: Device | undefined,
  call: string,
): Device {
  const { local, remote, ttl = 0, tos = 0, pathMtuDiscovery = true } = link.ipip ?? {}
  const addressOf = (text: string | undefined) => {
    if (text === undefined) return 0
    const bytes = parseIp(text)
    if (bytes.length !== IPV4_LENGTH) throw new KernelError('EINVAL', call)
    return u32(bytes, 0)
  }
  const ends = { local: addressOf(local), remote: addressOf(remote), lower }
  if (link.mac !== undefined) throw new KernelError('EOPNOTSUPP', call)
  if (hasIpip(namespace, ends)) throw new KernelError('EEXIST', call)
  const { txQueueLength } = link
  const device = new Ipip(namespace, {
    name,
    ...ends,
    ttl,
    tos,
    pathMtuDiscovery,
    ...(txQueueLength !== undefined && { txQueueLength }),
  })
  addIpip(device)
  return register(device, link, call)
}

/** vxlan_vni_in_use: on one port, a VNI is one device's. */
function isInUse({ underlay, vni, port }: Vxlan): boolean {
  const isSame = (each: Device) =>
    each instanceof Vxlan && each.underlay === underlay && each.vni === vni && each.port === port
  // A namespace that has no name is not among the others.
  for (const namespace of [underlay, ...underlay.model.namespaces.values()])
    for (const device of namespace.devices.all()) if (isSame(device)) return true
  return false
}

/** eth_hw_addr_random: locally administered, of one. */
function randomMac({ model }: Namespace): Uint8Array {
  const [high, low] = [model.random.bits('mac'), model.random.bits('mac')]
  const mac = Uint8Array.of(high >>> 24, high >>> 16, high >>> 8, high, low >>> 8, low)
  mac[0] = (mac[0]! & 0xfe) | 0x02
  return mac
}
