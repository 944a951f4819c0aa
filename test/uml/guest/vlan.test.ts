/** VLANs on a bridge, for netconf/'s lists that use them. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { reaches, withPods } from '../../netconf/pods.ts'
import { run } from '../../support/command.ts'

test('50-vlan: pods of VLAN 100 reach each other and the node', () => {
  withPods('50-vlan.conflist', { a: [], b: [] }, ({ b }) => {
    assert.deepEqual(b, ['10.89.100.3'])
    for (const address of ['10.89.100.3', '10.89.100.1']) assert.ok(reaches('a', address), address)
  })
})

test('51-trunk: a pod sees VLAN 100 with its tag, and not without', () => {
  withPods('50-vlan.conflist', { a: [] }, ({ a }) => {
    withPods('51-trunk.conflist', { router: [] }, () => {
      run('ip', '-n', 'router', 'address', 'add', '10.89.100.99/24', 'dev', 'eth0')
      assert.ok(!reaches('router', a![0]!))
      run('ip', '-n', 'router', 'address', 'delete', '10.89.100.99/24', 'dev', 'eth0')
      run('ip', '-n', 'router', 'link', 'add', 'link', 'eth0', 'name', 'eth0.100', 'type', 'vlan', 'id', '100')
      run('ip', '-n', 'router', 'address', 'add', '10.89.100.99/24', 'dev', 'eth0.100')
      run('ip', '-n', 'router', 'link', 'set', 'eth0.100', 'up')
      assert.ok(reaches('router', a![0]!))
    })
  })
})
