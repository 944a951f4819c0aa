/** Flags as Go reads them, and what they come to. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { describeFlags, FLAGS, parseFlags } from '../../../src/cli/daemon/flags.ts'
import { readSettings } from '../../../src/cli/daemon/settings.ts'

const settings = (argv: readonly string[], environment: Readonly<Record<string, string>> = {}) =>
  readSettings(parseFlags(argv, environment))
const isUsage = (message: RegExp) => (error: unknown) => {
  assert.match((error as Error).message, message)
  assert.equal((error as { status: number }).status, 2)
  return true
}

for (const argv of [['-iface', 'eth1'], ['--iface', 'eth1'], ['-iface=eth1'], ['--iface=eth1']]) {
  test(`${argv.join(' ')} is what Go takes it for`, () => {
    assert.deepEqual(settings(argv).uplink.interfaces, ['eth1'])
  })
}

test('a flag that is true or false takes no next word, and any of Go’s words for it', () => {
  assert.deepEqual(settings(['-ip-masq', '--iface', 'a']).uplink.interfaces, ['a'])
  assert.equal(settings(['-ip-masq']).rules.masquerade, true)
  for (const word of ['1', 't', 'T', 'true', 'TRUE', 'True']) {
    assert.equal(settings([`--ip-masq=${word}`]).rules.masquerade, true)
  }
  assert.equal(settings(['--iptables-forward-rules=f']).rules.forward, false)
  assert.throws(() => settings(['--ip-masq=yes']), isUsage(/"yes" is neither true nor false/))
})

test('a flag that may be repeated keeps all its values, another one the last', () => {
  const { uplink } = settings(['-iface=a', '-iface=b', '-public-ip=192.0.2.1', '-public-ip=192.0.2.2'])
  assert.deepEqual(uplink.interfaces, ['a', 'b'])
  assert.equal(uplink.publicIp.ipv4, '192.0.2.2')
})

test('a variable says what the command line does not', () => {
  const environment = { FLANNELD_ETCD_PREFIX: '/a', FLANNELD_IP_MASQ: 'true', FLANNELD_SUBNET_FILE: '' }
  const { prefix, rules, subnetFile } = settings(['-etcd-prefix', '/b'], environment)
  assert.deepEqual([prefix, rules.masquerade, subnetFile], ['/b', true, '/run/flannel/subnet.env'])
  assert.throws(() => settings([], { FLANNELD_IP_MASQ: 'maybe' }), isUsage(/FLANNELD_IP_MASQ: "maybe"/))
})

test('the defaults are flanneld’s', () => {
  const { store, prefix, rules, leaseSeconds, renewSeconds, listen } = settings([])
  assert.ok('etcd' in store)
  assert.deepEqual(store.etcd.endpoints, ['http://127.0.0.1:4001', 'http://127.0.0.1:2379'])
  assert.deepEqual(
    [prefix, rules, leaseSeconds, renewSeconds, listen],
    [
      '/coreos.com/network',
      { masquerade: false, fullyRandom: true, forward: true, blackhole: false },
      86_400,
      3_600,
      undefined,
    ],
  )
})

// text, seconds
for (const [text, seconds] of [
  ['60', 3600],
  ['1439', 86_340],
  ['90s', 90],
  ['2m', 120],
  ['3h', 10_800],
] as const) {
  test(`a renewal margin of ${text} is ${seconds} s`, () => {
    assert.equal(settings(['-subnet-lease-renew-margin', text]).renewSeconds, seconds)
  })
}

const REFUSED: readonly (readonly [readonly string[], RegExp])[] = [
  [['-subnet-lease-renew-margin=0'], /is no time of 1 s to 86399 s/],
  [['-subnet-lease-renew-margin=1440'], /is no time/],
  [['-subnet-lease-ttl', '1h', '-subnet-lease-renew-margin', '1h'], /is no time of 1 s to 3599 s/],
  [['-healthz-port', '65536'], /is no number from 0 to 65535/],
  [['-healthz-ip', 'localhost'], /is no address/],
  [['-public-ip', 'fd77::1'], /is no IPv4 address/],
  [['-public-ipv6', '192.0.2.1'], /is no IPv6 address/],
  [['-store', 'consul'], /neither etcd nor file:DIRECTORY/],
  [['-store=file:'], /neither etcd nor file:DIRECTORY/],
  [['-log-format=xml'], /is none of text, json/],
  [['-nothing'], /there is no such flag/],
  [['word'], /it is no flag/],
  [['-iface'], /its value is missing/],
  [['-kube-subnet-mgr'], /overlab has no such thing; .*--etcd-endpoints/],
  [['-net-config-path=/x'], /--network-config/],
  [['--vmodule', 'x=1'], /--log-level/],
]
for (const [argv, message] of REFUSED) {
  test(`${argv.join(' ')} is refused`, () => {
    assert.throws(() => settings(argv), isUsage(message))
  })
}

test('the help has a line for each flag', () => {
  const help = describeFlags()
  for (const { name } of FLAGS) assert.match(help, new RegExp(`^  --${name}[ \\n]`, 'm'))
})
