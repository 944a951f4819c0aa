/**
 * What writing one of IPv6's settings does besides: addrconf_fixup_forwarding, addrconf_disable_ipv6,
 * addrconf_sysctl_addr_gen_mode and addrconf_sysctl_ignore_routes_with_linkdown, net/ipv6/addrconf.c. What is written to
 * `all` is so for `default` and for every device.
 */
import type { Device } from '../device/device.ts'
import type { Namespace } from '../namespace.ts'
import type { Ipv6Conf } from '../settings.ts'
import { forwardingChanged6, generateAddress6, linkDown6, linkUp6 } from './addrconf.ts'

interface Write {
  readonly namespace: Namespace
  readonly numbers: object
  readonly before: number
  readonly value: number
  readonly device: Device | undefined
}

/** Every device's settings, and `default`'s, where `all` was written; else those of the one device. */
function spread({ namespace, numbers, value, device }: Write, name: keyof Ipv6Conf): Device[] {
  if (numbers !== namespace.ipv6.all) return device ? [device] : []
  namespace.ipv6.default[name] = value
  const devices = namespace.devices.list()
  const changed = devices.filter(({ ipv6 }) => ipv6.conf[name] !== value)
  for (const { ipv6 } of devices) ipv6.conf[name] = value
  return changed
}

export function forwardingWritten(write: Write): undefined {
  const turned = spread(write, 'forwarding')
  if (!write.before === !write.value && write.device) return
  for (const device of turned) forwardingChanged6(device)
}

export function disableWritten(write: Write): undefined {
  const devices = spread(write, 'disable_ipv6')
  if (!write.before === !write.value) return
  for (const device of devices) {
    if (write.value) linkDown6(device)
    else if (device.up) linkUp6(device)
  }
}

/** IN6_ADDR_GEN_MODE_STABLE_PRIVACY */
const STABLE_PRIVACY = 2

/** Without a secret, which nobody has set, there are no addresses that are stable and private. */
export function addrGenModeWritten(write: Write): 'EINVAL' | undefined {
  if (write.value === STABLE_PRIVACY && write.device) return 'EINVAL'
  for (const device of spread(write, 'addr_gen_mode')) if (write.before !== write.value) generateAddress6(device)
  return undefined
}

export function linkdownWritten(write: Write): undefined {
  spread(write, 'ignore_routes_with_linkdown')
  write.namespace.ipv6.fib.flush()
}
