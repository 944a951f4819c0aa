/** Who routes on this link? RFC 4861 §6.3.7, RFC 7559; addrconf_rs_timer, net/ipv6/addrconf.c. */
import { SECOND } from '../clock.ts'
import type { Device } from '../device/device.ts'
import { sendRouterSolicitation } from './ndp-send.ts'

/** ipv6_accept_ra: routers do not ask, unless told so. */
export function acceptsAdvertisements({ ipv6 }: Device): boolean {
  const { forwarding, accept_ra } = ipv6.conf
  return forwarding !== 0 ? accept_ra === 2 : accept_ra !== 0
}

export function solicitRouters(device: Device): void {
  const { solicitations, conf } = device.ipv6
  const { model } = device.namespace
  if (!acceptsAdvertisements(device) || conf.router_solicitations === 0) return
  sendRouterSolicitation(device)
  solicitations.sent = 1
  solicitations.interval = around(device, conf.router_solicitation_interval * SECOND)
  model.clock.cancel(solicitations.timer)
  solicitations.timer = model.clock.after(solicitations.interval, () => again(device))
}

/** IF_RA_RCVD: one answered, so that nobody is asked any more. */
export function routerHeard({ ipv6, namespace }: Device): void {
  namespace.model.clock.cancel(ipv6.solicitations.timer)
}

/** Each wait is about twice the one before: rfc3315_s14_backoff_update. */
function again(device: Device): void {
  const { solicitations, conf } = device.ipv6
  const { model } = device.namespace
  if (!device.up || !acceptsAdvertisements(device)) return
  const limit = conf.router_solicitations
  if (limit >= 0 && solicitations.sent >= limit) return
  sendRouterSolicitation(device)
  solicitations.sent++
  const most = conf.router_solicitation_max_interval * SECOND
  const next = solicitations.interval + around(device, solicitations.interval)
  solicitations.interval = next > most ? around(device, most) : next
  solicitations.timer = model.clock.after(solicitations.interval, () => again(device))
  model.settle()
}

/** Nine to eleven tenths of it. */
function around({ namespace }: Device, time: number): number {
  return (
    Math.floor(time * 0.9) + namespace.model.random.below('routerSolicitation', Math.max(1, Math.floor(time * 0.2)))
  )
}

export function stopSoliciting({ ipv6, namespace }: Device): void {
  namespace.model.clock.cancel(ipv6.solicitations.timer)
}
