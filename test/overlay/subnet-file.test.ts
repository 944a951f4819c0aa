/** subnet.env, as flannel writes it and as godotenv reads it. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { parseConfig } from '../../src/overlay/config.ts'
import { formatSubnetFile, parseSubnetFile } from '../../src/overlay/subnet-file.ts'

const ipv4 = parseConfig('{"Network":"10.5.0.0/16"}')
const both = parseConfig(
  '{"Network":"10.5.0.0/16","EnableIPv6":true,"IPv6Network":"fd00:10::/48","Backend":{"Type":"vxlan"}}',
)
const ipv6 = parseConfig(
  '{"EnableIPv4":false,"EnableIPv6":true,"IPv6Network":"fd00:10::/48","Backend":{"Type":"vxlan"}}',
)
const subnets = { ipv4: '10.5.72.0/24', ipv6: 'fd00:10:0:5::/64' }

test('of both families: flannel’s bytes', () => {
  assert.equal(
    formatSubnetFile({ config: both, subnets, mtu: 1430, ipMasq: true }),
    `FLANNEL_NETWORK=10.5.0.0/16
FLANNEL_SUBNET=10.5.72.1/24
FLANNEL_IPV6_NETWORK=fd00:10::/48
FLANNEL_IPV6_SUBNET=fd00:10:0:5::1/64
FLANNEL_MTU=1430
FLANNEL_IPMASQ=true
`,
  )
})

test('of one family: only its lines', () => {
  assert.equal(
    formatSubnetFile({ config: ipv4, subnets: { ipv4: '10.5.72.0/24' }, mtu: 1472, ipMasq: false }),
    'FLANNEL_NETWORK=10.5.0.0/16\nFLANNEL_SUBNET=10.5.72.1/24\nFLANNEL_MTU=1472\nFLANNEL_IPMASQ=false\n',
  )
  assert.equal(
    formatSubnetFile({ config: ipv6, subnets: { ipv6: subnets.ipv6 }, mtu: 1430, ipMasq: true }),
    'FLANNEL_IPV6_NETWORK=fd00:10::/48\nFLANNEL_IPV6_SUBNET=fd00:10:0:5::1/64\nFLANNEL_MTU=1430\nFLANNEL_IPMASQ=true\n',
  )
})

test('what is written is read: networks and subnets without host bits', () => {
  assert.deepEqual(parseSubnetFile(formatSubnetFile({ config: both, subnets, mtu: 1430, ipMasq: true })), {
    networks: { ipv4: '10.5.0.0/16', ipv6: 'fd00:10::/48' },
    subnets,
  })
})

// A line, and the subnet that it says.
const lines: readonly (readonly [string, string | undefined])[] = [
  ['FLANNEL_SUBNET=10.5.72.1/24', '10.5.72.0/24'],
  ['export FLANNEL_SUBNET=10.5.72.1/24', '10.5.72.0/24'],
  ['  FLANNEL_SUBNET = 10.5.72.1/24  ', '10.5.72.0/24'],
  ['FLANNEL_SUBNET: 10.5.72.1/24', '10.5.72.0/24'],
  ["FLANNEL_SUBNET='10.5.72.1/24'", '10.5.72.0/24'],
  ['FLANNEL_SUBNET="10.5.72.1/24"  # the bridge', '10.5.72.0/24'],
  ['FLANNEL_SUBNET=10.5.72.1/24 # the bridge', '10.5.72.0/24'],
  ['FLANNEL_SUBNET=10.5.72.1/24\r', '10.5.72.0/24'],
  ['# FLANNEL_SUBNET=10.5.72.1/24', undefined],
  ['FLANNEL_SUBNET=10.5.72.1', undefined],
  ['FLANNEL_SUBNET=fd00::1/64', undefined],
  ['FLANNEL_SUBNET=10.5.72.1/24,10.6.0.1/24', undefined],
  ['FLANNEL_SUBNET', undefined],
  ['FLANNEL_SUBNET=', undefined],
  ['', undefined],
]

for (const [line, subnet] of lines) {
  test(`${JSON.stringify(line)} says ${subnet ?? 'nothing'}`, () => {
    assert.equal(parseSubnetFile(`A=b\n${line}\nC=d\n`).subnets.ipv4, subnet)
  })
}

test('of two lines for one name the last counts', () => {
  assert.equal(parseSubnetFile('FLANNEL_SUBNET=10.5.1.1/24\nFLANNEL_SUBNET=10.5.2.1/24').subnets.ipv4, '10.5.2.0/24')
})
