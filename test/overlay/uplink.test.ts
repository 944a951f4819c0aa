/** Which link and which addresses a node is known by: flannel's rows, pkg/ipmatch/match_test.go, and what it does not look at. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import type { Address } from '../../src/kernel/address.ts'
import type { Kernel } from '../../src/kernel/kernel.ts'
import { createModel } from '../../src/model/create.ts'
import { findUplink, type UplinkOptions } from '../../src/overlay/uplink.ts'
import { parsePattern } from '../../src/overlay/uplink-pattern.ts'

const nothing: UplinkOptions = {
  families: ['ipv4'],
  interfaces: [],
  patterns: [],
  canReach: undefined,
  publicIp: {},
}
const ipv6: UplinkOptions = { ...nothing, families: ['ipv6'] }
const both: UplinkOptions = { ...nothing, families: ['ipv4', 'ipv6'] }

/** A machine with these links, up, and their addresses. */
function machine(links: Readonly<Record<string, readonly string[]>>): Kernel {
  const kernel = createModel({ seed: 1 })
  for (const [name, addresses] of Object.entries(links)) {
    kernel.links.add({ kind: 'dummy', name, up: true })
    for (const prefix of addresses) kernel.addresses.add({ link: name, prefix, noDad: true })
  }
  return kernel
}

/** eth0 is a NAT card with the default route, eth1 the network of the nodes. */
function vagrant(): Kernel {
  const kernel = machine({
    eth0: ['10.0.2.15/24', 'fd00:2::15/64'],
    eth1: ['192.168.56.11/24', '192.168.56.99/24', 'fd00:56::11/64'],
  })
  kernel.links.set('eth1', { mtu: 1400 })
  for (const gateway of ['10.0.2.2', 'fd00:2::2']) {
    kernel.routes.add({ destination: gateway.includes(':') ? '::/0' : '0.0.0.0/0', gateway, link: 'eth0' })
  }
  return kernel
}

const nat = { link: 'eth0', mtu: 1500, ipv4: { address: '10.0.2.15/24', publicIp: '10.0.2.15' } }
const lan = { link: 'eth1', mtu: 1400, ipv4: { address: '192.168.56.11/24', publicIp: '192.168.56.11' } }
const lan6 = { address: 'fd00:56::11/64', publicIp: 'fd00:56::11' }

// name, options, what is found on the machine above.
const found: readonly (readonly [string, UplinkOptions, object])[] = [
  ['nothing: the default route’s link', nothing, nat],
  ['--iface with a name', { ...nothing, interfaces: ['eth1'] }, lan],
  [
    '--iface with an address, which is then the one',
    { ...nothing, interfaces: ['192.168.56.99'] },
    { ...lan, ipv4: { address: '192.168.56.99/24', publicIp: '192.168.56.99' } },
  ],
  ['--iface twice: the first that is there', { ...nothing, interfaces: ['ens3', 'eth1', 'eth0'] }, lan],
  ['--iface-regex that matches an address', { ...nothing, patterns: ['192\\.168\\.56\\.1\\d'] }, lan],
  [
    '--iface-regex that matches the link’s second address, which is then the one',
    { ...nothing, patterns: ['^192\\.168\\.56\\.99$'] },
    { ...lan, ipv4: { address: '192.168.56.99/24', publicIp: '192.168.56.99' } },
  ],
  ['--iface-regex that matches a name', { ...nothing, patterns: ['^eth[1-9]$'] }, lan],
  ['--iface-regex in another case', { ...nothing, patterns: ['(?i)ETH1'] }, lan],
  ['--iface that is not there, then --iface-regex', { ...nothing, interfaces: ['ens3'], patterns: ['eth1'] }, lan],
  ['--iface-can-reach: the link and address of the route', { ...nothing, canReach: '192.168.56.40' }, lan],
  ['--iface-can-reach beyond the default route', { ...nothing, canReach: '1.1.1.1' }, nat],
  ['--public-ip alone: the link that has it', { ...nothing, publicIp: { ipv4: '192.168.56.11' } }, lan],
  [
    '--public-ip with --iface: others know the node by it',
    { ...nothing, interfaces: ['eth1'], publicIp: { ipv4: '203.0.113.5' } },
    { ...lan, ipv4: { ...lan.ipv4, publicIp: '203.0.113.5' } },
  ],
  ['IPv6 alone', { ...ipv6, interfaces: ['eth1'] }, { link: 'eth1', mtu: 1400, ipv6: lan6 }],
  ['IPv6 alone, by its address', { ...ipv6, interfaces: ['fd00:56:0::11'] }, { link: 'eth1', mtu: 1400, ipv6: lan6 }],
  [
    'both families: the link of both default routes',
    both,
    { ...nat, ipv6: { address: 'fd00:2::15/64', publicIp: 'fd00:2::15' } },
  ],
  ['both families, by one address', { ...both, interfaces: ['192.168.56.11'] }, { ...lan, ipv6: lan6 }],
  ['both families, by a pattern for one of them', { ...both, patterns: ['^192\\.168\\.'] }, { ...lan, ipv6: lan6 }],
  [
    'both families, and two public addresses',
    { ...both, interfaces: ['eth1'], publicIp: { ipv4: '203.0.113.5', ipv6: '2001:db8:0::5' } },
    { ...lan, ipv4: { ...lan.ipv4, publicIp: '203.0.113.5' }, ipv6: { ...lan6, publicIp: '2001:db8::5' } },
  ],
]

