/** `ip link … type ipip` beside iproute2 itself: each line runs in two namespaces, by the real program in one and by ours in the other. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { afterAll, test } from 'vitest'
import { runLine } from '../../../src/command/run.ts'
import { liveLinux } from '../../../src/linux/live.ts'
import { comparable, sleep } from '../../linux/command-witness.ts'

const lines = [
  'ip -d link show type ipip',
  'ip -d -j link show tunl0',
  'ip link add t1 type ipip local 10.0.0.1 remote 10.0.0.2',
  'ip -d link show t1',
  'ip -d -j link show t1',
  'ip link add t2 type ipip remote 10.0.0.4 ttl 5 tos 0x10',
  'ip link add t3 type ipip remote 10.0.0.5 nopmtudisc ttl inherit tos inherit',
  'ip link add t4 type ipip local 10.0.0.3 mode any',
  'ip link add d0 type dummy',
  'ip link set d0 mtu 1300 up',
  'ip link add t5 type ipip remote 10.9.0.6 dev d0',
  'ip -d link',
  'ip -d -j link',
  'ip -br link',
  'ip address',
  'ip -j address',
  'ip link set tunl0 up',
  'ip address add 10.1.1.1/32 dev tunl0',
  'ip address show tunl0',
  'ip -j address show tunl0',
  'ip route add 10.3.0.0/24 via 10.0.0.9 dev tunl0 onlink',
  'ip route',
  'ip link add x type ipip local 10.0.0.1 remote 10.0.0.2',
  'ip link add x type ipip',
  'ip link add x type ipip local any remote any',
  'ip link add x type ipip ttl 300',
  'ip link add x type ipip ttl many',
  'ip link add x type ipip tos 999',
  'ip link add x type ipip remote',
  'ip link add x type ipip remote fe80::1',
  'ip link add x type ipip dev nowhere',
  'ip link add x type ipip remote 10.0.0.7 ttl 5 nopmtudisc',
  'ip link add x type ipip mode gre',
  'ip link add x type ipip colour',
  'ip link add type ipip remote 10.0.0.8',
  'ip -br link show type ipip',
  'ip link set t1 mtu 65000',
  'ip link set t1 mtu 60',
  'ip link delete tunl0',
  'ip link delete t1',
  'ip -br link show type ipip',
]

const root = liveLinux()
const names = { real: 'ovi-real', ours: 'ovi-ours' }
const kernels = Object.values(names).map((name) => root.enter(root.namespaces.add(name))!)

afterAll(() => {
  for (const kernel of kernels) kernel.close()
  for (const name of Object.values(names)) root.namespaces.delete(name)
  root.close()
})

for (const line of lines) {
  test(line, async () => {
    const real = spawnSync('ip', ['netns', 'exec', names.real, 'sh', '-c', line], { encoding: 'utf8' })
    const ours = await runLine(line, { kernel: kernels[1]!, now: () => performance.now(), sleep })
    assert.deepEqual(withoutMacs(comparable(ours, names.ours)), withoutMacs(comparable(real, names.real)))
  })
}

/** A dummy's MAC is drawn. */
function withoutMacs<T>(value: T): T {
  return JSON.parse(JSON.stringify(value).replace(/(?:[0-9a-f]{2}:){5}[0-9a-f]{2}|fe80::[0-9a-f:]+/g, 'MAC')) as T
}
