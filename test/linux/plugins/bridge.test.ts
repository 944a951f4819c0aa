/** bridge on the real kernel, seen through iproute2, bridge and nft. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { afterEach, describe, test } from 'vitest'
import { deleteLink, hostVethName } from '../../../src/cni/container.ts'
import { CniCode, type CniError } from '../../../src/cni/errors.ts'
import type { Kernel } from '../../../src/kernel/kernel.ts'
import { host } from '../../../src/linux/host.ts'
import { linux } from '../../../src/linux/linux.ts'
import { bridge } from '../../../src/plugins/bridge.ts'
import { type AttachOptions, addContainer, attach, ipamOf, leased } from '../../support/attachment.ts'
import { run } from '../../support/command.ts'
import { networkConfig } from '../../support/configuration.ts'
import { failingAt } from '../../support/failing-kernel.ts'

const inContainer = (name: string, ...command: string[]) => run('ip', 'netns', 'exec', name, ...command)
// biome-ignore lint/suspicious/noExplicitAny: what ip, bridge and nft print
const json = (program: string, ...args: string[]): any => JSON.parse(run(program, '-j', ...args) || '[]')
const sysctl = (container: string, key: string) => inContainer(container, 'cat', `/proc/sys/${key}`).trim()
const hostEnd = (container: string) => hostVethName('lan', { containerId: container, ifName: 'eth0' })
const v4 = () => ipamOf(leased('10.1.2.5/24'))
const dual = () => ipamOf(leased('10.1.2.5/24', 'fd00:2::5/64'))

afterEach(() => {
  for (const { name, kind } of linux.links.list()) if (kind === 'veth') deleteLink(linux, name)
  for (const name of linux.namespaces.list()) linux.namespaces.delete(name)
  for (const link of linux.links.list()) if (link.kind === 'bridge') linux.links.delete(link.name)
  run('nft', 'flush', 'ruleset')
})

describe('ADD', () => {
  test('joins the container to the bridge', () => {
    const container = addContainer('c1')
    const { result } = attach(bridge, { isDefaultGateway: true, mtu: 1400 }, container, { ipam: v4() })
    const [br] = json('ip', 'addr', 'show', 'cni0')
    assert.deepEqual([br.addr_info[0].local, br.addr_info[0].prefixlen, br.mtu], ['10.1.2.1', 24, 1400])
    const [port] = json('ip', '-d', 'link', 'show', hostEnd('c1'))
    assert.deepEqual([port.master, port.mtu, port.operstate], ['cni0', 1400, 'UP'])
    const [own] = json('ip', '-n', 'c1', 'addr', 'show', 'eth0')
    assert.deepEqual([own.addr_info[0].local, own.mtu], ['10.1.2.5', 1400])
    const [route] = json('ip', '-n', 'c1', 'route', 'show', 'default')
    assert.deepEqual([route.gateway, route.dev], ['10.1.2.1', 'eth0'])
    assert.deepEqual(result.interfaces, [
      { name: 'cni0', mac: br.address, mtu: 1400 },
      { name: hostEnd('c1'), mac: port.address, mtu: 1400 },
      { name: 'eth0', mac: own.address, mtu: 1400, sandbox: container.netns },
    ])
    assert.deepEqual(result.ips, [{ address: '10.1.2.5/24', gateway: '10.1.2.1', interface: 2 }])
    assert.deepEqual(result.routes, [{ dst: '0.0.0.0/0', gw: '10.1.2.1' }])
  })

  test('lets two containers reach each other and the gateway', () => {
    const network = { isDefaultGateway: true }
    attach(bridge, network, addContainer('c1'), { ipam: dual() })
    attach(bridge, network, addContainer('c2'), { ipam: ipamOf(leased('10.1.2.6/24', 'fd00:2::6/64')) })
    for (const target of ['10.1.2.6', '10.1.2.1', 'fd00:2::6', 'fd00:2::1']) {
      inContainer('c1', 'ping', '-c1', '-W2', target)
    }
  })

  test('has duplicate addresses looked for when it is asked to, and waits for it then', () => {
    const isTentative = (name: string) =>
      json('ip', '-n', name, '-6', 'addr', 'show', 'eth0', 'scope', 'global')[0].addr_info[0].tentative === true
    attach(bridge, { isGateway: true }, addContainer('c1'), { ipam: dual() })
    assert.equal(sysctl('c1', 'net/ipv6/conf/eth0/accept_dad'), '0')
    assert.ok(!isTentative('c1'))
    attach(bridge, { isGateway: true, enabledad: true }, addContainer('c2'), { ipam: ipamOf(leased('fd00:2::6/64')) })
    assert.equal(sysctl('c2', 'net/ipv6/conf/eth0/accept_dad'), '1')
    assert.ok(!isTentative('c2'))
  })

  test('gives a route its MTU, metric, table and several gateways', () => {
    const result = {
      ...leased('10.1.2.5/24', 'fd00:2::5/64'),
      routes: [
        { dst: '10.20.0.0/16', mtu: 1300, advmss: 1200, priority: 7, table: 100 },
        { dst: 'fd00:9::/64', gw: 'fd00:2::8' },
        { dst: 'fd00:9::/64', gw: 'fd00:2::9' },
      ],
    }
    const { check } = attach(bridge, { isGateway: true }, addContainer('c1'), { ipam: ipamOf(result) })
    const text = inContainer('c1', 'ip', 'route', 'show', 'table', '100')
    assert.match(text, /10\.20\.0\.0\/16 via 10\.1\.2\.1 dev eth0 metric 7 mtu 1300 advmss 1200/)
    const multipath = inContainer('c1', 'ip', '-6', 'route', 'show', 'fd00:9::/64')
    assert.match(multipath, /via fd00:2::8/)
    assert.match(multipath, /via fd00:2::9/)
    check()
  })

  test('refuses a second interface of the same name and leaves the first alone', () => {
    const container = addContainer('c1')
    const { check } = attach(bridge, {}, container, { ipam: v4() })
    const ipam = v4()
    assert.throws(() => attach(bridge, { name: 'other' }, container, { ipam }), { code: CniCode.conflict })
    assert.deepEqual(ipam.calls, [], 'whoever holds the address of the first keeps it')
    check()
  })

  test('refuses a bridge that is something else, before any address is taken', () => {
    run('ip', 'link', 'add', 'cni0', 'type', 'veth', 'peer', 'name', 'other0')
    const ipam = v4()
    assert.throws(() => attach(bridge, {}, addContainer('c1'), { ipam }), /Cannot use "cni0" as a bridge/)
    assert.deepEqual(ipam.calls, [])
    run('ip', 'link', 'del', 'cni0')
  })

  test('refuses another subnet on the bridge, or replaces it with forceAddress', () => {
    attach(bridge, { isGateway: true }, addContainer('c1'), { ipam: v4() })
    const other = () => ipamOf(leased('10.9.0.5/24'))
    const container = addContainer('c2')
    assert.throws(() => attach(bridge, { isGateway: true }, container, { ipam: other() }), {
      code: CniCode.conflict,
      message: /10\.9\.0\.1\/24.*10\.1\.2\.1\/24.*forceAddress/,
    })
    attach(bridge, { isGateway: true, forceAddress: true }, container, { ipam: other() })
    const [br] = json('ip', '-4', 'addr', 'show', 'cni0')
    assert.deepEqual(
      br.addr_info.map(({ local }: { local: string }) => local),
      ['10.9.0.1'],
    )
  })

  test('leaves nothing of the container behind, whichever step fails', () => {
    attach(bridge, {}, addContainer('c0'), { ipam: ipamOf(leased('10.1.2.9/24')) }).del() // the bridge is there
    const network = { isDefaultGateway: true, ipMasq: true, macspoofchk: true }
    let steps = 0
    for (let failed = true; failed; steps++) {
      const container = addContainer('c1')
      const ipam = v4()
      const attempt: AttachOptions = { ipam, kernel: failingAt(linux, steps) }
      try {
        attach(bridge, network, container, attempt).del()
        failed = false
      } catch (error) {
        assert.match((error as Error).message, /Cannot fail on purpose/)
        assert.equal(linux.links.get(hostEnd('c1')), undefined, `step ${steps} leaves the host's end`)
        if (ipam.calls.length > 0) assert.deepEqual(ipam.calls, ['ADD', 'DEL'], `step ${steps} keeps the address`)
      }
      assert.doesNotMatch(run('nft', 'list', 'ruleset'), /10\.1\.2\.5|macspoofchk-c1/, `step ${steps} leaves rules`)
      linux.namespaces.delete('c1')
    }
    assert.ok(steps > 15, `only ${steps} steps were tried`)
  })

  test('gives the address back when the IPAM plugin itself fails', () => {
    const ipam = ipamOf(new Error('No address is left'))
    assert.throws(() => attach(bridge, {}, addContainer('c1'), { ipam }), /No address is left/)
    assert.deepEqual(ipam.calls, ['ADD', 'DEL'])
    assert.equal(linux.links.get('cni0'), undefined, 'there is no bridge for nothing')
  })

  test('pins the MAC of a bridge that has the gateway, also of one that had lost its last port', () => {
    run('ip', 'link', 'add', 'cni0', 'type', 'bridge')
    run('ip', 'link', 'add', 'p0', 'type', 'veth', 'peer', 'name', 'p1')
    run('ip', 'link', 'set', 'p0', 'master', 'cni0')
    run('ip', 'link', 'del', 'p0')
    const { result, check } = attach(bridge, { isGateway: true }, addContainer('c1'), { ipam: v4() })
    assert.notEqual(result.interfaces[0]!.mac, '00:00:00:00:00:00')
    attach(bridge, { isGateway: true }, addContainer('c2'), { ipam: ipamOf(leased('10.1.2.6/24')) })
    assert.equal(json('ip', 'link', 'show', 'cni0')[0].address, result.interfaces[0]!.mac)
    check()
  })
})

/** Everything that ADD promises, each part broken by somebody else's hand. */
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

  test('succeeds right after ADD, and asks the IPAM plugin too', () => {
    const { check, ipam } = attachAll()
    check()
    assert.deepEqual(ipam.calls, ['ADD', 'CHECK'])
  })

  for (const { part, breaks, says } of promises) {
    test(`notices that somebody changed ${part}`, () => {
      const { check } = attachAll()
      run(breaks[0]!, ...breaks.slice(1))
      assert.throws(check, (error: CniError) => {
        assert.equal(error.code, CniCode.notAsPromised)
        assert.match(`${error.message}\n${error.details ?? ''}`, says)
        return true
      })
    })
  }

  test('does not mind what a later plugin, such as tuning, is there to change', () => {
    const { check } = attachAll()
    run('ip', '-n', 'c1', 'link', 'set', 'eth0', 'mtu', '1300')
    run('ip', 'netns', 'exec', 'c1', 'sysctl', '-qw', 'net.ipv4.conf.eth0.arp_notify=0')
    check()
  })

  test('does not mind what others added', () => {
    const { check } = attachAll()
    run('ip', '-n', 'c1', 'route', 'add', '10.99.0.0/16', 'dev', 'eth0')
    run('ip', '-n', 'c1', 'addr', 'add', '192.0.2.1/32', 'dev', 'eth0')
    run('ip', 'addr', 'add', '192.0.2.2/32', 'dev', 'cni0')
    run('nft', 'add', 'table', 'inet', 'foreign')
    check()
  })

  test('succeeds on a network of layer 2, and notices when its interface is down', () => {
    const { check } = attach(bridge, {}, addContainer('c1'))
    check()
    run('ip', '-n', 'c1', 'link', 'set', 'eth0', 'down')
    assert.throws(check, { code: CniCode.notAsPromised })
  })
})

