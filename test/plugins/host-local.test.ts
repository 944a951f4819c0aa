import assert from 'node:assert/strict'
import { test } from 'vitest'
import type { CniResult, Surroundings } from '../../src/cni/plugin.ts'
import { KernelError } from '../../src/kernel/errors.ts'
import { type HostLocalConfig, hostLocal } from '../../src/plugins/host-local.ts'
import { networkConfig, told } from '../support/configuration.ts'
import { type MemoryHost, memoryHost } from '../support/memory-host.ts'

const NETWORKS = '/var/lib/cni/networks'
const oneRange = { subnet: '10.1.2.0/24' }

interface Call {
  readonly args?: string
  readonly ifName?: string
}

/** A network on a host; `members` are the configuration's beside `ipam`. */
function network(ipam: object | undefined, members: object = {}, host: MemoryHost = memoryHost()) {
  const config = (more: object = {}): HostLocalConfig =>
    hostLocal.parseConfig(
      networkConfig({ ...members, ...(ipam && { ipam: { type: 'host-local', ...ipam } }), ...more }),
    )
  const surroundings = { host } as unknown as Surroundings
  const request = (containerId: string, { args = '', ifName = 'eth0' }: Call, more: object = {}) => ({
    containerId,
    ifName,
    netns: '/run/netns/blue',
    args,
    config: config(more),
  })
  return {
    host,
    config,
    add: (id: string, call: Call = {}): CniResult => hostLocal.add(request(id, call), surroundings),
    check: (id: string, prevResult?: object, call: Call = {}) =>
      hostLocal.check(request(id, call, prevResult && { prevResult }), surroundings),
    del: (id: string, call: Call = {}) => hostLocal.del(request(id, call), surroundings),
    gc: (...valid: [string, string][]) =>
      hostLocal.gc!(
        { config: config(), validAttachments: valid.map(([containerId, ifName]) => ({ containerId, ifName })) },
        surroundings,
      ),
    status: () => hostLocal.status!({ config: config() }, surroundings),
    reserved: () => (host.files.list(`${NETWORKS}/lan`) ?? []).filter((name) => /^[\da-f]+[.:]/.test(name)).sort(),
  }
}

test('ADD answers with an address of each set, its gateway, the routes and the DNS settings', () => {
  const host = memoryHost({ files: { '/etc/pods.conf': 'nameserver 192.0.2.3\nsearch a.example\n' } })
  const { add } = network(
    {
      ranges: [[{ subnet: '10.1.2.0/24' }, { subnet: '10.2.2.0/24' }], [{ subnet: '2001:db8:1::/64' }]],
      routes: [{ dst: '0.0.0.0/0' }, { dst: '192.168.0.0/16', gw: '1.1.1.1', mtu: 1400, table: 0, priority: 0 }],
      resolvConf: '/etc/pods.conf',
    },
    {},
    host,
  )
  assert.deepEqual(add('a'), {
    interfaces: [],
    ips: [
      { address: '10.1.2.2/24', gateway: '10.1.2.1' },
      { address: '2001:db8:1::2/64', gateway: '2001:db8:1::1' },
    ],
    routes: [{ dst: '0.0.0.0/0' }, { dst: '192.168.0.0/16', gw: '1.1.1.1', mtu: 1400, table: 0 }],
    dns: { nameservers: ['192.0.2.3'], search: ['a.example'], options: [] },
  })
})

test("the runtime's ranges come first, then the single one, then the list", () => {
  const { add } = network(
    { ...oneRange, ranges: [[{ subnet: 'fd00::/64' }]] },
    { runtimeConfig: { ipRanges: [[{ subnet: '10.7.0.0/24' }]] } },
  )
  assert.deepEqual(
    add('a').ips.map(({ address }) => address),
    ['10.7.0.2/24', '10.1.2.2/24', 'fd00::2/64'],
  )
})

