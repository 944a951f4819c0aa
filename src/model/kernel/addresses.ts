/** Addresses of links: rtm_newaddr of net/ipv4/devinet.c and net/ipv6/addrconf.c, and their lists. */
import { familyOf, formatIp, parseIp } from '../../address/ip.ts'
import { IPV4_LENGTH } from '../../address/ipv4.ts'
import { formatPrefix, lastOf, type Prefix, parsePrefix } from '../../address/prefix.ts'
import type { Address, Addresses, NewAddress, Scope } from '../../kernel/address.ts'
import { KernelError } from '../../kernel/errors.ts'
import { u32 } from '../bytes.ts'
import type { Device } from '../device/device.ts'
import { formatAddress } from '../ipv4/address-text.ts'
import { insertAddress, removeAddress, setAddressLifetime } from '../ipv4/addresses.ts'
import type { Ipv4Address } from '../ipv4/device.ts'
import { scopeName, scopeNumber } from '../ipv4/fib-route.ts'
import { sameAddress } from '../ipv6/address.ts'
import { addAddress6, isPermanent, modifyAddress6, removeAddress6 } from '../ipv6/addresses.ts'
import type { Ipv6Address } from '../ipv6/device.ts'
import { areLifetimes, type Mortal, secondsLeft } from '../lifetime.ts'
import type { Namespace } from '../namespace.ts'
import { IPV4_MIN_MTU } from '../sysctl.ts'
import { requireDevice } from './require.ts'

/** RFC 3021: a /31 has no broadcast address, and a /32 has nobody to broadcast to. */
const LONGEST_BROADCAST_PREFIX = 30
const LOOPBACK_NETWORK = 127
const FOREVER = Number.POSITIVE_INFINITY
/** IFA_F_*, linux/if_addr.h. */
const Flag = {
  secondary: 0x01,
  noDad: 0x02,
  dadFailed: 0x08,
  deprecated: 0x20,
  tentative: 0x40,
  permanent: 0x80,
  manageTemporary: 0x100,
  noPrefixRoute: 0x200,
} as const

export class ModelAddresses implements Addresses {
  readonly #namespace: Namespace

  constructor(namespace: Namespace) {
    this.#namespace = namespace
  }

  list(link?: string): Address[] {
    const { devices } = this.#namespace
    const chosen =
      link === undefined ? devices.list() : [requireDevice(this.#namespace, link, `list addresses of "${link}"`)]
    return [
      ...chosen.flatMap((device) => device.ipv4.addresses.map((address) => view4(device, address))),
      ...chosen.flatMap((device) => device.ipv6.addresses.map((address) => view6(device, address))),
    ]
  }

  add(address: NewAddress): void {
    const call = `add address "${address.prefix}" to "${address.link}"`
    this.#insert(requireDevice(this.#namespace, address.link, call), address, call)
    this.#namespace.model.settle()
  }

  replace(address: NewAddress): void {
    const call = `replace address "${address.prefix}" of "${address.link}"`
    const device = requireDevice(this.#namespace, address.link, call)
    const there = this.#find(address)
    const wanted = parsePrefix(address.prefix)
    if (there && looksAlike(there, address, wanted)) {
      this.#live(device, address, wanted, call)
      return
    }
    if (there) this.#remove(device, wanted)
    this.#insert(device, address, call)
    this.#namespace.model.settle()
  }

  delete({ link, prefix }: { readonly link: string; readonly prefix: string }): void {
    const call = `delete address "${prefix}" from "${link}"`
    const device = requireDevice(this.#namespace, link, call)
    if (!this.#remove(device, parsePrefix(prefix))) {
      const explanation = prefix.includes(':') ? 'ipv6: address not found' : 'ipv4: Address not found'
      throw new KernelError('EADDRNOTAVAIL', call, explanation)
    }
    this.#namespace.model.settle()
  }

  #insert(device: Device, address: NewAddress, call: string): void {
    const prefix = parsePrefix(address.prefix)
    const { validLifetime = FOREVER, preferredLifetime = FOREVER } = address
    if (!areLifetimes(validLifetime, preferredLifetime)) throw new KernelError('EINVAL', call)
    const peer = address.peer === undefined ? undefined : parseIp(address.peer)
    if (peer && peer.length !== prefix.address.length) throw new KernelError('EINVAL', call)
    const isIpv4 = familyOf(prefix.address) === 'ipv4'
    if (isIpv4 ? !device.ipv4.isThere : device.mtu < IPV4_MIN_MTU)
      throw new KernelError('ENOBUFS', call, 'with such an MTU there is no IP')
    // inet_insert_ifa: nothing comes of it.
    if (prefix.address.length === IPV4_LENGTH && u32(prefix.address, 0) === 0) return
    const scope = scopeName(scopeNumber(address.scope ?? defaultScope(prefix)))
    const made = isIpv4 ? ipv4Address(address, prefix, peer, scope) : undefined
    const refused = made
      ? insertAddress(device, made)
      : addAddress6(device, {
          address: prefix.address,
          peer,
          length: prefix.length,
          noDad: address.noDad ?? false,
          noPrefixRoute: address.noPrefixRoute ?? false,
          valid: validLifetime,
          preferred: preferredLifetime,
        })
    if (refused) throw new KernelError(refused, call, explanationOf(refused, familyOf(prefix.address)))
    if (made) setAddressLifetime(device, made, validLifetime, preferredLifetime)
  }

  /** One that is there gets the lifetime that is wanted, from now on. */
  #live(device: Device, wanted: NewAddress, { address, length }: Prefix, call: string): void {
    const { validLifetime: valid = FOREVER, preferredLifetime: preferred = FOREVER } = wanted
    if (!areLifetimes(valid, preferred)) throw new KernelError('EINVAL', call)
    if (familyOf(address) === 'ipv4') {
      const local = u32(address, 0)
      const found = device.ipv4.addresses.find((each) => each.local === local && each.length === length)
      if (found) setAddressLifetime(device, found, valid, preferred)
    } else {
      const found = device.ipv6.addresses.find((each) => each.length === length && sameAddress(each.address, address))
      if (found) modifyAddress6(device, found, valid, preferred)
    }
  }

  /** Whether there was one. */
  #remove(device: Device, { address, length }: Prefix): boolean {
    if (familyOf(address) === 'ipv4') {
      const local = u32(address, 0)
      const found = device.ipv4.addresses.find((each) => each.local === local && each.length === length)
      if (found) removeAddress(device, found)
      return found !== undefined
    }
    return removeAddress6(device, address, length)
  }

  #find({ link, prefix }: NewAddress): Address | undefined {
    const canonical = formatPrefix(parsePrefix(prefix))
    return this.list(link).find((address) => address.prefix === canonical)
  }
}