describe('masquerade', () => {
  /** The address that a listener beyond the node sees of the container. */
  const seenFrom = (container: string, target: string): string =>
    inContainer(
      container,
      'python3',
      '-c',
      `import socket;s=socket.create_connection(("${target}",7777),3);print(s.recv(99).decode())`,
    ).trim()

  /** Answers everybody who connects with the address that it sees of them. */
  const LISTENER = `import socket
s = socket.create_server(("", 7777))
print("ready", flush=True)
while True:
  c, a = s.accept()
  c.send(a[0].encode())
  c.close()`

  for (const backend of ['nftables', 'iptables']) {
    test(`by ${backend} shows others the node's address, neighbours the container's own`, async () => {
      const network = { isDefaultGateway: true, ipMasq: true, ipMasqBackend: backend }
      attach(bridge, network, addContainer('c1'), { ipam: v4() })
      attach(bridge, network, addContainer('c2'), { ipam: ipamOf(leased('10.1.2.6/24')) })
      // Through the node, whose postrouting chain would not see it otherwise.
      run('ip', '-n', 'c1', 'route', 'add', '10.1.2.6/32', 'via', '10.1.2.1')
      addContainer('out')
      run('ip', 'link', 'add', 'up0', 'type', 'veth', 'peer', 'name', 'up1', 'netns', 'out')
      run('ip', 'addr', 'add', '198.51.100.1/24', 'dev', 'up0')
      run('ip', 'link', 'set', 'up0', 'up')
      run('ip', '-n', 'out', 'addr', 'add', '198.51.100.2/24', 'dev', 'up1')
      run('ip', '-n', 'out', 'link', 'set', 'up1', 'up')
      const listeners = ['out', 'c2'].map((name) =>
        spawn('ip', ['netns', 'exec', name, 'python3', '-c', LISTENER], { stdio: ['ignore', 'pipe', 'inherit'] }),
      )
      try {
        await Promise.all(listeners.map(({ stdout }) => once(stdout, 'data')))
        assert.equal(seenFrom('c1', '198.51.100.2'), '198.51.100.1')
        assert.equal(seenFrom('c1', '10.1.2.6'), '10.1.2.5')
      } finally {
        for (const listener of listeners) listener.kill()
      }
    })
  }

  test('takes over the element of a container that went without DEL', () => {
    attach(bridge, { ipMasq: true }, addContainer('c1'), { ipam: v4() })
    linux.namespaces.delete('c1')
    const { check, del } = attach(bridge, { ipMasq: true }, addContainer('c2'), { ipam: v4() })
    check()
    assert.match(run('nft', 'list', 'ruleset'), /10\.1\.2\.5 comment "lan c2 eth0"/)
    del()
    assert.doesNotMatch(run('nft', 'list', 'ruleset'), /10\.1\.2\.5/)
  })

  test("DEL leaves an element that is another container's by now", () => {
    const first = attach(bridge, { ipMasq: true }, addContainer('c1'), { ipam: v4() })
    linux.namespaces.delete('c1')
    attach(bridge, { ipMasq: true }, addContainer('c2'), { ipam: v4() })
    first.del()
    assert.match(run('nft', 'list', 'ruleset'), /10\.1\.2\.5 comment "lan c2 eth0"/)
  })

  test('follows a network that has the rules of iptables', () => {
    attach(bridge, { ipMasq: true, ipMasqBackend: 'iptables' }, addContainer('c1'), { ipam: v4() })
    const second = attach(bridge, { ipMasq: true }, addContainer('c2'), { ipam: ipamOf(leased('10.1.2.6/24')) })
    const rules = () => run('iptables-save', '-t', 'nat')
    assert.match(rules(), /-s 10\.1\.2\.6\/32 .*"name: \\"lan\\" id: \\"c2\\"" -j CNI-[0-9a-f]{24}/)
    second.check()
    second.del()
    assert.doesNotMatch(rules(), /10\.1\.2\.6/)
    assert.match(rules(), /10\.1\.2\.5/)
  })

  test('has one chain for two interfaces of a container, with each rule once', () => {
    const container = addContainer('c1')
    const network = { ipMasq: true, ipMasqBackend: 'iptables' }
    attach(bridge, network, container, { ipam: v4() })
    attach(bridge, network, container, { ipam: ipamOf(leased('10.1.2.6/24')), ifName: 'eth1' })
    const rules = run('iptables-save', '-t', 'nat').split('\n')
    assert.equal(rules.filter((rule) => rule.startsWith('-A CNI-')).length, 2)
    assert.equal(rules.filter((rule) => rule.startsWith('-A POSTROUTING')).length, 2)
  })
})

