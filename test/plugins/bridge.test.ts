/** What bridge promises, computed: no kernel is asked here. */
import assert from 'node:assert/strict'
import { describe, test } from 'vitest'
import { CniCode } from '../../src/cni/errors.ts'
import type { CniResult } from '../../src/cni/plugin.ts'
import type { Address } from '../../src/kernel/address.ts'
import { type BridgeConfig, parseBridgeConfig, requireUsable } from '../../src/plugins/bridge/config.ts'
import {
  addressesInTheWay,
  completeResult,
  gatewaysOf,
  hostEndState,
  vlanState,
} from '../../src/plugins/bridge/plan.ts'
import { networkConfig } from '../support/configuration.ts'

const config = (members: object = {}): BridgeConfig => parseBridgeConfig(networkConfig(members))
const result = (...addresses: string[]): CniResult => ({
  interfaces: [],
  ips: addresses.map((address) => ({ address })),
  routes: [],
  dns: {},
})

describe('the configuration', () => {
  test('has a default for everything', () => {
    const { bridge, isGateway, ipMasq, mtu, vlan, trunk, vlanFiltering, preserveDefaultVlan, ownDns } = config()
    assert.deepEqual(
      { bridge, isGateway, ipMasq, mtu, vlan, trunk, vlanFiltering, preserveDefaultVlan, ownDns },
      {
        bridge: 'cni0',
        isGateway: false,
        ipMasq: false,
        mtu: 0,
        vlan: 0,
        trunk: [],
        vlanFiltering: false,
        preserveDefaultVlan: false,
        ownDns: undefined,
      },
    )
  })

  test('isDefaultGateway implies isGateway', () =>
    assert.ok(config({ isDefaultGateway: true, isGateway: false }).isGateway))

  test('a trunk is the union of its ids and ranges', () => {
    assert.deepEqual(config({ vlanTrunk: [{ minID: 7, maxID: 9 }, { id: 5 }, { id: 8 }] }).trunk, [5, 7, 8, 9])
  })

  for (const { dns, own } of [
    { dns: { nameservers: [] }, own: { nameservers: [] } },
    { dns: { domain: 'd' }, own: { domain: 'd' } },
    { dns: { domain: '' }, own: undefined },
    { dns: {}, own: undefined },
  ]) {
    test(`dns ${JSON.stringify(dns)} ${own ? 'overrules' : 'leaves'} what the IPAM plugin says`, () => {
      assert.deepEqual(config({ dns }).ownDns, own)
    })
  }

  for (const [members, says] of [
    [{ vlan: -1 }, /"vlan" -1/],
    [{ vlan: 4095 }, /"vlan" 4095: give a number from 1 to 4094/],
    [{ vlanTrunk: [{ id: 0 }] }, /"vlanTrunk\[0\]\.id" 0/],
    [{ vlanTrunk: [{ minID: 5 }] }, /give both "minID" and "maxID"/],
    [{ vlanTrunk: [{ maxID: 5 }] }, /give both "minID" and "maxID"/],
    [{ vlanTrunk: [{ minID: 9, maxID: 5 }] }, /"minID" 9 is greater than "maxID" 5/],
    [{ vlanTrunk: [{ minID: 1, maxID: 5000 }] }, /5000/],
  ] as const) {
    test(`${JSON.stringify(members)} is refused`, () => {
      assert.throws(() => config(members), { code: CniCode.invalidConfig, message: says })
    })
  }

  for (const [members, says] of [
    [{ hairpinMode: true, promiscMode: true }, /"hairpinMode" and "promiscMode"/],
    [{ disableContainerInterface: true, ipam: { type: 'x' } }, /"disableContainerInterface"/],
    [{ cniVersion: '0.2.0' }, /layer 2/],
    [{ mtu: -1 }, /"mtu" -1/],
    [{ bridge: '' }, /"bridge" ""/],
    [{ bridge: '../../x' }, /"bridge" "\.\.\/\.\.\/x"/],
    [{ bridge: 'a-name-of-16-byt' }, /at most 15/],
    [{ bridge: '..' }, /"bridge" "\.\."/],
  ] as const) {
    test(`${JSON.stringify(members)} is refused by ADD, and does not keep DEL from its work`, () => {
      const parsed = config(members)
      assert.throws(() => requireUsable(parsed), { code: CniCode.invalidConfig, message: says })
    })
  }
})

