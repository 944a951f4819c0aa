/**
 * Duplicate address detection: RFC 4862 §5.4, RFC 7527 (the nonce); addrconf_dad_begin, addrconf_dad_work,
 * addrconf_dad_failure, net/ipv6/addrconf.c.
 */
import { MILLISECOND, SECOND } from '../clock.ts'
import type { Device } from '../device/device.ts'
import { ANY, isLinkLocal, solicitedNode } from './address.ts'
import { addressReady, changed, joinAnycast } from './address-routes.ts'
import type { Ipv6Address } from './device.ts'
import { joinGroup, reportAll } from './multicast.ts'
import { sendSolicitation } from './ndp-send.ts'
import { solicitRouters } from './router-solicitation.ts'

const NONCE_LENGTH = 6
const LEAST_WAIT = 10 * MILLISECOND

/** addrconf_dad_start: the address is asked for, unless nobody can have it. */
export function startDad(device: Device, address: Ipv6Address): void {
  joinGroup(device, solicitedNode(address.address))
  const { ipv6, namespace } = device
  const accepts = Math.max(ipv6.conf.accept_dad, namespace.ipv6.all.accept_dad)
  const asks = address.tentative && !address.noDad && !device.noArp && device.kind !== 'loopback' && accepts >= 1
  if (!asks) {
    complete(device, address)
    return
  }
  changed(device, 'new')
  if (isReady(device)) kick(device, address)
}

/** addrconf_dad_run: the device is ready, so that those who waited for it begin. */
export function resumeDad(device: Device): void {
  for (const address of [...device.ipv6.addresses])
    if (address.tentative && !address.dadFailed && !address.timer?.pending) kick(device, address)
}

/** addrconf_link_ready */
export const isReady = (device: Device): boolean => device.ipv6.ready && device.up && device.carrier

/** addrconf_dad_kick: not at once, as many devices may come up at the same time. */
function kick(device: Device, address: Ipv6Address): void {
  const { model } = device.namespace
  const { conf } = device.ipv6
  address.nonce = Uint8Array.from({ length: NONCE_LENGTH }, () => model.random.below('dadNonce', 256))
  address.probes = conf.dad_transmits
  const wait = model.random.below('dadDelay', Math.max(1, conf.router_solicitation_delay) * SECOND)
  address.timer = model.clock.after(wait, () => work(device, address))
}

function work(device: Device, address: Ipv6Address): void {
  const { model } = device.namespace
  if (address.probes === 0) {
    address.tentative = false
    complete(device, address)
  } else {
    address.probes--
    const { retrans_time_ms } = device.ipv6.neighbourConf
    address.timer = model.clock.after(Math.max(retrans_time_ms * MILLISECOND, LEAST_WAIT), () => work(device, address))
    sendSolicitation(device, {
      target: address.address,
      destination: solicitedNode(address.address),
      source: ANY,
      nonce: device.ipv6.conf.enhanced_dad !== 0 ? address.nonce : undefined,
    })
  }
  model.settle()
}

/** addrconf_dad_completed */
function complete(device: Device, address: Ipv6Address): void {
  address.tentative = false
  if (device.ipv6.conf.forwarding !== 0) joinAnycast(device, address)
  addressReady(device, address)
  const lonely = device.ipv6.addresses.filter((each) => isLinkLocal(each.address) && !each.tentative).length === 1
  if (!isLinkLocal(address.address) || !lonely || !isReady(device) || device.kind === 'loopback') return
  reportAll(device)
  solicitRouters(device)
}

/** addrconf_dad_failure: another has it. */
export function failDad(device: Device, address: Ipv6Address): void {
  device.namespace.model.clock.cancel(address.timer)
  address.tentative = true
  address.dadFailed = true
  changed(device, 'new')
}