describe('DEL', () => {
  const network = { isGateway: true, ipMasq: true, macspoofchk: true }
  const bare = { containerId: 'c1', ifName: 'eth0', netns: '', args: '' }

  test('leaves only what containers share, and succeeds twice', () => {
    const ipam = v4()
    const { del } = attach(bridge, network, addContainer('c1'), { ipam })
    del()
    del()
    assert.deepEqual(ipam.calls, ['ADD', 'DEL', 'DEL'])
    assert.deepEqual(json('ip', 'link', 'show', 'type', 'veth'), [])
    assert.doesNotMatch(run('nft', 'list', 'ruleset'), /10\.1\.2\.5|macspoofchk/)
    assert.ok(linux.links.get('cni0'))
  })

  test('without CNI_NETNS and prevResult finds the host end, the element and the spoof check', () => {
    attach(bridge, network, addContainer('c1'), { ipam: v4() })
    const config = bridge.parseConfig(networkConfig({ ...network, ipam: { type: 'told' } }))
    bridge.del({ ...bare, config }, { kernel: linux, host, ipam: v4() })
    assert.equal(linux.links.get(hostEnd('c1')), undefined)
    assert.doesNotMatch(run('nft', 'list', 'ruleset'), /10\.1\.2\.5|macspoofchk/)
  })

  test('goes on when a step fails, and tells of the first', () => {
    attach(bridge, network, addContainer('c1'), { ipam: v4() })
    const config = bridge.parseConfig(networkConfig({ ...network, ipam: { type: 'told' } }))
    const ipam = { ...v4(), del: () => assert.fail('The IPAM plugin is broken') }
    assert.throws(() => bridge.del({ ...bare, config }, { kernel: linux, host, ipam }), /The IPAM plugin is broken/)
    assert.doesNotMatch(run('nft', 'list', 'ruleset'), /10\.1\.2\.5|macspoofchk/)
  })
})

