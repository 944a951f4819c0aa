/** The model as an older kernel: its defaults, and the settings that it has not yet. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { createModel } from '../../src/model/create.ts'
import { linux61 } from '../../src/model/profile/linux-6.1.ts'
import { linux618 } from '../../src/model/profile/linux-6.18.ts'

const later = ['net/ipv6/conf/all/force_forwarding', 'net/ipv4/tcp_syn_linear_timeouts']

test('a kernel begins with the settings of its version', () => {
  assert.equal(createModel({ profile: linux61 }).sysctl.get('net/ipv6/icmp/ratelimit'), '1000')
  assert.equal(createModel({ profile: linux618 }).sysctl.get('net/ipv6/icmp/ratelimit'), '100')
})

for (const key of later) {
  test(`${key} is not there in 6.1, and nothing goes by it`, () => {
    const old = createModel({ profile: linux61 })
    assert.equal(old.sysctl.get(key), undefined)
    assert.throws(() => old.sysctl.set(key, '1'), { errno: 'ENOENT' })
    assert.equal(createModel().sysctl.get(key) !== undefined, true)
  })
}

test('without forwarding, an IPv6 packet for another goes no farther in 6.1 either', () => {
  const kernel = createModel({ profile: linux61 })
  const drops: string[] = []
  kernel.model.onDrop = (_, { reason, kernel: where }) => drops.push(`${reason}@${where}`)
  const [a, b] = ['a', 'b'].map((name) => kernel.enter(kernel.namespaces.add(name))!)
  const [MAC_A, MAC_B] = ['02:00:00:00:00:01', '02:00:00:00:00:02']
  a!.links.add({ kind: 'veth', name: 'eth0', mac: MAC_A!, peer: { name: 'eth0', namespace: b!, mac: MAC_B! } })
  a!.links.set('eth0', { up: true })
  b!.links.set('eth0', { up: true })
  b!.routes.add({ destination: '::/0', link: 'eth0' })
  const header = '6000000000003bff20010db800000000000000000000000120010db8000000000000000000000002'
  a!.packets.send('eth0', Buffer.from(`02000000000202000000000186dd${header}`, 'hex'))
  assert.deepEqual(
    drops.filter((drop) => drop.endsWith('ip6_forward')),
    ['IP_INADDRERRORS@ip6_forward'],
  )
})
