/** Lines of commands on the model: what runs, what is refused and with which status. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import type { Context } from '../../src/command/command.ts'
import { runLine } from '../../src/command/run.ts'
import { createModel } from '../../src/model/create.ts'

function machine(): Context {
  const kernel = createModel()
  return {
    kernel,
    now: () => kernel.model.clock.now / 1000,
    sleep: async (milliseconds) => kernel.model.advance(milliseconds * 1000),
  }
}

test('commands run one after the other, and their texts are joined', async () => {
  const outcome = await runLine('sysctl -n net.ipv4.ip_forward; sysctl -w net.ipv4.ip_forward=1', machine())
  assert.deepEqual(outcome, { status: 0, stdout: '0\nnet.ipv4.ip_forward = 1\n', stderr: '' })
})

test('what follows && runs after success, what follows || after failure, and the status is that of the last to run', async () => {
  const context = machine()
  const line = 'ip link show nothing && sysctl -n net.ipv4.ip_forward || sysctl -n net.ipv4.ip_default_ttl'
  assert.deepEqual(await runLine(line, context), {
    status: 0,
    stdout: '64\n',
    stderr: 'Device "nothing" does not exist.\n',
  })
  assert.equal((await runLine('ip link show nothing && ip link', context)).status, 1)
})

test('a program is found by the end of its path', async () => {
  assert.equal((await runLine('/usr/sbin/sysctl -n net.ipv4.ip_forward', machine())).stdout, '0\n')
})

test('ip netns exec runs what is here in another namespace', async () => {
  const context = machine()
  const line =
    'ip netns add a; ip netns exec a sysctl -qw net.ipv4.ip_forward=1; ip netns exec a sysctl -n net.ipv4.ip_forward'
  assert.deepEqual(await runLine(`${line}; sysctl -n net.ipv4.ip_forward`, context), {
    status: 0,
    stdout: '1\n0\n',
    stderr: '',
  })
  assert.equal((await runLine('ip netns exec b ip link', context)).status, 255)
})

test('a program that is not here is refused with status 127', async () => {
  for (const program of ['tcpdump', 'constructor', '__proto__']) {
    const { status, stderr } = await runLine(`${program} -i eth0`, machine())
    assert.equal(status, 127)
    assert.match(stderr, new RegExp(`^overlab: ${program}: not modelled: `))
  }
})

test('nothing runs of a line that a shell would have to read', async () => {
  const context = machine()
  const { status, stderr } = await runLine('sysctl -w net.ipv4.ip_forward=1; ip link | cat', context)
  assert.equal(status, 2)
  assert.match(stderr, /^overlab: sh: not modelled: pipe/)
  assert.equal(context.kernel.sysctl.get('net/ipv4/ip_forward'), '0')
})

for (const line of [
  'ip monitor',
  'ip -batch file',
  'ip help',
  'ip',
  'ip -s -s link',
  'ip -s neigh',
  'ip netns list',
  'ip netns',
  'ip tuntap show',
  'ip route show cache',
  'ip link set lo arp off',
  'ip link add x type geneve id 1 remote 10.0.0.1',
  'ip route add 10.0.0.0/8 encap mpls 100 via 10.0.0.1',
  'ip rule add uidrange 0-1000 table 5',
  'bridge monitor',
  'bridge mdb',
  'bridge fdb flush dev lo',
  'sysctl --system',
  'sysctl -p',
  'conntrack -E',
  'conntrack -L expect',
  'conntrack -L -o xml',
]) {
  test(`${line} is refused by name`, async () => {
    const { status, stdout, stderr } = await runLine(line, machine())
    assert.notEqual(status, 0)
    assert.equal(stdout, '')
    assert.match(stderr, /^overlab: \w+: not modelled: [^\n]+\n$/)
  })
}

test('details of a kind that is not wholly known are refused', async () => {
  const context = machine()
  const kernel = Object.create(context.kernel, {
    links: { value: { list: () => [{ ...context.kernel.links.get('lo')!, kind: 'wireguard' }], get: () => undefined } },
  })
  const { status, stderr } = await runLine('ip -d link', { ...context, kernel })
  assert.equal(status, 255)
  assert.match(stderr, /^overlab: ip: not modelled: -d of "lo", which is a wireguard$/m)
})
