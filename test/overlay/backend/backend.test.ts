/** What the backends make of leases: the entries of flannel, with what it gets wrong put right. */
import assert from 'node:assert/strict'
import { describe, test } from 'vitest'
import { alloc } from '../../../src/overlay/backend/alloc.ts'
import { backendOf } from '../../../src/overlay/backend/backend.ts'
import { hostGw } from '../../../src/overlay/backend/host-gw.ts'
import { udp } from '../../../src/overlay/backend/udp.ts'
import { vxlan } from '../../../src/overlay/backend/vxlan.ts'
import { dualStack, network, plainLease, uplink, vxlanConfig, vxlanLease } from './node.ts'

const own = vxlanLease(72)
const n2 = vxlanLease(2)
const config = network(vxlanConfig)
const input = { uplink, lease: own, peers: [n2], config }

test('a network is given to the backend of its type', () => {
  assert.equal(backendOf(config), vxlan)
  assert.equal(backendOf(network({ type: 'host-gw' })), hostGw)
  assert.equal(backendOf(network({ type: 'udp', port: 8285 })), udp)
  assert.equal(backendOf(network({ type: 'alloc' })), alloc)
})

describe('vxlan', () => {
  test('makes one device, and a route, a neighbour and an FDB entry for every peer', () => {
    const { links, sysctls, addresses, linkStates, neighbours, fdb, routes } = vxlan.plan(input)
    const device = { vni: 1, port: 8472, local: '192.168.77.1', device: 'eth0', learning: false }
    const common = { kind: 'vxlan', name: 'flannel.1', mtu: 1450, mac: 'c6:d2:32:00:04:48' }
    assert.deepEqual(links, [
      { ...common, vxlan: { ...device, gbp: false, remote: null }, birth: { ...common, vxlan: device } },
    ])
    assert.deepEqual(sysctls, [{ key: 'net/ipv6/conf/flannel.1/accept_ra', value: '0', optional: true }])
    assert.deepEqual(addresses, [{ link: 'flannel.1', prefix: '10.5.72.0/32' }])
    assert.deepEqual(linkStates, [{ link: 'flannel.1', up: true }])
    assert.deepEqual(neighbours, [
      { link: 'flannel.1', address: '10.5.2.0', mac: 'c6:d2:32:00:04:02', state: 'permanent' },
    ])
    assert.deepEqual(fdb, [
      { link: 'flannel.1', mac: 'c6:d2:32:00:04:02', owner: 'self', state: 'permanent', destination: '192.168.77.2' },
    ])
    assert.deepEqual(routes, [
      { destination: '10.5.2.0/24', gateway: '10.5.2.0', link: 'flannel.1', onlink: true, protocol: 3 },
    ])
  })

  test('owns what is on its device, and of routes those to subnets of nodes', () => {
    assert.deepEqual(vxlan.plan(input).owned, {
      links: [{ name: 'flannel.1' }],
      addresses: [{ links: ['flannel.1'], within: '10.5.0.0/16' }],
      neighbours: { links: ['flannel.1'] },
      fdb: { links: ['flannel.1'] },
      routes: [{ protocol: 3, links: ['flannel.1'], subnets: { network: '10.5.0.0/16', length: 24 } }],
    })
  })

  test('makes a second device for IPv6, of its own MAC and 20 bytes smaller', () => {
    const { links, addresses, neighbours, fdb, routes, owned } = vxlan.plan({
      ...input,
      config: dualStack(vxlanConfig),
    })
    assert.deepEqual(
      links?.map(({ name, mtu, mac, vxlan }) => [name, mtu, mac, vxlan?.local]),
      [
        ['flannel.1', 1450, 'c6:d2:32:00:04:48', '192.168.77.1'],
        ['flannel-v6.1', 1430, 'c6:d2:32:00:06:48', 'fd77::1'],
      ],
    )
    assert.deepEqual(addresses?.[1], { link: 'flannel-v6.1', prefix: 'fd00:5:0:48::/128' })
    assert.deepEqual(neighbours?.[1], {
      link: 'flannel-v6.1',
      address: 'fd00:5:0:2::',
      mac: 'c6:d2:32:00:06:02',
      state: 'permanent',
    })
    assert.equal(fdb?.[1]?.destination, 'fd77::2')
    assert.equal(routes?.[1]?.destination, 'fd00:5:0:2::/64')
    assert.deepEqual(owned?.neighbours, { links: ['flannel.1', 'flannel-v6.1'] })
    assert.deepEqual(owned?.addresses?.[1], { links: ['flannel-v6.1'], within: 'fd00:5::/48' })
  })

  test('tells pods an MTU that both families can use, from the smaller of the uplink and what is configured', () => {
    assert.equal(vxlan.mtu(uplink, config), 1450)
    assert.equal(vxlan.mtu(uplink, dualStack(vxlanConfig)), 1430)
    assert.equal(vxlan.mtu(uplink, network({ ...vxlanConfig, mtu: 1400 })), 1350)
    assert.equal(vxlan.mtu({ ...uplink, mtu: 1300 }, network({ ...vxlanConfig, mtu: 1400 })), 1250)
  })

  test('sends from the interface, whatever address others know the node by', () => {
    const behindNat = { ...uplink, ipv4: { address: '192.168.77.1/24', publicIp: '203.0.113.9' } }
    assert.equal(vxlan.plan({ ...input, uplink: behindNat }).links?.[0]?.vxlan?.local, '192.168.77.1')
    assert.deepEqual(vxlan.attributes(behindNat, config, { ipv4: 'c6:d2:32:6f:8f:44' }), {
      backend: 'vxlan',
      ipv4: { publicIp: '203.0.113.9', vtep: { vni: 1, mac: 'c6:d2:32:6f:8f:44' } },
    })
  })

  test("port 0 is the kernel's own", () => {
    assert.equal(vxlan.plan({ ...input, config: network({ ...vxlanConfig, port: 0 }) }).links?.[0]?.vxlan?.port, 8472)
  })

  test('the group policy extension is asked for at birth, and only then', () => {
    const [link] = vxlan.plan({ ...input, config: network({ ...vxlanConfig, gbp: true }) }).links ?? []
    assert.equal(link?.vxlan?.gbp, true)
    assert.ok(link?.birth?.kind === 'vxlan' && link.birth.vxlan.gbp)
  })

  test('leaves out peers that nothing would reach, and says why', () => {
    const { vtep: _, ...without } = n2.ipv4!
    const peers = [
      plainLease(3, 'host-gw'),
      { backend: 'vxlan', ipv4: without },
      { backend: 'vxlan', ipv4: { ...n2.ipv4!, vtep: { vni: 5, mac: 'c6:d2:32:00:04:02' } } },
    ]
    const state = vxlan.plan({ ...input, peers })
    assert.deepEqual([state.routes, state.neighbours, state.fdb], [[], [], []])
    assert.deepEqual(
      vxlan.leftOut({ ...input, peers }).map(({ reason }) => reason),
      ['its backend is "host-gw" instead of "vxlan"', 'its lease has no VTEP MAC', 'its VNI is 5 instead of 1'],
    )
  })

  test('takes a peer whose flannel is too old to tell its VNI', () => {
    const old = { backend: 'vxlan', ipv4: { ...n2.ipv4!, vtep: { vni: undefined, mac: 'c6:d2:32:00:04:02' } } }
    assert.equal(vxlan.plan({ ...input, peers: [old] }).routes?.length, 1)
    assert.deepEqual(vxlan.leftOut({ ...input, peers: [old] }), [])
  })

  test('DirectRouting: who is on the link has a plain route and no entries, the others have theirs', () => {
    const far = vxlanLease(3, '192.168.78.3')
    const direct = network({ ...vxlanConfig, directRouting: true })
    const state = vxlan.plan({ ...input, config: direct, peers: [n2, far] })
    assert.deepEqual(state.routes, [
      { destination: '10.5.3.0/24', gateway: '10.5.3.0', link: 'flannel.1', onlink: true, protocol: 3 },
      { destination: '10.5.2.0/24', gateway: '192.168.77.2', link: 'eth0', protocol: 3 },
    ])
    assert.deepEqual(
      state.neighbours?.map(({ address }) => address),
      ['10.5.3.0'],
    )
    assert.deepEqual(
      state.fdb?.map(({ destination }) => destination),
      ['192.168.78.3'],
    )
    assert.deepEqual(state.owned?.routes?.[0]?.links, ['flannel.1', 'eth0'])
    const reachable = (ip: string) => ip === '192.168.78.3'
    const asked = vxlan.plan({ ...input, config: direct, peers: [n2, far], reachable })
    assert.deepEqual(
      asked.routes?.map(({ destination, link }) => [destination, link]),
      [
        ['10.5.2.0/24', 'flannel.1'],
        ['10.5.3.0/24', 'eth0'],
      ],
    )
  })
})

