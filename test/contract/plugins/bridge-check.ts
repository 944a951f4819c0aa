/** What bridge's CHECK notices: everything that ADD promises, each part broken by somebody else's hand. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, test } from 'vitest'
import { hostVethName } from '../../../src/cni/container.ts'
import { CniCode, type CniError } from '../../../src/cni/errors.ts'
import { bridge } from '../../../src/plugins/bridge.ts'
import { type Attachments, attachments, ipamOf, leased } from '../../support/attachment.ts'
import type { Node, Nodes } from './node.ts'

const hostEnd = (container: string) => hostVethName('lan', { containerId: container, ifName: 'eth0' })

const promises = [
  { part: "the container's interface", breaks: ['ip', '-n', 'c1', 'link', 'del', 'eth0'], says: /eth0/ },
  { part: 'its MAC', breaks: ['ip', '-n', 'c1', 'link', 'set', 'eth0', 'address', '02:00:00:00:00:09'], says: /mac/ },
  {
    part: "the MTU of the pair's end on the node",
    breaks: ['ip', 'link', 'set', hostEnd('c1'), 'mtu', '1300'],
    says: /mtu is 1300 instead of 1400/,
  },
  { part: 'its state', breaks: ['ip', '-n', 'c1', 'link', 'set', 'eth0', 'down'], says: /it is down/ },
  {
    part: 'its address',
    breaks: ['ip', '-n', 'c1', 'addr', 'del', '10.1.2.5/24', 'dev', 'eth0'],
    says: /address 10\.1\.2\.5\/24 dev eth0 is missing/,
  },
  {
    part: 'the default route',
    breaks: ['ip', '-n', 'c1', 'route', 'del', 'default'],
    says: /route 0\.0\.0\.0\/0 via 10\.1\.2\.1 dev eth0 is missing/,
  },
  {
    part: "the default route's gateway",
    breaks: ['ip', '-n', 'c1', 'route', 'replace', 'default', 'via', '10.1.2.7'],
    says: /via 10\.1\.2\.7/,
  },
  {
    part: 'a route in another table',
    breaks: ['ip', '-n', 'c1', 'route', 'flush', 'table', '77'],
    says: /route 10\.7\.0\.0\/16 .*table 77 is missing/,
  },
  {
    part: "a route's MTU",
    breaks: ['ip', '-n', 'c1', 'route', 'change', '10.7.0.0/16', 'via', '10.1.2.1', 'mtu', '1000', 'table', '77'],
    says: /mtu is 1000 instead of 1200/,
  },
  { part: 'forwarding', breaks: ['sysctl', '-qw', 'net.ipv4.ip_forward=0'], says: /ip_forward/ },
  {
    part: "the bridge's address",
    breaks: ['ip', 'addr', 'del', '10.1.2.1/24', 'dev', 'cni0'],
    says: /address 10\.1\.2\.1\/24 dev cni0 is missing/,
  },
  {
    part: "the bridge's MAC",
    breaks: ['ip', 'link', 'set', 'cni0', 'address', '02:00:00:00:00:08'],
    says: /cni0.*mac/,
  },
  { part: "the bridge's state", breaks: ['ip', 'link', 'set', 'cni0', 'down'], says: /"cni0".*it is down/ },
  {
    part: "the host end's place in the bridge",
    breaks: ['ip', 'link', 'set', hostEnd('c1'), 'nomaster'],
    says: /master is not set instead of cni0/,
  },
  { part: "the host end's state", breaks: ['ip', 'link', 'set', hostEnd('c1'), 'down'], says: /it is down/ },
  {
    part: 'hairpin mode',
    breaks: ['bridge', 'link', 'set', 'dev', hostEnd('c1'), 'hairpin', 'off'],
    says: /hairpin is false instead of true/,
  },
  {
    part: 'port isolation',
    breaks: ['bridge', 'link', 'set', 'dev', hostEnd('c1'), 'isolated', 'off'],
    says: /isolated is false instead of true/,
  },
  {
    part: 'the masquerade element',
    breaks: ['nft', 'flush', 'map', 'inet', 'overlab_masquerade', 'containers4'],
    says: /element 10\.1\.2\.5 .* is missing/,
  },
  {
    part: 'the masquerade rules',
    breaks: ['nft', 'flush', 'chain', 'inet', 'overlab_masquerade', 'postrouting'],
    says: /chain inet overlab_masquerade postrouting/,
  },
  {
    part: 'the rules of the subnet',
    breaks: ['nft', 'insert', 'rule', 'inet', 'overlab_masquerade', 'subnet-10.1.2.0/24', 'return'],
    says: /subnet-10\.1\.2\.0\/24/,
  },
  {
    part: 'the spoof check',
    breaks: ['nft', 'flush', 'chain', 'bridge', 'nat', 'PREROUTING'],
    says: /macspoofchk-c1-eth0.* is missing/,
  },
  {
    part: "the spoof check's MAC",
    breaks: ['nft', 'flush', 'chain', 'bridge', 'nat', 'cni-br-iface-c1-eth0-mac'],
    says: /cni-br-iface-c1-eth0-mac/,
  },
]

export function bridgeCheckContract({ name, setUp }: Nodes): void {
  describe(`bridge on ${name}`, () => {
    let node: Node
    let attach: Attachments['attach']
    let addContainer: Attachments['addContainer']
    beforeEach(() => {
      node = setUp()
      ;({ attach, addContainer } = attachments(node))
    })
    afterEach(() => node.tearDown())

    describe('CHECK', () => {
      const attachAll = () => {
        const result = { ...leased('10.1.2.5/24'), routes: [{ dst: '10.7.0.0/16', table: 77, mtu: 1200 }] }
        const network = {
          isDefaultGateway: true,
          ipMasq: true,
          macspoofchk: true,
          hairpinMode: true,
          portIsolation: true,
          mtu: 1400,
        }
        const ipam = ipamOf(result)
        return { ...attach(bridge, network, addContainer('c1'), { ipam }), ipam }
      }

      test('succeeds right after ADD, and asks the IPAM plugin too', async () => {
        const { check, ipam } = attachAll()
        check()
        assert.deepEqual(ipam.calls, ['ADD', 'CHECK'])
      })

      for (const { part, breaks, says } of promises) {
        test(`notices that somebody changed ${part}`, async () => {
          const { check } = attachAll()
          await node.run(breaks[0]!, ...breaks.slice(1))
          assert.throws(check, (error: CniError) => {
            assert.equal(error.code, CniCode.notAsPromised)
            assert.match(`${error.message}\n${error.details ?? ''}`, says)
            return true
          })
        })
      }

      test('does not mind what a later plugin, such as tuning, is there to change', async () => {
        const { check } = attachAll()
        await node.run('ip', '-n', 'c1', 'link', 'set', 'eth0', 'mtu', '1300')
        await node.run('ip', 'netns', 'exec', 'c1', 'sysctl', '-qw', 'net.ipv4.conf.eth0.arp_notify=0')
        check()
      })

      test('does not mind what others added', async () => {
        const { check } = attachAll()
        await node.run('ip', '-n', 'c1', 'route', 'add', '10.99.0.0/16', 'dev', 'eth0')
        await node.run('ip', '-n', 'c1', 'addr', 'add', '192.0.2.1/32', 'dev', 'eth0')
        await node.run('ip', 'addr', 'add', '192.0.2.2/32', 'dev', 'cni0')
        await node.run('nft', 'add', 'table', 'inet', 'foreign')
        check()
      })

      test('succeeds on a network of layer 2, and notices when its interface is down', async () => {
        const { check } = attach(bridge, {}, addContainer('c1'))
        check()
        await node.run('ip', '-n', 'c1', 'link', 'set', 'eth0', 'down')
        assert.throws(check, { code: CniCode.notAsPromised })
      })
    })
  })
}