test('addresses asked for in CNI_ARGS, args and runtimeConfig add up, with or without a prefix length', () => {
  const { add } = network(
    { ranges: [[{ subnet: '10.1.2.0/24' }], [{ subnet: '10.2.2.0/24' }], [{ subnet: 'fd00::/64' }]] },
    { args: { cni: { ips: ['10.2.2.99/16'] } }, runtimeConfig: { ips: ['fd00::77'] } },
  )
  assert.deepEqual(
    add('a', { args: 'IgnoreUnknown=1;K8S_POD_NAME=pod;IP=10.1.2.88' }).ips.map(({ address }) => address),
    ['10.1.2.88/24', '10.2.2.99/24', 'fd00::77/64'],
  )
})

test('an empty IP in CNI_ARGS asks for nothing', () => {
  assert.equal(network(oneRange).add('a', { args: 'IP=' }).ips[0]!.address, '10.1.2.2/24')
})

// CNI_ARGS, the code; refused by ADD, CHECK and DEL
for (const [args, code] of [
  ['IP=nonsense', 4],
  ['IP', 4],
  ['FOO=1', 4],
  ['GATEWAY=10.1.2.1', 4],
] as const) {
  test(`CNI_ARGS "${args}" is refused by every verb`, () => {
    const { add, check, del } = network(oneRange)
    for (const verb of [add, (id: string, call: Call) => check(id, undefined, call), del]) {
      assert.throws(() => verb('a', { args }), { name: 'CniError', code })
    }
  })
}

// what is wrong, the configuration, the code, the message
const refused = [
  { name: 'no ipam', ipam: undefined, code: 7, message: "IPAM config missing 'ipam' key" },
  { name: 'no range', ipam: {}, code: 7, message: /^no IP ranges specified/ },
  { name: 'a subnet with host bits', ipam: { subnet: '10.1.2.5/24' }, code: 7, message: /host bits/ },
  {
    name: 'a route without a prefix length',
    ipam: { ...oneRange, routes: [{ dst: '10.0.0.0' }] },
    code: 7,
    message: /routes/,
  },
  { name: 'a route to nowhere', ipam: { ...oneRange, routes: [{ gw: '10.0.0.1' }] }, code: 7, message: /dst/ },
  { name: 'an MTU as text', ipam: { ...oneRange, routes: [{ dst: '::/0', mtu: '1400' }] }, code: 6, message: /mtu/ },
  {
    name: 'a table that is no integer',
    ipam: { ...oneRange, routes: [{ dst: '::/0', table: 1.5 }] },
    code: 6,
    message: /table/,
  },
  { name: 'a relative dataDir', ipam: { ...oneRange, dataDir: 'here' }, code: 7, message: /"ipam.dataDir": "here"/ },
  { name: 'a dataDir that climbs', ipam: { ...oneRange, dataDir: '/var/../etc' }, code: 7, message: /without "\.\."/ },
  {
    name: 'an address in words',
    ipam: oneRange,
    members: { runtimeConfig: { ips: ['ten'] } },
    code: 7,
    message: /"ten"/,
  },
  { name: 'a network name with a slash', ipam: oneRange, members: { name: '../etc' }, code: 7, message: /"\.\.\/etc"/ },
  {
    name: 'two IPv4 addresses in CNI 0.2.0',
    ipam: { ranges: [[{ subnet: '10.1.2.0/24' }], [{ subnet: '10.1.3.0/24' }]] },
    members: { cniVersion: '0.2.0' },
    code: 7,
    message: 'CNI version 0.2.0 does not support more than 1 address per family',
  },
]

for (const { name, ipam, members, code, message } of refused) {
  test(`a configuration is refused for ${name}`, () => {
    assert.throws(() => told(() => network(ipam, members).config()), { name: 'CniError', code, message })
  })
}

test('a resolv.conf that is not there fails ADD before anything is reserved', () => {
  const { add, host } = network({ ...oneRange, resolvConf: '/etc/nope' })
  assert.throws(() => add('a'), { name: 'CniError', code: 7 })
  assert.deepEqual(host.tree(), {})
})

test('reservations lie in dataDir, in a folder named by the network', () => {
  const { add, host } = network({ ...oneRange, dataDir: '/run/pods/' }, { name: 'blue' })
  add('a')
  assert.equal(host.tree()['/run/pods/blue/10.1.2.2'], 'a\r\neth0')
})

