/**
 * The module ipip: loaded when the first such link is made, and every namespace has a `tunl0` from then on (ipip_init_net), which
 * takes what comes from hosts that are no other device's remote. Source: net/ipv4/ipip.c, net/ipv4/ip_tunnel.c.
 */
import { IpProtocol } from '../../wire/ipv4.ts'
import { Ipip } from '../device/ipip.ts'
import { addIpip } from '../device/ipip-lookup.ts'
import { ipipProtocol } from '../device/ipip-receive.ts'
import type { Model } from '../model.ts'
import type { Namespace } from '../namespace.ts'
import { registerDevice } from './register.ts'

export function loadIpip(model: Model): void {
  if (model.ipv4Protocols[IpProtocol.ipip]) return
  model.ipv4Protocols[IpProtocol.ipip] = ipipProtocol
  model.namespaceListeners.push(addFallback)
  for (const namespace of model.namespaces.values()) addFallback(namespace)
}

function addFallback(namespace: Namespace): void {
  const nothing = { local: 0, remote: 0, ttl: 0, tos: 0, pathMtuDiscovery: false }
  const device = new Ipip(namespace, { name: 'tunl0', ...nothing, isFallback: true })
  registerDevice(device)
  addIpip(device)
}
