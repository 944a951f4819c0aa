/**
 * Whom one sees, with the rules of either kind: a pod, its node, and what is beyond the node's uplink, on the model.
 *
 *   pod 10.5.72.2 ── 10.5.72.1 node 192.168.77.1 ── 192.168.77.9 beyond, with pods of other nodes: 10.5.2.5
 */
import assert from 'node:assert/strict'
import { describe, test } from 'vitest'
import { MILLISECOND } from '../../../src/model/clock.ts'
import { createModel, type ModelKernel } from '../../../src/model/create.ts'
import { trafficRules } from '../../../src/overlay/rules/rules.ts'
import { reconcile } from '../../../src/reconcile/apply.ts'
import { network, vxlanConfig, vxlanLease } from '../backend/node.ts'

function world() {
  const machine = createModel()
  const [pod, node, beyond] = ['pod', 'node', 'beyond'].map((name) => machine.enter(machine.namespaces.add(name))!)
  join(node!, 'cni0', '10.5.72.1/24', pod!, '10.5.72.2/24')
  join(node!, 'eth0', '192.168.77.1/24', beyond!, '192.168.77.9/24')
  node!.sysctl.set('net/ipv4/ip_forward', '1')
  node!.links.set('lo', { up: true })
  node!.addresses.add({ link: 'lo', prefix: '172.16.0.1/32' })
  beyond!.addresses.add({ link: 'eth', prefix: '10.5.2.5/32' })
  pod!.routes.add({ destination: '0.0.0.0/0', gateway: '10.5.72.1' })
  node!.routes.add({ destination: '10.5.2.0/24', gateway: '192.168.77.9' })
  beyond!.routes.add({ destination: '0.0.0.0/0', gateway: '192.168.77.1' })
  return { machine, pod: pod!, node: node!, beyond: beyond! }
}

function join(node: ModelKernel, link: string, address: string, other: ModelKernel, its: string): void {
  node.links.add({ kind: 'veth', name: link, up: true, peer: { name: 'eth', namespace: other } })
  other.links.set('eth', { up: true })
  node.addresses.add({ link, prefix: address })
  other.addresses.add({ link: 'eth', prefix: its })
}

/** Who it is from for the receiver. */
function seen(machine: ModelKernel, from: ModelKernel, source: string, to: ModelKernel, address: string): string {
  let who = 'nobody'
  const receiver = to.sockets.bindUdp({ address, port: 7777 }, { datagram: ({ address }) => (who = address) })
  const sender = from.sockets.bindUdp({ address: source }, {})
  sender.send({ address, port: 7777 }, new Uint8Array(8))
  machine.model.advance(100 * MILLISECOND)
  receiver.close()
  sender.close()
  return who
}

for (const nftables of [false, true]) {
  describe(nftables ? 'with nftables' : 'with iptables', () => {
    const { machine, pod, node, beyond } = world()
    const options = { masquerade: true, fullyRandom: true, forward: true }
    reconcile(node, trafficRules({ ...network(vxlanConfig), nftables }, vxlanLease(72), options))

    test('a pod has the address of its node for who is not in the network', () =>
      assert.equal(seen(machine, pod, '10.5.72.2', beyond, '192.168.77.9'), '192.168.77.1'))

    test('pods see each other', () => {
      assert.equal(seen(machine, pod, '10.5.72.2', beyond, '10.5.2.5'), '10.5.72.2')
      assert.equal(seen(machine, beyond, '10.5.2.5', pod, '10.5.72.2'), '10.5.2.5')
    })

    test('a pod sees who comes to it from outside', () =>
      assert.equal(seen(machine, beyond, '192.168.77.9', pod, '10.5.72.2'), '192.168.77.9'))

    test('pods of other nodes see the node for whoever comes by way of it, so that answers come back', () =>
      assert.equal(seen(machine, node, '172.16.0.1', beyond, '10.5.2.5'), '192.168.77.1'))
  })
}
