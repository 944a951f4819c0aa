/** What routed does on a node: ADD, CHECK, DEL, GC and STATUS. Seen through iproute2. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, test } from 'vitest'
import { hostVethName } from '../../../src/cni/container.ts'
import { CniCode } from '../../../src/cni/errors.ts'
import { routed } from '../../../src/plugins/routed.ts'
import { type Attachments, attachments, ipamOf, leased, surroundingsOn } from '../../support/attachment.ts'
import { networkConfig } from '../../support/configuration.ts'
import { failingAt } from '../../support/failing-kernel.ts'
import type { Node, Nodes } from './node.ts'

const hostEnd = (container: string) => hostVethName('lan', { containerId: container, ifName: 'eth0' }, 'cali')
const dual = (n: number) => ipamOf(leased(`10.244.1.${n}/26`, `fd00:244::${n}/122`))

export function routedContract({ name, setUp }: Nodes): void {
  describe(`routed on ${name}`, () => {
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
    const answers = async (from: string, to: string) => {
      const { outcome } = await inside(from).ping(to, { timeout: 2000 })
      assert.equal(outcome, 'reply', `${from} pings ${to}`)
    }

    test('ADD gives the container an address alone, a gateway that is nobody, and the node a route', async () => {
      const container = addContainer('c1')
      const { result } = attach(routed, { mtu: 1400 }, container, { ipam: dual(5) })
      const [end] = await json('ip', 'addr', 'show', hostEnd('c1'))
      assert.deepEqual([end.address, end.mtu, end.operstate], ['ee:ee:ee:ee:ee:ee', 1400, 'UP'])
      const [own] = await json('ip', '-n', 'c1', 'addr', 'show', 'eth0')
      const global = own.addr_info.filter(({ scope }: { scope: string }) => scope === 'global')
      assert.deepEqual(
        global.map(({ local, prefixlen }: { local: string; prefixlen: number }) => `${local}/${prefixlen}`),
        ['10.244.1.5/32', 'fd00:244::5/128'],
      )
      const routes = await json('ip', '-n', 'c1', 'route', 'show')
      assert.deepEqual(
        routes.map(({ dst, gateway, dev, scope }: Record<string, string>) => ({ dst, gateway, dev, scope })),
        [
          { dst: 'default', gateway: '169.254.1.1', dev: 'eth0', scope: undefined },
          { dst: '169.254.1.1', gateway: undefined, dev: 'eth0', scope: 'link' },
        ],
      )
      const [default6] = await json('ip', '-n', 'c1', '-6', 'route', 'show', 'default')
      assert.deepEqual([default6.gateway, default6.dev], ['fe80::ecee:eeff:feee:eeee', 'eth0'])
      const [way] = await json('ip', 'route', 'show', '10.244.1.5')
      assert.deepEqual([way.dst, way.dev, way.scope], ['10.244.1.5', hostEnd('c1'), 'link'])
      const [way6] = await json('ip', '-6', 'route', 'show', 'fd00:244::5')
      assert.deepEqual([way6.dst, way6.dev], ['fd00:244::5', hostEnd('c1')])
      assert.deepEqual(result, {
        interfaces: [
          { name: hostEnd('c1'), mac: 'ee:ee:ee:ee:ee:ee', mtu: 1400 },
          { name: 'eth0', mac: own.address, mtu: 1400, sandbox: container.netns },
        ],
        ips: [
          { address: '10.244.1.5/32', gateway: '169.254.1.1', interface: 1 },
          { address: 'fd00:244::5/128', gateway: 'fe80::ecee:eeff:feee:eeee', interface: 1 },
        ],
        routes: [
          { dst: '0.0.0.0/0', gw: '169.254.1.1' },
          { dst: '::/0', gw: 'fe80::ecee:eeff:feee:eeee' },
        ],
        dns: {},
      })
    })

    test('two containers reach each other at once, on a node that has no other route', async () => {
      attach(routed, {}, addContainer('c1'), { ipam: dual(5) })
      attach(routed, {}, addContainer('c2'), { ipam: dual(6) })
      for (const target of ['10.244.1.6', 'fd00:244::6']) await answers('c1', target)
    })

    test('a container that has forgotten its gateway finds it again, where the node has another route', async () => {
      attach(routed, {}, addContainer('c1'), { ipam: dual(5) })
      attach(routed, {}, addContainer('c2'), { ipam: dual(6) })
      const outside = addContainer('outside')
      node.kernel.links.add({ kind: 'veth', name: 'up0', peer: { name: 'eth0', namespace: inside(outside.name) } })
      node.kernel.addresses.add({ link: 'up0', prefix: '192.0.2.1/24' })
      node.kernel.links.set('up0', { up: true })
      inside('outside').links.set('eth0', { up: true })
      node.kernel.routes.add({ destination: '0.0.0.0/0', gateway: '192.0.2.2' })
      inside('c1').neighbours.delete({ link: 'eth0', address: '169.254.1.1' })
      await answers('c1', '10.244.1.6')
    })

    test('the node reaches the container, from its own address', async () => {
      node.kernel.links.set('lo', { up: true })
      node.kernel.addresses.add({ link: 'lo', prefix: '192.0.2.1/32' })
      attach(routed, {}, addContainer('c1'), { ipam: dual(5) })
      const { outcome } = await node.kernel.ping('10.244.1.5', { timeout: 2000 })
      assert.equal(outcome, 'reply')
      await answers('c1', '192.0.2.1')
    })

    test('pods of two nodes reach each other by static routes', async () => {
      // The second node is a namespace that the first one has a link to.
      const other = addContainer('n2')
      const n2 = inside('n2')
      node.kernel.links.add({ kind: 'veth', name: 'up0', peer: { name: 'up0', namespace: n2 } })
      for (const [kernel, address, peer, block] of [
        [node.kernel, '192.0.2.1', '192.0.2.2', '10.244.2.0/26'],
        [n2, '192.0.2.2', '192.0.2.1', '10.244.1.0/26'],
      ] as const) {
        kernel.addresses.add({ link: 'up0', prefix: `${address}/24` })
        kernel.links.set('up0', { up: true })
        kernel.routes.add({ destination: block, gateway: peer })
      }
      attach(routed, {}, addContainer('c1'), { ipam: dual(5) })
      attachments({ ...node, kernel: n2 as typeof node.kernel }).attach(routed, {}, addContainer('c2'), {
        ipam: ipamOf(leased('10.244.2.5/26')),
      })
      await answers('c1', '10.244.2.5')
      await answers('c2', '10.244.1.5')
      assert.equal(other.name, 'n2')
    })

    test("only the IPAM plugin's routes lead to the node when it is not the default gateway", () => {
      const ipam = ipamOf({ ...leased('10.244.1.5/26'), routes: [{ dst: '10.0.0.0/8', gw: '10.244.1.1' }] })
      attach(routed, { isDefaultGateway: false }, addContainer('c1'), { ipam })
      const routes = inside('c1').routes.list({ family: 'ipv4', table: 254 })
      assert.deepEqual(routes.map(({ destination, gateway }) => `${destination} ${gateway ?? 'link'}`).sort(), [
        '10.0.0.0/8 169.254.1.1',
        '169.254.1.1/32 link',
      ])
    })

    test('CHECK finds what is missing', () => {
      const attached = attach(routed, { mtu: 1400 }, addContainer('c1'), { ipam: dual(5) })
      attached.check()
      const breaks: readonly [string, () => void, () => void][] = [
        [
          '10.244.1.5/32',
          () => node.kernel.routes.delete({ destination: '10.244.1.5/32' }),
          () => node.kernel.routes.add({ destination: '10.244.1.5/32', link: hostEnd('c1'), scope: 'link' }),
        ],
        [
          'proxy_arp',
          () => node.kernel.sysctl.set(`net/ipv4/conf/${hostEnd('c1')}/proxy_arp`, '0'),
          () => node.kernel.sysctl.set(`net/ipv4/conf/${hostEnd('c1')}/proxy_arp`, '1'),
        ],
        [
          '169.254.1.1',
          () => inside('c1').neighbours.delete({ link: 'eth0', address: '169.254.1.1' }),
          () => inside('c1').neighbours.add({ link: 'eth0', address: '169.254.1.1', mac: 'ee:ee:ee:ee:ee:ee' }),
        ],
        [
          '0.0.0.0/0',
          () => inside('c1').routes.delete({ destination: '0.0.0.0/0' }),
          () => inside('c1').routes.add({ destination: '0.0.0.0/0', gateway: '169.254.1.1' }),
        ],
        ['mtu', () => node.kernel.links.set(hostEnd('c1'), { mtu: 1300 }), () => {}],
      ]
      for (const [what, spoil, mend] of breaks) {
        spoil()
        assert.throws(attached.check, { code: CniCode.notAsPromised, message: new RegExp(what.replaceAll('.', '\\.')) })
        mend()
        if (what !== 'mtu') attached.check()
      }
    })

    test('DEL takes everything away, twice, and when the namespace is gone', () => {
      const ipam = dual(5)
      const attached = attach(routed, {}, addContainer('c1'), { ipam })
      attached.del()
      attached.del()
      assert.equal(node.kernel.links.get(hostEnd('c1')), undefined)
      assert.ok(!node.kernel.routes.list().some(({ destination }) => destination.startsWith('10.244.1.5')))
      assert.deepEqual(ipam.calls, ['ADD', 'DEL', 'DEL'])
      const gone = attach(routed, {}, addContainer('c2'), { ipam: dual(6) })
      node.kernel.namespaces.delete('c2')
      gone.del()
      assert.equal(node.kernel.links.get(hostEnd('c2')), undefined)
    })

    test('ADD leaves nothing, whichever of its calls the kernel refuses', () => {
      const container = addContainer('c1')
      const names = () => node.kernel.links.list().map(({ name }) => name)
      const before = names()
      for (let step = 0; ; step++) {
        const ipam = dual(5)
        try {
          attach(routed, {}, container, { ipam, kernel: failingAt(node.kernel, step) })
          assert.ok(step > 10, `ADD made ${step} calls alone`)
          return
        } catch (error) {
          assert.match((error as Error).message, /on purpose/)
        }
        assert.deepEqual(names(), before, `step ${step}`)
        assert.equal(inside('c1').links.get('eth0'), undefined, `step ${step}`)
        if (ipam.calls.length > 0) assert.equal(ipam.calls.at(-1), 'DEL', `step ${step}`)
      }
    })

    test('ADD refuses an address that the node has another way to, and says which', () => {
      attach(routed, {}, addContainer('c1'), { ipam: dual(5) })
      const second = addContainer('c2')
      assert.throws(() => attach(routed, {}, second, { ipam: dual(5) }), {
        code: CniCode.conflict,
        message: new RegExp(hostEnd('c1')),
      })
      assert.equal(node.kernel.links.get(hostEnd('c2')), undefined)
      assert.ok(node.kernel.routes.list().some(({ destination }) => destination === '10.244.1.5/32'))
    })

    test('GC removes the pairs of attachments that are no longer valid, and no others', () => {
      for (const [n, name] of ['c1', 'c2'].entries()) attach(routed, {}, addContainer(name), { ipam: dual(n + 5) })
      attach(routed, { name: 'wan' }, addContainer('c3'), { ipam: dual(9) })
      const ipam = dual(5)
      const config = routed.parseConfig(networkConfig({ ipam: { type: 'told' } }))
      routed.gc!({ config, validAttachments: [{ containerId: 'c2', ifName: 'eth0' }] }, surroundingsOn(node, ipam))
      const left = node.kernel.links.list().filter(({ name }) => name.startsWith('cali'))
      assert.deepEqual(
        left.map(({ name }) => name).sort(),
        [hostEnd('c2'), hostVethName('wan', { containerId: 'c3', ifName: 'eth0' }, 'cali')].sort(),
      )
      assert.deepEqual(ipam.calls, ['GC'])
    })

    test('STATUS refuses a network without IPAM, and asks the IPAM plugin of another', () => {
      const ipam = dual(5)
      const status = (members: object) =>
        routed.status!({ config: routed.parseConfig(networkConfig(members)) }, surroundingsOn(node, ipam))
      assert.throws(() => status({}), { code: CniCode.invalidConfig })
      assert.throws(() => status({ ipam: { type: 'told' }, mtu: 20 }), { code: CniCode.invalidConfig })
      status({ ipam: { type: 'told' } })
      assert.deepEqual(ipam.calls, ['STATUS'])
    })
  })
}