test('DEL releases, and succeeds twice and for a container nobody knows', () => {
  const { add, del, reserved } = network({ ranges: [[oneRange], [{ subnet: 'fd00::/64' }]] })
  add('a')
  add('a', { ifName: 'eth1' })
  del('a')
  assert.deepEqual(reserved(), ['10.1.2.3', 'fd00::3'])
  del('a')
  del('nobody')
  assert.deepEqual(reserved(), ['10.1.2.3', 'fd00::3'])
})

test('CHECK is content when the very addresses of the result are reserved', () => {
  const { add, check } = network({ ranges: [[oneRange], [{ subnet: 'fd00::/64' }]] })
  check('a', add('a'))
  check('a')
})

test('CHECK passes over addresses that are not ours to give', () => {
  const { add, check } = network(oneRange)
  const result = add('a')
  check('a', { ...result, ips: [...result.ips, { address: '192.0.2.7/24' }] })
})

test('CHECK notices a reservation that is gone, that another has, and that there never was', () => {
  const { add, check, host } = network({ ranges: [[oneRange], [{ subnet: 'fd00::/64' }]] })
  const result = add('a')
  assert.throws(() => check('b'), {
    code: 101,
    message: 'host-local: Failed to find address added by container b',
  })
  assert.throws(() => check('a', result, { ifName: 'eth1' }), { code: 101, message: /reserved for container a/ })
  host.files.write(`${NETWORKS}/lan/fd00::2`, 'b\r\neth0', 0o600)
  assert.throws(() => check('a', result), {
    code: 101,
    message: 'Cannot find the reservation of fd00::2 for container a: it is reserved for container b',
  })
  host.files.remove(`${NETWORKS}/lan/fd00::2`)
  assert.throws(() => check('a', result), {
    code: 101,
    message: 'Cannot find the reservation of fd00::2 for container a: it is not reserved',
  })
})

test('GC releases what belongs to no living attachment', () => {
  const { add, gc, reserved, host } = network(oneRange)
  add('a')
  add('b')
  add('a', { ifName: 'eth1' })
  host.files.write(`${NETWORKS}/lan/10.1.2.9`, 'a', 0o600)
  host.files.write(`${NETWORKS}/lan/10.1.2.10`, 'c', 0o600)
  host.files.write(`${NETWORKS}/lan/10.1.2.11`, '', 0o600)
  gc(['a', 'eth0'])
  assert.deepEqual(reserved(), ['10.1.2.2', '10.1.2.9'])
  gc()
  assert.deepEqual(reserved(), [])
})

test('GC goes on past what it cannot remove, and reports it', () => {
  const host = memoryHost()
  const stuck = `${NETWORKS}/lan/10.1.2.2`
  const files = {
    ...host.files,
    remove(path: string) {
      if (path === stuck) throw new KernelError('EPERM', `remove "${path}"`)
      return host.files.remove(path)
    },
  }
  const { add, gc, reserved } = network(oneRange, {}, { ...host, files } as MemoryHost)
  add('a')
  add('b')
  assert.throws(() => gc(), { errno: 'EPERM' })
  assert.deepEqual(reserved(), ['10.1.2.2'])
})

test('GC and STATUS of a network that never had a container make nothing', () => {
  const { gc, status, host } = network(oneRange)
  gc()
  status()
  assert.deepEqual(host.tree(), {})
  assert.equal(host.files.status('/var'), undefined)
})

test('STATUS says when a set has no address left', () => {
  const { add, del, status } = network({ ranges: [[oneRange], [{ subnet: 'fd00::/126' }]] })
  add('a')
  status()
  add('b')
  assert.throws(status, {
    code: 50,
    message: /^no IP addresses available in range set: fd00::1-fd00::3/,
  })
  del('a')
  status()
})

test('STATUS says when reservations cannot be kept', () => {
  const { status } = network(oneRange, {}, memoryHost({ files: { '/var/lib/cni': 'a file' } }))
  assert.throws(status, {
    code: 50,
    message: `Cannot keep reservations in "${NETWORKS}/lan": "/var/lib/cni" is no directory`,
  })
})
