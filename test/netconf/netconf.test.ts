import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { beforeAll, test } from 'vitest'
import { parseConfig } from '../../src/overlay/config.ts'
import { overlab, run } from '../support/command.ts'
import { makeOutside, OUTSIDE, OUTSIDE6 } from '../support/outside.ts'
import { netconf, reaches, withPods } from './pods.ts'

beforeAll(makeOutside)

/** The network of all nodes: no container runtime reads it. */
const FOR_THE_DAEMON = 'net-conf.json'

/** Of a daemon that leaves it to the plugin to masquerade. */
const subnetEnv = [
  'FLANNEL_NETWORK=10.244.0.0/16',
  'FLANNEL_SUBNET=10.244.3.1/24',
  'FLANNEL_IPV6_NETWORK=fd00:244::/48',
  'FLANNEL_IPV6_SUBNET=fd00:244:0:3::1/64',
  'FLANNEL_MTU=1430',
  'FLANNEL_IPMASQ=false',
  '',
].join('\n')

test("every file of netconf/ is a network that overlab reads, but for the daemon's", () => {
  const files = readdirSync(netconf).filter((file) => /\.(?:conf|conflist|json)$/.test(file))
  assert.ok(files.includes(FOR_THE_DAEMON))
  const { networks } = JSON.parse(overlab('cni', 'list', '--conf-dir', netconf, '-o', 'json')) as {
    readonly networks: readonly { readonly path: string; readonly plugins?: readonly string[] }[]
  }
  assert.deepEqual(
    networks.filter(({ path }) => path !== `${netconf}/${FOR_THE_DAEMON}`).map(({ path, plugins }) => [path, plugins]),
    [
      ['10-bridge.conflist', ['bridge']],
      ['10-flannel.conflist', ['flannel']],
      ['20-layer2.conflist', ['bridge']],
      ['30-routed.conflist', ['routed']],
      ['30-static.conflist', ['bridge']],
      ['31-pools.conflist', ['routed']],
      ['40-isolated.conflist', ['bridge']],
      ['50-vlan.conflist', ['bridge']],
      ['51-trunk.conflist', ['bridge']],
      ['99-loopback.conf', ['loopback']],
    ].map(([file, plugins]) => [`${netconf}/${file}`, plugins]),
  )
  assert.equal(files.length, networks.length)
})

test('10-bridge: pods reach each other, the node, and the network outside, by IPv4 and IPv6', () => {
  withPods('10-bridge.conflist', { a: [], b: [] }, ({ b }) => {
    assert.deepEqual(b, ['10.85.0.3', 'fd85::3'])
    for (const address of [...b!, '10.85.0.1', 'fd85::1', OUTSIDE, OUTSIDE6]) assert.ok(reaches('a', address), address)
  })
})

test('10-flannel: pods reach each other, the node, and the network outside, with what the daemon says of the node', () => {
  mkdirSync('/run/flannel')
  writeFileSync('/run/flannel/subnet.env', subnetEnv)
  withPods('10-flannel.conflist', { a: [], b: [] }, ({ b }) => {
    assert.deepEqual(b, ['10.244.3.3', 'fd00:244:0:3::3'])
    for (const address of [...b!, '10.244.3.1', 'fd00:244:0:3::1', OUTSIDE, OUTSIDE6]) {
      assert.ok(reaches('a', address), address)
    }
  })
  assert.deepEqual(readdirSync('/var/lib/cni/flannel'), [])
})

test('net-conf.json is a network that the daemon takes', () => {
  const { ipv4, backend } = parseConfig(readFileSync(join(netconf, FOR_THE_DAEMON), 'utf8'))
  assert.deepEqual([ipv4?.network, backend.type], ['10.244.0.0/16', 'vxlan'])
})

test('20-layer2: pods share a bridge and bring their own addresses', () => {
  withPods('20-layer2.conflist', { a: [], b: [] }, ({ a }) => {
    assert.deepEqual(a, [])
    run('ip', '-n', 'a', 'address', 'add', '192.0.2.1/24', 'dev', 'eth0')
    run('ip', '-n', 'b', 'address', 'add', '192.0.2.2/24', 'dev', 'eth0')
    assert.ok(reaches('a', '192.0.2.2'))
  })
})

test('30-static: pods get the addresses that the runtime names', () => {
  const named = (...ips: string[]) => ['--capability-args', JSON.stringify({ ips })]
  withPods('30-static.conflist', { a: named('10.87.0.10/16'), b: named('10.87.0.11/16', 'fd87::11/64') }, (pods) => {
    assert.deepEqual(pods, { a: ['10.87.0.10'], b: ['10.87.0.11', 'fd87::11'] })
    assert.ok(reaches('a', '10.87.0.11'))
  })
})

test('30-routed: pods have addresses alone, and reach each other', () => {
  withPods('30-routed.conflist', { a: [], b: [] }, ({ b }) => {
    assert.deepEqual(b, ['10.89.0.3', 'fd89::3'])
    for (const address of b!) assert.ok(reaches('a', address), address)
    assert.deepEqual(run('ip', '-4', '-o', '-n', 'a', 'address', 'show', 'eth0').match(/inet \S+/g), [
      'inet 10.89.0.2/32',
    ])
  })
})

test('31-pools: pods get addresses of a block of this node, which goes when nobody has one', () => {
  const pool = (...args: string[]) => overlab('pool', ...args)
  pool('create', '10.90.0.0/16')
  pool('create', 'fd90::/64', '--block-size', '124')
  withPods('31-pools.conflist', { a: [], b: [] }, ({ a, b }) => {
    const blocks = JSON.parse(pool('show', '-o', 'json')) as { block: string; node: string; used: number }[]
    assert.deepEqual(
      blocks.map(({ node, used }) => [node, used]),
      [
        [hostname().toLowerCase(), 2],
        [hostname().toLowerCase(), 2],
      ],
    )
    assert.notDeepEqual(a, b)
    for (const address of b!) assert.ok(reaches('a', address), address)
  })
  pool('delete', '10.90.0.0/16')
  pool('delete', 'fd90::/64')
  assert.deepEqual(JSON.parse(pool('show', '-o', 'json')), [])
})

test('40-isolated: pods reach the node and the network outside, but not each other', () => {
  withPods('40-isolated.conflist', { a: [], b: [] }, ({ b }) => {
    for (const address of ['10.88.0.1', OUTSIDE]) assert.ok(reaches('a', address), address)
    assert.ok(!reaches('a', b![0]!))
  })
})

test('40-isolated: a pod cannot send from a MAC address that is not its own', () => {
  withPods('40-isolated.conflist', { a: [] }, () => {
    run('ip', '-n', 'a', 'link', 'set', 'eth0', 'address', '02:00:00:00:00:99')
    assert.ok(!reaches('a', '10.88.0.1'))
  })
})

test("99-loopback: a pod's loopback interface is up", () => {
  withPods('99-loopback.conf', { a: ['--ifname', 'lo'] }, () => {
    assert.ok(reaches('a', '127.0.0.1'))
    assert.ok(reaches('a', '::1'))
  })
})
