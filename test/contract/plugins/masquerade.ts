/** Masquerade of bridge's containers: what others see of them, and whose the rules are. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, test } from 'vitest'
import { bridge } from '../../../src/plugins/bridge.ts'
import { type Attachments, attachments, ipamOf, leased } from '../../support/attachment.ts'
import type { Node, Nodes } from './node.ts'

const PORT = 7777
const v4 = () => ipamOf(leased('10.1.2.5/24'))

export function masqueradeContract({ name, hasIptables, setUp }: Nodes): void {
  describe(`masquerade on ${name}`, () => {
    let node: Node
    let attach: Attachments['attach']
    let addContainer: Attachments['addContainer']
    beforeEach(() => {
      node = setUp()
      ;({ attach, addContainer } = attachments(node))
    })
    afterEach(() => node.tearDown())
    const inside = (name: string) => node.kernel.enter(`/run/netns/${name}`)!

    /** The address that who listens there sees of the container. */
    async function seenFrom(container: string, listener: string, target: string): Promise<string | undefined> {
      let seen: string | undefined
      const server = inside(listener).sockets.listenTcp({ port: PORT }, ({ remote }) => {
        seen = remote.address
        return {}
      })
      const client = inside(container).sockets.connectTcp({ address: target, port: PORT }, {})
      await node.eventually(() => seen !== undefined, `${target} hears of ${container}`)
      client.abort()
      server.close()
      return seen
    }

    for (const backend of hasIptables ? ['nftables', 'iptables'] : ['nftables']) {
      test(`by ${backend} shows others the node's address, neighbours the container's own`, async () => {
        const network = { isDefaultGateway: true, ipMasq: true, ipMasqBackend: backend }
        attach(bridge, network, addContainer('c1'), { ipam: v4() })
        attach(bridge, network, addContainer('c2'), { ipam: ipamOf(leased('10.1.2.6/24')) })
        // Through the node, whose postrouting chain would not see it otherwise.
        inside('c1').routes.add({ destination: '10.1.2.6/32', gateway: '10.1.2.1' })
        const { netns } = addContainer('out')
        const out = node.kernel.enter(netns)!
        node.kernel.links.add({ kind: 'veth', name: 'up0', peer: { name: 'up1', namespace: out } })
        for (const [kernel, link, prefix] of [
          [node.kernel, 'up0', '198.51.100.1/24'],
          [out, 'up1', '198.51.100.2/24'],
        ] as const) {
          kernel.addresses.add({ link, prefix })
          kernel.links.set(link, { up: true })
        }
        assert.equal(await seenFrom('c1', 'out', '198.51.100.2'), '198.51.100.1')
        assert.equal(await seenFrom('c1', 'c2', '10.1.2.6'), '10.1.2.5')
      })
    }

    test('takes over the element of a container that went without DEL', async () => {
      attach(bridge, { ipMasq: true }, addContainer('c1'), { ipam: v4() })
      node.kernel.namespaces.delete('c1')
      const { check, del } = attach(bridge, { ipMasq: true }, addContainer('c2'), { ipam: v4() })
      check()
      assert.match(await node.run('nft', 'list', 'ruleset'), /10\.1\.2\.5 comment "lan c2 eth0"/)
      del()
      assert.doesNotMatch(await node.run('nft', 'list', 'ruleset'), /10\.1\.2\.5/)
    })

    test("DEL leaves an element that is another container's by now", async () => {
      const first = attach(bridge, { ipMasq: true }, addContainer('c1'), { ipam: v4() })
      node.kernel.namespaces.delete('c1')
      attach(bridge, { ipMasq: true }, addContainer('c2'), { ipam: v4() })
      first.del()
      assert.match(await node.run('nft', 'list', 'ruleset'), /10\.1\.2\.5 comment "lan c2 eth0"/)
    })

    if (!hasIptables) return

    test('follows a network that has the rules of iptables', async () => {
      attach(bridge, { ipMasq: true, ipMasqBackend: 'iptables' }, addContainer('c1'), { ipam: v4() })
      const second = attach(bridge, { ipMasq: true }, addContainer('c2'), { ipam: ipamOf(leased('10.1.2.6/24')) })
      const rules = () => node.run('iptables-save', '-t', 'nat')
      assert.match(await rules(), /-s 10\.1\.2\.6\/32 .*"name: \\"lan\\" id: \\"c2\\"" -j CNI-[0-9a-f]{24}/)
      second.check()
      second.del()
      assert.doesNotMatch(await rules(), /10\.1\.2\.6/)
      assert.match(await rules(), /10\.1\.2\.5/)
    })

    test('has one chain for two interfaces of a container, with each rule once', async () => {
      const container = addContainer('c1')
      const network = { ipMasq: true, ipMasqBackend: 'iptables' }
      attach(bridge, network, container, { ipam: v4() })
      attach(bridge, network, container, { ipam: ipamOf(leased('10.1.2.6/24')), ifName: 'eth1' })
      const rules = (await node.run('iptables-save', '-t', 'nat')).split('\n')
      assert.equal(rules.filter((rule) => rule.startsWith('-A CNI-')).length, 2)
      assert.equal(rules.filter((rule) => rule.startsWith('-A POSTROUTING')).length, 2)
    })
  })
}