for (const [name, options, uplink] of found) {
  test(name, () => assert.deepEqual(findUplink(vagrant(), options), uplink))
}

const links = 'lo \\(no address\\), eth0 \\(10\\.0\\.2\\.15/24'
const refused: readonly (readonly [string, UplinkOptions, RegExp])[] = [
  [
    'a name that is not there',
    { ...nothing, interfaces: ['ens3'] },
    new RegExp(`^Cannot use link "ens3": there is none; there are ${links}`),
  ],
  [
    'an address that no link has',
    { ...nothing, interfaces: ['1.2.3.4'] },
    /^Cannot use address 1\.2\.3\.4: no link has it/,
  ],
  [
    'a pattern that matches nothing',
    { ...nothing, patterns: ['^wlan'] },
    new RegExp(`matches "\\^wlan": there are ${links}`),
  ],
  ['two ways that fail: both are told', { ...nothing, interfaces: ['ens3', 'ens4'] }, /"ens3".*; .*"ens4"/],
  [
    'a public address that is none',
    { ...nothing, publicIp: { ipv4: 'fd00::1' } },
    /^Cannot use "fd00::1" as public address: it is no IPv4/,
  ],
  [
    '--public-ip alone that no link has',
    { ...nothing, publicIp: { ipv4: '203.0.113.5' } },
    /203\.0\.113\.5: no link has it/,
  ],
  ['--iface-can-reach without an address', { ...nothing, canReach: 'n2' }, /"n2".*it is none/],
]

for (const [name, options, message] of refused) {
  test(`${name}: refused, and it is said what there is`, () => {
    assert.throws(() => findUplink(vagrant(), options), { name: 'RangeError', message })
  })
}

test('no default route: it is said how to choose', () => {
  const kernel = machine({ eth0: ['10.1.0.1/24'] })
  assert.throws(() => findUplink(kernel, nothing), {
    message: /no default route of IPv4; choose one with --iface, there are lo/,
  })
  assert.throws(() => findUplink(kernel, { ...nothing, canReach: '10.9.9.9' }), {
    message: /reaches 10\.9\.9\.9: there is no route/,
  })
})

test('default routes by different links: refused, with both', () => {
  const kernel = machine({ eth0: ['10.1.0.1/24'], eth1: ['fd00:1::1/64'] })
  kernel.routes.add({ destination: '0.0.0.0/0', gateway: '10.1.0.254', link: 'eth0' })
  kernel.routes.add({ destination: '::/0', gateway: 'fd00:1::fe', link: 'eth1' })
  assert.throws(() => findUplink(kernel, both), { message: /IPv4 is by eth0, that of IPv6 by eth1/ })
})

