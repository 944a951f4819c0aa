/** What bridge does on a node: ADD, DEL, GC and STATUS. Seen through iproute2 and nft. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, test } from 'vitest'
import { hostVethName } from '../../../src/cni/container.ts'
import { CniCode } from '../../../src/cni/errors.ts'
import { bridge } from '../../../src/plugins/bridge.ts'
import {
  type Attachments,
  type AttachOptions,
  attachments,
  ipamOf,
  leased,
  surroundingsOn,
} from '../../support/attachment.ts'
import { networkConfig } from '../../support/configuration.ts'
import { failingAt } from '../../support/failing-kernel.ts'
import type { Node, Nodes } from './node.ts'

const hostEnd = (container: string) => hostVethName('lan', { containerId: container, ifName: 'eth0' })
const v4 = () => ipamOf(leased('10.1.2.5/24'))
const dual = () => ipamOf(leased('10.1.2.5/24', 'fd00:2::5/64'))

export function bridgeContract({ name, setUp, known = {} }: Nodes): void {
  const claim = (title: string, check: () => void | Promise<void>) => test(title, { fails: title in known }, check)

  describe(`bridge on ${name}`, () => {
    let node: Node
    let attach: Attachments['attach']
    let addContainer: Attachments['addContainer']
    beforeEach(() => {
      node = setUp()
      ;({ attach, addContainer } = attachments(node))
    })
    afterEach(() => node.tearDown())
    const inside = (name: string) => node.kernel.enter(`/run/netns/${name}`)!
    // biome-ignore lint/suspicious/noExplicitAny: what ip prints
    const json = async (program: string, ...args: string[]): Promise<any> =>
      JSON.parse((await node.run(program, '-j', ...args)) || '[]')

    describe('ADD', () => {
      claim('joins the container to the bridge', async () => {
        const container = addContainer('c1')
        const { result } = attach(bridge, { isDefaultGateway: true, mtu: 1400 }, container, { ipam: v4() })
        const [br] = await json('ip', 'addr', 'show', 'cni0')
        assert.deepEqual([br.addr_info[0].local, br.addr_info[0].prefixlen, br.mtu], ['10.1.2.1', 24, 1400])
        const [port] = await json('ip', '-d', 'link', 'show', hostEnd('c1'))
        assert.deepEqual([port.master, port.mtu, port.operstate], ['cni0', 1400, 'UP'])
        const [own] = await json('ip', '-n', 'c1', 'addr', 'show', 'eth0')
        assert.deepEqual([own.addr_info[0].local, own.mtu], ['10.1.2.5', 1400])
        const [route] = await json('ip', '-n', 'c1', 'route', 'show', 'default')
        assert.deepEqual([route.gateway, route.dev], ['10.1.2.1', 'eth0'])
        assert.deepEqual(result.interfaces, [
          { name: 'cni0', mac: br.address, mtu: 1400 },
          { name: hostEnd('c1'), mac: port.address, mtu: 1400 },
          { name: 'eth0', mac: own.address, mtu: 1400, sandbox: container.netns },
        ])
        assert.deepEqual(result.ips, [{ address: '10.1.2.5/24', gateway: '10.1.2.1', interface: 2 }])
        assert.deepEqual(result.routes, [{ dst: '0.0.0.0/0', gw: '10.1.2.1' }])
      })

      claim('lets two containers reach each other and the gateway', async () => {
        const network = { isDefaultGateway: true }
        attach(bridge, network, addContainer('c1'), { ipam: dual() })
        attach(bridge, network, addContainer('c2'), { ipam: ipamOf(leased('10.1.2.6/24', 'fd00:2::6/64')) })
        for (const target of ['10.1.2.6', '10.1.2.1', 'fd00:2::6', 'fd00:2::1']) {
          const { outcome } = await inside('c1').ping(target, { timeout: 2000 })
          assert.equal(outcome, 'reply', target)
        }
      })

      claim('has duplicate addresses looked for when it is asked to, and waits for it then', async () => {
        const isTentative = (name: string) =>
          inside(name)
            .addresses.list('eth0')
            .some(({ scope, tentative, prefix }) => scope === 'global' && prefix.includes(':') && tentative)
        attach(bridge, { isGateway: true }, addContainer('c1'), { ipam: dual() })
        assert.equal(inside('c1').sysctl.get('net/ipv6/conf/eth0/accept_dad'), '0')
        assert.ok(!isTentative('c1'))
        attach(bridge, { isGateway: true, enabledad: true }, addContainer('c2'), {
          ipam: ipamOf(leased('fd00:2::6/64')),
        })
        assert.equal(inside('c2').sysctl.get('net/ipv6/conf/eth0/accept_dad'), '1')
        assert.ok(!isTentative('c2'))
      })

      claim('gives a route its MTU, metric, table and several gateways', async () => {
        const result = {
          ...leased('10.1.2.5/24', 'fd00:2::5/64'),
          routes: [
            { dst: '10.20.0.0/16', mtu: 1300, advmss: 1200, priority: 7, table: 100 },
            { dst: 'fd00:9::/64', gw: 'fd00:2::8' },
            { dst: 'fd00:9::/64', gw: 'fd00:2::9' },
          ],
        }
        const { check } = attach(bridge, { isGateway: true }, addContainer('c1'), { ipam: ipamOf(result) })
        const text = await node.run('ip', '-n', 'c1', 'route', 'show', 'table', '100')
        assert.match(text, /10\.20\.0\.0\/16 via 10\.1\.2\.1 dev eth0 metric 7 mtu 1300 advmss 1200/)
        const multipath = await node.run('ip', '-n', 'c1', '-6', 'route', 'show', 'fd00:9::/64')
        assert.match(multipath, /via fd00:2::8/)
        assert.match(multipath, /via fd00:2::9/)
        check()
      })

      claim('refuses a second interface of the same name and leaves the first alone', async () => {
        const container = addContainer('c1')
        const { check } = attach(bridge, {}, container, { ipam: v4() })
        const ipam = v4()
        assert.throws(() => attach(bridge, { name: 'other' }, container, { ipam }), { code: CniCode.conflict })
        assert.deepEqual(ipam.calls, [], 'whoever holds the address of the first keeps it')
        check()
      })

      claim('refuses a bridge that is something else, before any address is taken', async () => {
        await node.run('ip', 'link', 'add', 'cni0', 'type', 'veth', 'peer', 'name', 'other0')
        const ipam = v4()
        assert.throws(() => attach(bridge, {}, addContainer('c1'), { ipam }), /Cannot use "cni0" as a bridge/)
        assert.deepEqual(ipam.calls, [])
        await node.run('ip', 'link', 'del', 'cni0')
      })

      claim('refuses another subnet on the bridge, or replaces it with forceAddress', async () => {
        attach(bridge, { isGateway: true }, addContainer('c1'), { ipam: v4() })
        const other = () => ipamOf(leased('10.9.0.5/24'))
        const container = addContainer('c2')
        assert.throws(() => attach(bridge, { isGateway: true }, container, { ipam: other() }), {
          code: CniCode.conflict,
          message: /10\.9\.0\.1\/24.*10\.1\.2\.1\/24.*forceAddress/,
        })
        attach(bridge, { isGateway: true, forceAddress: true }, container, { ipam: other() })
        const [br] = await json('ip', '-4', 'addr', 'show', 'cni0')
        assert.deepEqual(
          br.addr_info.map(({ local }: { local: string }) => local),
          ['10.9.0.1'],
        )
      })

      claim('leaves nothing of the container behind, whichever step fails', async () => {
        attach(bridge, {}, addContainer('c0'), { ipam: ipamOf(leased('10.1.2.9/24')) }).del() // the bridge is there
        const network = { isDefaultGateway: true, ipMasq: true, macspoofchk: true }
        let steps = 0
        for (let failed = true; failed; steps++) {
          const container = addContainer('c1')
          const ipam = v4()
          const attempt: AttachOptions = { ipam, kernel: failingAt(node.kernel, steps) }
          try {
            attach(bridge, network, container, attempt).del()
            failed = false
          } catch (error) {
            assert.match((error as Error).message, /Cannot fail on purpose/)
            assert.equal(node.kernel.links.get(hostEnd('c1')), undefined, `step ${steps} leaves the host's end`)
            if (ipam.calls.length > 0) assert.deepEqual(ipam.calls, ['ADD', 'DEL'], `step ${steps} keeps the address`)
          }
          assert.doesNotMatch(
            await node.run('nft', 'list', 'ruleset'),
            /10\.1\.2\.5|macspoofchk-c1/,
            `step ${steps} leaves rules`,
          )
          node.kernel.namespaces.delete('c1')
        }
        assert.ok(steps > 15, `only ${steps} steps were tried`)
      })

      claim('gives the address back when the IPAM plugin itself fails', async () => {
        const ipam = ipamOf(new Error('No address is left'))
        assert.throws(() => attach(bridge, {}, addContainer('c1'), { ipam }), /No address is left/)
        assert.deepEqual(ipam.calls, ['ADD', 'DEL'])
        assert.equal(node.kernel.links.get('cni0'), undefined, 'there is no bridge for nothing')
      })

      claim('pins the MAC of a bridge that has the gateway, also of one that had lost its last port', async () => {
        await node.run('ip', 'link', 'add', 'cni0', 'type', 'bridge')
        await node.run('ip', 'link', 'add', 'p0', 'type', 'veth', 'peer', 'name', 'p1')
        await node.run('ip', 'link', 'set', 'p0', 'master', 'cni0')
        await node.run('ip', 'link', 'del', 'p0')
        const { result, check } = attach(bridge, { isGateway: true }, addContainer('c1'), { ipam: v4() })
        assert.notEqual(result.interfaces[0]!.mac, '00:00:00:00:00:00')
        attach(bridge, { isGateway: true }, addContainer('c2'), { ipam: ipamOf(leased('10.1.2.6/24')) })
        assert.equal((await json('ip', 'link', 'show', 'cni0'))[0].address, result.interfaces[0]!.mac)
        check()
      })
    })

    describe('DEL', () => {
      const network = { isGateway: true, ipMasq: true, macspoofchk: true }
      const bare = { containerId: 'c1', ifName: 'eth0', netns: '', args: '' }

      claim('leaves only what containers share, and succeeds twice', async () => {
        const ipam = v4()
        const { del } = attach(bridge, network, addContainer('c1'), { ipam })
        del()
        del()
        assert.deepEqual(ipam.calls, ['ADD', 'DEL', 'DEL'])
        assert.deepEqual(await json('ip', 'link', 'show', 'type', 'veth'), [])
        assert.doesNotMatch(await node.run('nft', 'list', 'ruleset'), /10\.1\.2\.5|macspoofchk/)
        assert.ok(node.kernel.links.get('cni0'))
      })

      claim('without CNI_NETNS and prevResult finds the host end, the element and the spoof check', async () => {
        attach(bridge, network, addContainer('c1'), { ipam: v4() })
        const config = bridge.parseConfig(networkConfig({ ...network, ipam: { type: 'told' } }))
        bridge.del({ ...bare, config }, surroundingsOn(node, v4()))
        assert.equal(node.kernel.links.get(hostEnd('c1')), undefined)
        assert.doesNotMatch(await node.run('nft', 'list', 'ruleset'), /10\.1\.2\.5|macspoofchk/)
      })

      claim('goes on when a step fails, and tells of the first', async () => {
        attach(bridge, network, addContainer('c1'), { ipam: v4() })
        const config = bridge.parseConfig(networkConfig({ ...network, ipam: { type: 'told' } }))
        const ipam = { ...v4(), del: () => assert.fail('The IPAM plugin is broken') }
        assert.throws(() => bridge.del({ ...bare, config }, surroundingsOn(node, ipam)), /The IPAM plugin is broken/)
        assert.doesNotMatch(await node.run('nft', 'list', 'ruleset'), /10\.1\.2\.5|macspoofchk/)
      })
    })

    describe('GC', () => {
      claim('removes what belongs to no valid attachment of this network, and nothing else', async () => {
        const network = { isGateway: true, ipMasq: true, macspoofchk: true }
        for (const [i, name] of ['c1', 'c2', 'c3'].entries()) {
          attach(bridge, network, addContainer(name), { ipam: ipamOf(leased(`10.1.2.${5 + i}/24`)) })
        }
        attach(bridge, { ...network, name: 'other' }, addContainer('c4'), { ipam: ipamOf(leased('10.1.2.8/24')) })
        await node.run('ip', 'link', 'add', 'veth12345678', 'type', 'veth', 'peer', 'name', 'p1')
        await node.run('ip', 'link', 'set', 'veth12345678', 'master', 'cni0')
        const ipam = v4()
        const config = bridge.parseConfig(networkConfig({ ...network, ipam: { type: 'told' } }))
        bridge.gc!({ config, validAttachments: [{ containerId: 'c1', ifName: 'eth0' }] }, surroundingsOn(node, ipam))
        assert.deepEqual(ipam.calls, ['GC'])
        const ruleset = await node.run('nft', 'list', 'ruleset')
        for (const kept of ['10.1.2.5', '10.1.2.8', 'macspoofchk-c1', 'macspoofchk-c4'])
          assert.ok(ruleset.includes(kept), kept)
        for (const gone of ['10.1.2.6', '10.1.2.7', 'macspoofchk-c2', 'macspoofchk-c3'])
          assert.ok(!ruleset.includes(gone), gone)
        const links = node.kernel.links.list().map(({ name }) => name)
        assert.ok(links.includes(hostEnd('c1')) && links.includes('veth12345678'))
        assert.ok(!links.includes(hostEnd('c2')) && !links.includes(hostEnd('c3')))
        node.kernel.links.delete('veth12345678')
      })
    })

    claim('STATUS asks the IPAM plugin, and says when a link is in the way of the bridge', async () => {
      const ipam = v4()
      const status = () => {
        const config = bridge.parseConfig(networkConfig({ ipam: { type: 'told' } }))
        bridge.status!({ config }, surroundingsOn(node, ipam))
      }
      status()
      assert.deepEqual(ipam.calls, ['STATUS'])
      await node.run('ip', 'link', 'add', 'cni0', 'type', 'veth', 'peer', 'name', 'other0')
      assert.throws(status, { code: CniCode.notAvailable })
      await node.run('ip', 'link', 'del', 'cni0')
    })
  })
}