/** In the kernel's words: inet_rtm_newaddr and __inet_insert_ifa, inet6_rtm_newaddr. */
function explanationOf(errno: string, family: 'ipv4' | 'ipv6'): string | undefined {
  if (family === 'ipv6') return errno === 'EEXIST' ? 'ipv6: address already assigned' : undefined
  return errno === 'EEXIST' ? 'ipv4: Address already assigned' : 'ipv4: Invalid scope value'
}

function ipv4Address(address: NewAddress, prefix: Prefix, peer: Uint8Array | undefined, scope: Scope): Ipv4Address {
  const broadcast = broadcastOf(address, prefix)
  return {
    local: u32(prefix.address, 0),
    peer: u32(peer ?? prefix.address, 0),
    length: prefix.length,
    scope,
    broadcast: broadcast && u32(broadcast, 0),
    label: address.label ?? address.link,
    secondary: false,
    noPrefixRoute: address.noPrefixRoute ?? false,
    protocol: 0,
  }
}

function view4(device: Device, address: Ipv4Address): Address {
  return {
    prefix: `${formatAddress(address.local)}/${address.length}`,
    link: device.name,
    scope: address.scope,
    peer: address.peer === address.local ? undefined : formatAddress(address.peer),
    broadcast: address.broadcast === undefined ? undefined : formatAddress(address.broadcast),
    label: address.label,
    permanent: address.lifetime === undefined,
    secondary: address.secondary,
    tentative: false,
    dadFailed: false,
    flags:
      (address.lifetime === undefined ? Flag.permanent : 0) |
      (address.deprecated === true ? Flag.deprecated : 0) |
      (address.secondary ? Flag.secondary : 0) |
      (address.noPrefixRoute ? Flag.noPrefixRoute : 0),
    ...lifetimesOf(device, address),
    protocol: address.protocol,
  }
}

function view6(device: Device, address: Ipv6Address): Address {
  return {
    prefix: `${formatIp(address.address)}/${address.length}`,
    link: device.name,
    scope: address.scope,
    peer: address.peer && formatIp(address.peer),
    broadcast: undefined,
    label: undefined,
    permanent: isPermanent(address),
    secondary: false,
    tentative: address.tentative,
    dadFailed: address.dadFailed,
    flags:
      (isPermanent(address) ? Flag.permanent : 0) |
      (address.deprecated === true ? Flag.deprecated : 0) |
      (address.managesTemporary ? Flag.manageTemporary : 0) |
      (address.tentative ? Flag.tentative : 0) |
      (address.dadFailed ? Flag.dadFailed : 0) |
      (address.noDad ? Flag.noDad : 0) |
      (address.noPrefixRoute ? Flag.noPrefixRoute : 0),
    ...lifetimesOf(device, address),
    protocol: address.protocol,
  }
}

function lifetimesOf(
  device: Device,
  { lifetime }: Mortal,
): { readonly validLifetime: number; readonly preferredLifetime: number } {
  if (!lifetime) return { validLifetime: FOREVER, preferredLifetime: FOREVER }
  const { now } = device.namespace.model.clock
  const left = (seconds: number) => secondsLeft(seconds, lifetime, now)
  return { validLifetime: left(lifetime.valid), preferredLifetime: left(lifetime.preferred) }
}

/** Whether nothing is to be replaced but its lifetime: all that is ever replaced of an IPv6 address. */
function looksAlike(there: Address, wanted: NewAddress, prefix: Prefix): boolean {
  if (there.peer !== wanted.peer) return false
  if (familyOf(prefix.address) === 'ipv6') return true
  const broadcast = broadcastOf(wanted, prefix)
  return (
    scopeNumber(there.scope) === scopeNumber(wanted.scope ?? defaultScope(prefix)) &&
    there.broadcast === (broadcast && formatIp(broadcast)) &&
    there.label === (wanted.label ?? wanted.link)
  )
}

function broadcastOf(address: NewAddress, local: Prefix): Uint8Array | undefined {
  if (address.broadcast === null) return undefined
  if (address.broadcast !== undefined) return parseIp(address.broadcast)
  const has = local.address.length === IPV4_LENGTH && local.length <= LONGEST_BROADCAST_PREFIX
  return has && address.peer === undefined ? lastOf(local) : undefined
}

/** As `ip address`: 127.0.0.0/8 is the host's own. */
function defaultScope({ address }: Prefix): Scope {
  return address.length === IPV4_LENGTH && address[0] === LOOPBACK_NETWORK ? 'host' : 'global'
}