describe('host-gw', () => {
  const hostConfig = network({ type: 'host-gw' })
  const hostInput = { uplink, lease: plainLease(72, 'host-gw'), peers: [plainLease(2, 'host-gw')], config: hostConfig }

  test('makes a route for every peer by its own address, owns such routes, and has the whole MTU', () => {
    assert.deepEqual(hostGw.plan(hostInput), {
      routes: [{ destination: '10.5.2.0/24', gateway: '192.168.77.2', link: 'eth0', protocol: 3 }],
      owned: { routes: [{ protocol: 3, links: ['eth0'], subnets: { network: '10.5.0.0/16', length: 24 } }] },
    })
    assert.equal(hostGw.mtu(uplink, hostConfig), 1500)
    assert.deepEqual(hostGw.attributes(uplink, hostConfig, {}), {
      backend: 'host-gw',
      ipv4: { publicIp: '192.168.77.1' },
    })
  })

  test('leaves out a peer in another segment, and keeps the others', () => {
    const peers = [plainLease(2, 'host-gw'), plainLease(3, 'host-gw', '192.168.78.3'), n2]
    assert.equal(hostGw.plan({ ...hostInput, peers }).routes?.length, 1)
    assert.deepEqual(
      hostGw.leftOut({ ...hostInput, peers }).map(({ reason }) => reason),
      ['192.168.78.3 is not on the link eth0', 'its backend is "vxlan" instead of "host-gw"'],
    )
  })

  test("refuses a public address that is not the interface's", () => {
    hostGw.check(uplink, hostConfig)
    const behindNat = { ...uplink, ipv4: { address: '192.168.77.1/24', publicIp: '203.0.113.9' } }
    assert.throws(() => hostGw.check(behindNat, hostConfig), {
      name: 'RangeError',
      message: /203\.0\.113\.9 is not the 192\.168\.77\.1/,
    })
  })
})

