import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { beforeAll, test } from 'vitest'
import { overlab, run } from '../support/command.ts'
import { makeOutside, OUTSIDE, OUTSIDE6 } from '../support/outside.ts'
import { netconf, reaches, withPods } from './pods.ts'

beforeAll(makeOutside)

test('every file of netconf/ is a network that overlab reads', () => {
  const files = readdirSync(netconf).filter((file) => !file.endsWith('.md'))
  const { networks } = JSON.parse(overlab('cni', 'list', '--conf-dir', netconf, '-o', 'json')) as {
    readonly networks: readonly { readonly path: string; readonly plugins?: readonly string[] }[]
  }
  assert.deepEqual(
    networks.map(({ path, plugins }) => [path, plugins]),
    [
      ['10-bridge.conflist', ['bridge']],
      ['20-layer2.conflist', ['bridge']],
      ['30-static.conflist', ['bridge']],
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
