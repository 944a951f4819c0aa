/** Sysctls. */
import assert from 'node:assert/strict'
import { type Case, refused } from './case.ts'

export const sysctlCases: readonly Case[] = [
  {
    title: 'a sysctl is read and set, in one namespace and not in the other',
    check({ node, container }) {
      assert.equal(node.sysctl.get('net/ipv4/ip_forward'), '0')
      node.sysctl.set('net/ipv4/ip_forward', '1')
      assert.equal(node.sysctl.get('net/ipv4/ip_forward'), '1')
      assert.equal(container.sysctl.get('net/ipv4/ip_forward'), '0')
    },
  },
  {
    title: "a link's sysctls come and go with it",
    check({ node }) {
      const key = 'net/ipv4/conf/br0/arp_notify'
      assert.equal(node.sysctl.get(key), undefined)
      node.links.add({ kind: 'bridge', name: 'br0' })
      assert.equal(node.sysctl.get(key), '0')
      node.sysctl.set(key, '1')
      assert.equal(node.sysctl.get(key), '1')
      node.links.delete('br0')
      assert.equal(node.sysctl.get(key), undefined)
    },
  },
  {
    title: 'a setting of default is one of links that are there, where nothing else was set for them; some are not',
    check({ node }) {
      node.links.add({ kind: 'bridge', name: 'br0' })
      const names = node.sysctl.list('net/ipv4/conf/lo').map((key) => key.slice('net/ipv4/conf/lo/'.length))
      const kept = names.filter((name) => {
        if (name === 'mc_forwarding') return false // nobody may set it
        const [general, own] = ['default', 'br0'].map((link) => `net/ipv4/conf/${link}/${name}`)
        node.sysctl.set(general!, node.sysctl.get(general!) === '0' ? '1' : '0')
        return node.sysctl.get(own!) !== node.sysctl.get(general!)
      })
      assert.deepEqual(kept, [
        'disable_policy',
        'disable_xfrm',
        'drop_unicast_in_l2_multicast',
        'forwarding',
        'promote_secondaries',
        'route_localnet',
      ])
    },
  },
  {
    title: "a listing of sysctls has those of a link's directory and no others, in order",
    check({ node }) {
      node.links.add({ kind: 'bridge', name: 'br0' })
      const keys = node.sysctl.list('net/ipv4/conf/br0')
      assert.ok(keys.includes('net/ipv4/conf/br0/rp_filter') && keys.includes('net/ipv4/conf/br0/forwarding'))
      assert.ok(keys.every((key) => key.startsWith('net/ipv4/conf/br0/')))
      assert.deepEqual(keys, keys.toSorted())
      assert.deepEqual(node.sysctl.list('net/ipv4/conf/nothing'), [])
      assert.ok(node.sysctl.list().includes('net/ipv4/ip_forward'))
    },
  },
  {
    title: "a link's sysctls are found by a name with a dot in it",
    check({ node }) {
      node.links.add({ kind: 'bridge', name: 'eth0.1' })
      node.sysctl.set('net/ipv4/conf/eth0.1/forwarding', '1')
      assert.equal(node.sysctl.get('net/ipv4/conf/eth0.1/forwarding'), '1')
    },
  },
  {
    title: 'disable_ipv6 takes IPv6 from a link',
    check({ node }) {
      node.links.set('lo', { up: true })
      node.sysctl.set('net/ipv6/conf/lo/disable_ipv6', '1')
      assert.deepEqual(
        node.addresses.list('lo').map(({ prefix }) => prefix),
        ['127.0.0.1/8'],
      )
    },
  },
  {
    title: 'setting a sysctl that is not there is ENOENT, and a value it does not take is EINVAL',
    check({ node }) {
      refused('ENOENT', () => node.sysctl.set('net/ipv4/nothing', '1'))
      refused('EINVAL', () => node.sysctl.set('net/ipv4/ip_forward', 'yes'))
      assert.equal(node.sysctl.get('net/ipv4/ip_forward'), '0')
    },
  },
  {
    title: 'a key that leads elsewhere is a RangeError',
    check({ node }) {
      for (const key of [
        '',
        '/etc/passwd',
        'net/../../etc/passwd',
        '..',
        'net/ipv4/./ip_forward',
        'net//ipv4',
        'net/',
        'net/a\0b',
      ]) {
        assert.throws(() => node.sysctl.get(key), RangeError, key)
        assert.throws(() => node.sysctl.set(key, '1'), RangeError, key)
      }
    },
  },
]