describe('udp', () => {
  const udpConfig = network({ type: 'udp', port: 8285 } as const)
  const udpInput = { uplink, lease: plainLease(72, ''), peers: [plainLease(2, '')], config: udpConfig }

  test('makes a TUN with the own address, and one route for the whole network', () => {
    const common = { kind: 'tun', name: 'flannel0', mtu: 1472 }
    assert.deepEqual(udp.plan(udpInput), {
      links: [{ ...common, birth: { ...common, tun: { mode: 'tun' } } }],
      addresses: [{ link: 'flannel0', prefix: '10.5.72.0/32' }],
      linkStates: [{ link: 'flannel0', up: true }],
      routes: [{ destination: '10.5.0.0/16', link: 'flannel0', scope: 'global', protocol: 3 }],
      owned: { links: [{ name: 'flannel0' }], addresses: [{ links: ['flannel0'], within: '10.5.0.0/16' }] },
    })
    assert.equal(udp.mtu(uplink, udpConfig), 1472)
  })

  test('tells nothing but the address, of IPv4 alone', () => {
    const dual = dualStack({ type: 'udp', port: 8285 } as const)
    assert.deepEqual(udp.attributes(uplink, dual, {}), { backend: '', ipv4: { publicIp: '192.168.77.1' } })
  })

  test('leaves out leases of other backends, and refuses a network of IPv6 alone', () => {
    assert.deepEqual(
      udp.leftOut({ ...udpInput, peers: [n2, plainLease(3, '')] }).map(({ reason }) => reason),
      ['its backend is "vxlan" instead of udp'],
    )
    const { ipv4: _, ...ipv6Only } = dualStack({ type: 'udp', port: 8285 } as const)
    assert.throws(() => udp.check(uplink, ipv6Only), RangeError)
  })
})

test('alloc plans nothing, and leaves the MTU as it is', () => {
  const allocConfig = network({ type: 'alloc' } as const)
  assert.deepEqual(
    alloc.plan({ uplink, lease: plainLease(72, ''), peers: [plainLease(2, '')], config: allocConfig }),
    {},
  )
  assert.equal(alloc.mtu(uplink, allocConfig), 1500)
})