describe('the result', () => {
  test('gets the first address of each subnet for a gateway, where IPAM names none', () => {
    const { ips } = completeResult(config({ isGateway: true }), result('10.1.2.5/24', 'fd00:2::5/64'), 2)
    assert.deepEqual(ips, [
      { address: '10.1.2.5/24', gateway: '10.1.2.1', interface: 2 },
      { address: 'fd00:2::5/64', gateway: 'fd00:2::1', interface: 2 },
    ])
  })

  test('gets no gateway where the bridge is none', () => {
    assert.deepEqual(completeResult(config(), result('10.1.2.5/24'), 2).ips, [{ address: '10.1.2.5/24', interface: 2 }])
  })

  test('gets one default route per family', () => {
    const network = config({ isDefaultGateway: true })
    const { routes } = completeResult(network, result('10.1.2.5/24', '10.9.0.5/24', 'fd00:2::5/64'), 2)
    assert.deepEqual(routes, [
      { dst: '0.0.0.0/0', gw: '10.1.2.1' },
      { dst: '::/0', gw: 'fd00:2::1' },
    ])
  })

  for (const { gw, expected } of [
    { gw: '10.1.2.9', expected: '10.1.2.9' },
    { gw: undefined, expected: '10.1.2.1' },
  ]) {
    test(`keeps IPAM's default route ${gw ? `via ${gw}` : 'and gives it a gateway'}`, () => {
      const told = { ...result('10.1.2.5/24'), routes: [{ dst: '0.0.0.0/0', ...(gw && { gw }) }] }
      const { routes } = completeResult(config({ isDefaultGateway: true }), told, 2)
      assert.deepEqual(routes, [{ dst: '0.0.0.0/0', gw: expected }])
    })
  }
})

describe('the gateway', () => {
  test('has the length of its subnet', () => {
    const ips = [
      { address: '10.1.2.5/24', gateway: '10.1.2.254' },
      { address: '10.1.2.6/24', gateway: '10.1.2.254' },
    ]
    assert.deepEqual(gatewaysOf(config({ isGateway: true }), ips), ['10.1.2.254/24'])
    assert.deepEqual(gatewaysOf(config(), ips), [])
  })

  for (const { ips, forced } of [
    { ips: ['10.1.2.5/24', '10.1.3.5/24'], forced: ['10.1.3.1/24'] },
    { ips: ['10.1.2.5/24', 'fd00:2::5/64', 'fd00:3::5/64'], forced: ['10.1.2.1/24', 'fd00:2::1/64', 'fd00:3::1/64'] },
  ]) {
    test(`of ${ips.join(', ')} is, with forceAddress, ${forced.join(', ')}`, () => {
      const of = (forceAddress: boolean) => gatewaysOf(config({ isGateway: true, forceAddress }), result(...ips).ips)
      assert.deepEqual(of(true), forced)
      assert.equal(of(false).length, ips.length)
    })
  }

  const there = (...prefixes: string[]) => prefixes.map((prefix) => ({ prefix }) as Address)
  const rows = [
    { there: [], gateways: ['10.1.2.1/24'], inTheWay: [] },
    { there: ['10.1.2.1/24'], gateways: ['10.1.2.1/24'], inTheWay: [] },
    { there: ['10.9.0.1/16'], gateways: ['10.1.2.1/24'], inTheWay: ['10.9.0.1/16'] },
    { there: ['10.1.2.1/16'], gateways: ['10.1.2.1/24'], inTheWay: ['10.1.2.1/16'] },
    { there: ['10.9.0.1/16'], gateways: ['fd00:2::1/64'], inTheWay: [] },
    { there: ['fe80::1/64', 'fd00:9::1/64'], gateways: ['fd00:2::1/64'], inTheWay: [] },
    { there: ['fd00::1/16'], gateways: ['fd00:2::1/64'], inTheWay: ['fd00::1/16'] },
    { there: [], gateways: ['fd00:2::1/64', 'fd00:3::1/64'], inTheWay: [] },
  ]
  for (const { there: prefixes, gateways, inTheWay } of rows) {
    const others = inTheWay.length > 0 ? `finds ${inTheWay} in its way` : 'has room'
    test(`${gateways} ${others} beside ${prefixes.join(', ') || 'nothing'}`, () => {
      const find = (forceAddress: boolean) =>
        addressesInTheWay(config({ isGateway: true, forceAddress }), there(...prefixes), gateways)
      assert.deepEqual(find(true), inTheWay)
      if (inTheWay.length > 0) assert.throws(() => find(false), { code: CniCode.conflict, message: /forceAddress/ })
      else assert.deepEqual(find(false), [])
    })
  }
})

describe('the port', () => {
  test('is promised to be what the configuration says, also that it is not', () => {
    const [link] = hostEndState(config({ hairpinMode: true }), 'veth0').links!
    assert.deepEqual(link, {
      name: 'veth0',
      kind: 'veth',
      master: 'cni0',
      port: { hairpin: true, isolated: false },
    })
  })

  test('has no say in VLANs without one', () => assert.deepEqual(vlanState(config(), 'veth0'), {}))

  test('owns its VLANs, unless the default one is preserved', () => {
    assert.deepEqual(vlanState(config({ vlan: 9 }), 'veth0').owned, { vlans: { links: ['veth0'] } })
    assert.equal(vlanState(config({ vlan: 9, preserveDefaultVlan: true }), 'veth0').owned, undefined)
  })
})