describe('GC', () => {
  test('removes what belongs to no valid attachment of this network, and nothing else', () => {
    const network = { isGateway: true, ipMasq: true, macspoofchk: true }
    for (const [i, name] of ['c1', 'c2', 'c3'].entries()) {
      attach(bridge, network, addContainer(name), { ipam: ipamOf(leased(`10.1.2.${5 + i}/24`)) })
    }
    attach(bridge, { ...network, name: 'other' }, addContainer('c4'), { ipam: ipamOf(leased('10.1.2.8/24')) })
    run('ip', 'link', 'add', 'veth12345678', 'type', 'veth', 'peer', 'name', 'p1')
    run('ip', 'link', 'set', 'veth12345678', 'master', 'cni0')
    const ipam = v4()
    const config = bridge.parseConfig(networkConfig({ ...network, ipam: { type: 'told' } }))
    bridge.gc!({ config, validAttachments: [{ containerId: 'c1', ifName: 'eth0' }] }, { kernel: linux, host, ipam })
    assert.deepEqual(ipam.calls, ['GC'])
    const ruleset = run('nft', 'list', 'ruleset')
    for (const kept of ['10.1.2.5', '10.1.2.8', 'macspoofchk-c1', 'macspoofchk-c4'])
      assert.ok(ruleset.includes(kept), kept)
    for (const gone of ['10.1.2.6', '10.1.2.7', 'macspoofchk-c2', 'macspoofchk-c3'])
      assert.ok(!ruleset.includes(gone), gone)
    const links = linux.links.list().map(({ name }) => name)
    assert.ok(links.includes(hostEnd('c1')) && links.includes('veth12345678'))
    assert.ok(!links.includes(hostEnd('c2')) && !links.includes(hostEnd('c3')))
    linux.links.delete('veth12345678')
  })
})

test('STATUS asks the IPAM plugin, and says when a link is in the way of the bridge', () => {
  const ipam = v4()
  const status = () => {
    const config = bridge.parseConfig(networkConfig({ ipam: { type: 'told' } }))
    bridge.status!({ config }, { kernel: linux as Kernel, host, ipam })
  }
  status()
  assert.deepEqual(ipam.calls, ['STATUS'])
  run('ip', 'link', 'add', 'cni0', 'type', 'veth', 'peer', 'name', 'other0')
  assert.throws(status, { code: CniCode.notAvailable })
  run('ip', 'link', 'del', 'cni0')
})
