/**
 * Puts the model together: which protocol takes what, and the namespace that it begins with.
 *
 *      const kernel = createModel()
 *      kernel.namespaces.add('pod')        kernel.links.add({ kind: 'veth', … })
 */
import { EtherType } from '../wire/ethernet.ts'
import { IpProtocol } from '../wire/ipv4.ts'
import { arpDeviceEvent, receiveArp } from './arp.ts'
import { icmpProtocol } from './ipv4/icmp-receive.ts'
import { igmpProtocol } from './ipv4/igmp.ts'
import { receiveIpv4 } from './ipv4/input.ts'
import { icmpv6Protocol } from './ipv6/icmp-receive.ts'
import { receiveIpv6 } from './ipv6/input.ts'
import { deviceEvent } from './kernel/device-events.ts'
import { ModelKernel } from './kernel/model-kernel.ts'
import { ModelNamespaces, OWN_PATH } from './kernel/names.ts'
import { Model } from './model.ts'
import { createReceive } from './path/receive.ts'
import { linux618 } from './profile/linux-6.18.ts'
import type { Profile } from './profile/profile.ts'
import { registerTransports } from './socket/sockets.ts'

export { ModelKernel } from './kernel/model-kernel.ts'

/** A machine of its own; the handle is on the namespace that it begins with, whose loopback link is down. */
export function createModel({
  profile = linux618,
  seed,
}: {
  readonly profile?: Profile
  readonly seed?: number
} = {}): ModelKernel {
  const receive = createReceive(
    new Map([
      [EtherType.ipv4, receiveIpv4],
      [EtherType.ipv6, receiveIpv6],
      [EtherType.arp, receiveArp],
    ]),
  )
  const model = new Model({ profile, ...(seed !== undefined && { seed }) }, receive)
  model.deviceListeners.push(deviceEvent, arpDeviceEvent)
  model.ipv4Protocols[IpProtocol.icmp] = icmpProtocol
  model.ipv4Protocols[IpProtocol.igmp] = igmpProtocol
  model.ipv6Protocols[IpProtocol.icmpv6] = icmpv6Protocol
  registerTransports(model)
  const namespaces = new ModelNamespaces(model)
  return new ModelKernel(namespaces, namespaces.create(OWN_PATH), OWN_PATH)
}