test('of several default routes the one with the lowest metric counts', () => {
  const kernel = machine({ eth0: ['10.1.0.1/24'], eth1: ['10.2.0.1/24'] })
  kernel.routes.add({ destination: '0.0.0.0/0', gateway: '10.1.0.254', link: 'eth0', metric: 200 })
  kernel.routes.add({ destination: '0.0.0.0/0', gateway: '10.2.0.254', link: 'eth1', metric: 100 })
  assert.equal(findUplink(kernel, nothing).link, 'eth1')
})

test('a link without an address of the family: refused', () => {
  const kernel = machine({ eth0: ['10.1.0.1/24'] })
  const message = 'Cannot use link "lo": it has no address of IPv4 that others reach'
  assert.throws(() => findUplink(kernel, { ...nothing, interfaces: ['lo'] }), { message })
})

// The link's addresses in the order in which they were added, and the one that is chosen.
const choices: readonly (readonly [string, readonly string[], string])[] = [
  ['global before link-local', ['169.254.1.1/16', '10.1.0.1/24'], '10.1.0.1/24'],
  ['link-local where there is no other', ['169.254.1.1/16'], '169.254.1.1/16'],
  ['the first of equals', ['10.1.0.1/24', '10.2.0.1/24'], '10.1.0.1/24'],
  ['no address of the machine itself', ['127.0.0.2/8', '10.1.0.1/24'], '10.1.0.1/24'],
]

for (const [name, addresses, address] of choices) {
  test(`of a link’s addresses: ${name}`, () => {
    assert.equal(findUplink(machine({ eth0: addresses }), { ...nothing, interfaces: ['eth0'] }).ipv4!.address, address)
  })
}

// What the kernel says of the first of two addresses. Flags are IFA_F_*, linux/if_addr.h.
const worse: readonly (readonly [string, Partial<Address>])[] = [
  ['has a lifetime', { permanent: false }],
  ['is temporary', { flags: 0x81 }],
  ['is deprecated', { flags: 0xa0 }],
  ['is somebody else’s too', { dadFailed: true }],
]

for (const [name, says] of worse) {
  test(`of a link’s addresses: not the one that ${name}`, () => {
    const { links, routes, addresses } = machine({ eth0: ['fd00:1::1/64', 'fd00:2::1/64'] })
    const [first, second] = addresses.list('eth0').filter(({ scope }) => scope === 'global')
    const list = () => [{ ...first!, ...says }, second!]
    const { address } = findUplink({ links, routes, addresses: { list } }, { ...ipv6, interfaces: ['eth0'] }).ipv6!
    assert.equal(address, second!.prefix)
  })
}

test('of IPv6 addresses the global one, not fe80::', () => {
  const kernel = machine({ eth0: ['fd00:1::1/64'] })
  assert.equal(findUplink(kernel, { ...ipv6, interfaces: ['eth0'] }).ipv6!.address, 'fd00:1::1/64')
})

const matching: readonly (readonly [string, string, boolean])[] = [
  ['^(\\d+\\.){3}\\d+$', '192.168.56.11', true],
  ['eth|ens', 'ens3', true],
  ['(eth|ens)\\d', 'ens3', true],
  ['^fd00:[0-9a-f:]+$', 'fd00:56::11', true],
  ['br\\-lan', 'br-lan', true],
  ['[a\\-z]\\d', '-1', true],
  ['(?i)^ETH', 'eth0', true],
  ['^\\(x\\)+$', '(x))', true],
  ['^eth0$', 'eth01', false],
]

for (const [pattern, text, isMatch] of matching) {
  test(`${pattern} ${isMatch ? 'matches' : 'does not match'} ${text}`, () => {
    assert.equal(parsePattern(pattern).test(text), isMatch)
  })
}

const patterns = [
  '(',
  '[[:alpha:]]',
  '(?=eth)',
  '(?<!eth)0',
  '(e)\\1',
  '(?P<name>eth)',
  '\\Aeth',
  'eth\\z',
  '(a+)+$',
  '((a|b)c)*',
  '(a*){2,}',
  '(a*){9}',
  '.*.*.*.*.*.*.*x',
  'e'.repeat(201),
]

for (const pattern of patterns) {
  test(`the pattern ${pattern.slice(0, 20)} is refused`, () => {
    assert.throws(() => parsePattern(pattern), { name: 'RangeError', message: /^Cannot use the pattern/ })
  })
}
