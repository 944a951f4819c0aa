/** Capabilities: what the RFCs' examples and the captures hold, and what does not fit a definition. */
import assert from 'node:assert/strict'
import { describe, test } from 'vitest'
import {
  type Capability,
  capabilityTable,
  decodeCapabilities,
  encodeCapability,
  formatCapability,
} from '../../src/bgp/capability/capabilities.ts'
import { bytes, hexOf } from './octets.ts'

const ipv4 = { afi: 1, safi: 1 }
const ipv6 = { afi: 2, safi: 1 }

const rows: readonly (readonly [octets: string, capability: Capability, text: string])[] = [
  ['010400010001', { name: 'multiprotocol', value: ipv4 }, 'multiprotocol ipv4 unicast'],
  ['010400190046', { name: 'multiprotocol', value: { afi: 25, safi: 70 } }, 'multiprotocol l2vpn evpn'],
  ['0200', { name: 'route-refresh', value: true }, 'route-refresh'],
  [
    '0506000100010002',
    { name: 'extended-next-hop', value: [{ ...ipv4, nextHopAfi: 2 }] },
    'extended-next-hop ipv4 unicast over afi 2',
  ],
  ['0600', { name: 'extended-message', value: true }, 'extended-message'],
  ['090103', { name: 'role', value: 'customer' }, 'role customer'],
  [
    '4006801e00010180',
    {
      name: 'graceful-restart',
      value: { restarting: true, notification: false, time: 30, families: [{ ...ipv4, forwarding: true }] },
    },
    'graceful-restart R, 30 s, ipv4 unicast F',
  ],
  [
    '40024078',
    { name: 'graceful-restart', value: { restarting: false, notification: true, time: 120, families: [] } },
    'graceful-restart N, 120 s',
  ],
  ['4104fa56ea01', { name: 'four-octet-as', value: 4_200_000_001 }, 'four-octet-as 4200000001'],
  [
    '45080001010300020101',
    {
      name: 'add-path',
      value: [
        { ...ipv4, mode: 'both' },
        { ...ipv6, mode: 'receive' },
      ],
    },
    'add-path ipv4 unicast both, ipv6 unicast receive',
  ],
  ['4600', { name: 'enhanced-route-refresh', value: true }, 'enhanced-route-refresh'],
  ['4700', { name: 'long-lived-graceful-restart', value: [] }, 'long-lived-graceful-restart'],
  [
    '470700010180000e10',
    { name: 'long-lived-graceful-restart', value: [{ ...ipv4, forwarding: true, time: 3600 }] },
    'long-lived-graceful-restart ipv4 unicast 3600 s F',
  ],
  ['490402766d00', { name: 'fqdn', value: { host: 'vm', domain: '' } }, 'fqdn vm'],
  ['490502766d0161', { name: 'fqdn', value: { host: 'vm', domain: 'a' } }, 'fqdn vm.a'],
  ['4b0403c3a962', { name: 'software-version', value: 'éb' }, 'software-version éb'],
  ['8000', { name: 'cisco-route-refresh', value: true }, 'cisco-route-refresh'],
  ['c803010203', { name: 'other', code: 200, data: Uint8Array.of(1, 2, 3) }, 'capability 200 010203'],
  ['4d00', { name: 'other', code: 77, data: new Uint8Array(0) }, 'capability 77'],
]

for (const [octets, capability, text] of rows) {
  test(`${octets} is ${text}`, () => {
    assert.deepEqual(decodeCapabilities(bytes(octets)), [capability])
    assert.equal(hexOf(encodeCapability(capability)), octets)
    assert.equal(formatCapability(capability), text)
  })
}

test('every capability of the table has a row here', () => {
  const tested = new Set(rows.map(([, { name }]) => name))
  assert.deepEqual(
    Object.keys(capabilityTable).filter((name) => !tested.has(name as Capability['name'])),
    [],
  )
})

describe('what does not fit its definition is kept as other', () => {
  for (const [title, octets] of [
    ['multiprotocol of 3 octets', '0103000101'],
    ['route refresh with data', '020100'],
    ['four-octet AS of 2 octets', '4102fe4c'],
    ['four-octet AS without data', '4100'],
    ['graceful restart of 1 octet', '400100'],
    ['graceful restart with half a family', '4004807800 01'.replace(' ', '')],
    ['ADD-PATH of mode 4', '450400010104'],
    ['ADD-PATH of mode 0', '450400010100'],
    ['ADD-PATH of 3 octets', '4503000101'],
    ['long-lived graceful restart of 4 octets', '470400010180'],
    ['extended next hop of 4 octets', '050400010001'],
    ['a role that nobody has', '090109'],
    ['a name that runs past its end', '490409766d00'],
    ['a name that is no UTF-8', '49040 2ff fe00'.replaceAll(' ', '')],
    ['a name without octets', '4900'],
    ['a version that is shorter than its end', '4b03016162'],
  ] as const) {
    test(title, () => {
      const [capability] = decodeCapabilities(bytes(octets))
      assert.equal(capability?.name, 'other')
      assert.equal(hexOf(encodeCapability(capability)), octets)
    })
  }
})

test('reserved bits are ignored', () => {
  const families = [{ ...ipv4, forwarding: false }]
  const value = { restarting: false, notification: false, time: 120, families }
  assert.deepEqual(decodeCapabilities(bytes('400630780001017f')), [{ name: 'graceful-restart', value }])
  assert.deepEqual(decodeCapabilities(bytes('01040001ff01')), [{ name: 'multiprotocol', value: ipv4 }])
})

test('the longest times fit', () => {
  const restart: Capability = {
    name: 'graceful-restart',
    value: { restarting: false, notification: false, time: 4095, families: [] },
  }
  const stale: Capability = {
    name: 'long-lived-graceful-restart',
    value: [{ ...ipv4, forwarding: false, time: 2 ** 24 - 1 }],
  }
  assert.equal(hexOf(encodeCapability(restart)), '40020fff')
  assert.equal(hexOf(encodeCapability(stale)), '470700010100ffffff')
})

test('a time that does not fit cannot be encoded', () => {
  const value = { restarting: false, notification: false, time: 4096, families: [] }
  assert.throws(() => encodeCapability({ name: 'graceful-restart', value }), RangeError)
  const families = [{ ...ipv4, forwarding: false, time: 2 ** 24 }]
  assert.throws(() => encodeCapability({ name: 'long-lived-graceful-restart', value: families }), RangeError)
})

test('a long name is cut at 64 octets, between characters', () => {
  const capability: Capability = { name: 'fqdn', value: { host: `${'é'.repeat(31)}aé`, domain: '' } }
  const [read] = decodeCapabilities(encodeCapability(capability))
  assert.deepEqual(read, { name: 'fqdn', value: { host: `${'é'.repeat(31)}a`, domain: '' } })
})
