/** A test of a packet path, as somebody who uses overlab writes it. No root, no Linux: the network is in the model. */
import { lab } from 'overlab'
import { expect, test } from 'vitest'
import 'overlab/vitest'

const topology = new URL('./two-nodes.ovl.yml', import.meta.url).pathname

test('web reaches api through its service', async () => {
  const net = await lab(topology)
  expect(net.pod('web-0').tcp('svc/api', 80)).toBeDelivered()
})

test('a lost FDB entry is where the packet ends', async () => {
  const net = await lab(topology)
  await net.fault('lost-fdb')
  const [web, api] = [net.pod('web-0'), net.pod('api-0')]
  expect(web.tcp(api, 8080)).toBeDroppedAt('n1/flannel.1', 'NO_TX_TARGET')
})

test('so is a route that somebody added by hand', async () => {
  const net = await lab(topology)
  await net.node('n1').exec('ip route add blackhole 10.244.1.2')
  expect(net.pod('web-0').icmp('api-0')).toBeDroppedAt('n1/cni0', 'OVL_ROUTE_BLACKHOLE')
})
