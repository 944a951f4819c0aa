/**
 * The backends on Linux, as iproute2 tells of them: word for word what it tells of flannel's devices, routes, neighbours and
 * FDB entries. And what it tells while everything is as it should be: nothing.
 */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, test } from 'vitest'
import type { LiveKernel } from '../../../src/kernel/live.ts'
import { hostGw } from '../../../src/overlay/backend/host-gw.ts'
import { udp } from '../../../src/overlay/backend/udp.ts'
import { vxlan } from '../../../src/overlay/backend/vxlan.ts'
import { noTrafficRules, trafficRules } from '../../../src/overlay/rules/rules.ts'
import { joinStates, type State } from '../../../src/reconcile/state.ts'
import { eventually } from '../../contract/kernel/case.ts'
import { linuxWorld } from '../../contract/linux-world.ts'
import { dualStack, network, plainLease, uplink, vxlanConfig, vxlanLease } from '../../overlay/backend/node.ts'
import { type KeepWorld, keepWorld } from '../../reconcile/keep-cases.ts'
import { realClock } from '../../reconcile/real-clock.ts'

interface Node extends KeepWorld {
  /** Lines that a program writes in the node's namespace, without blanks around them. */
  told(line: string): string[]
}

async function onNode(check: (node: Node) => void | Promise<void>): Promise<void> {
  const { node: kernel, tearDown } = linuxWorld()
  const { world, close } = keepWorld(kernel, realClock)
  kernel.addresses.add({ link: 'eth0', prefix: 'fd77::1/64', noDad: true })
  const told = (line: string) =>
    execFileSync('nsenter', [`--net=${kernel.namespacePath}`, ...line.split(' ')], { encoding: 'utf8' })
      .split('\n')
      .map((each) => each.trim())
      .filter((each) => each !== '')
  try {
    await check({ ...world, told })
  } finally {
    close()
    tearDown()
  }
}

const own = vxlanLease(72)
const peers = [vxlanLease(2), vxlanLease(3)]
const vxlanState = vxlan.plan({ uplink, lease: own, peers, config: network(vxlanConfig) })
const dualConfig = dualStack(vxlanConfig)
const dualState = vxlan.plan({ uplink, lease: own, peers, config: dualConfig })

describe('vxlan', () => {
  test('the device is as flannel makes it', () =>
    onNode(({ keep, told }) => {
      keep().desire(vxlanState)
      const [first, second, third] = told('ip -d link show flannel.1')
      assert.match(first!, /^\d+: flannel\.1: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1450 qdisc noqueue state UNKNOWN/)
      assert.match(second!, /^link\/ether c6:d2:32:00:04:48 brd ff:ff:ff:ff:ff:ff/)
      assert.match(
        third!,
        /^vxlan id 1 local 192\.168\.77\.1 dev eth0 srcport 0 0 dstport 8472 nolearning ttl auto ageing 300 udpcsum noudp6zerocsumtx noudp6zerocsumrx /,
      )
      assert.match(told('ip -4 address show dev flannel.1').join(), /inet 10\.5\.72\.0\/32 scope global flannel\.1/)
    }))

  test('every peer has the three entries that flannel makes', () =>
    onNode(({ keep, told }) => {
      keep().desire(vxlanState)
      assert.deepEqual(told('ip route show dev flannel.1'), [
        '10.5.2.0/24 via 10.5.2.0 onlink',
        '10.5.3.0/24 via 10.5.3.0 onlink',
      ])
      assert.deepEqual(told('ip -4 neigh show dev flannel.1').sort(), [
        '10.5.2.0 lladdr c6:d2:32:00:04:02 PERMANENT',
        '10.5.3.0 lladdr c6:d2:32:00:04:03 PERMANENT',
      ])
      assert.deepEqual(told('bridge fdb show dev flannel.1').sort(), [
        'c6:d2:32:00:04:02 dst 192.168.77.2 self permanent',
        'c6:d2:32:00:04:03 dst 192.168.77.3 self permanent',
      ])
      assert.deepEqual(JSON.parse(told('ip -j -d route show 10.5.2.0/24').join('')), [
        {
          type: 'unicast',
          dst: '10.5.2.0/24',
          gateway: '10.5.2.0',
          dev: 'flannel.1',
          protocol: 'boot',
          scope: 'global',
          flags: ['onlink'],
        },
      ])
    }))

  test('IPv6 has a device of its own, and its entries', () =>
    onNode(({ keep, told }) => {
      keep().desire(dualState)
      const [first, second, third] = told('ip -d link show flannel-v6.1')
      assert.match(first!, /<BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1430 /)
      assert.match(second!, /^link\/ether c6:d2:32:00:06:48 /)
      assert.match(third!, /^vxlan id 1 local fd77::1 dev eth0 srcport 0 0 dstport 8472 nolearning /)
      assert.match(told('ip -6 address show dev flannel-v6.1').join(), /inet6 fd00:5:0:48::\/128 scope global/)
      assert.deepEqual(
        told('ip -6 route show dev flannel-v6.1').filter((line) => line.includes('via')),
        [
          'fd00:5:0:2::/64 via fd00:5:0:2:: metric 1024 onlink pref medium',
          'fd00:5:0:3::/64 via fd00:5:0:3:: metric 1024 onlink pref medium',
        ],
      )
      assert.deepEqual(told('ip -6 neigh show dev flannel-v6.1 nud permanent').sort(), [
        'fd00:5:0:2:: lladdr c6:d2:32:00:06:02 PERMANENT',
        'fd00:5:0:3:: lladdr c6:d2:32:00:06:03 PERMANENT',
      ])
      assert.deepEqual(told('bridge fdb show dev flannel-v6.1').sort(), [
        'c6:d2:32:00:06:02 dst fd77::2 self permanent',
        'c6:d2:32:00:06:03 dst fd77::3 self permanent',
      ])
      assert.deepEqual(told('sysctl -n net/ipv6/conf/flannel-v6.1/accept_ra net/ipv6/conf/flannel.1/accept_ra'), [
        '0',
        '0',
      ])
    }))

  test('a device that flannel has made is taken over as it is', () =>
    onNode(async ({ keep, told, kernel }) => {
      told(
        'ip link add flannel.1 address c6:d2:32:00:04:48 mtu 1450 type vxlan id 1 dev eth0 local 192.168.77.1 dstport 8472 nolearning',
      )
      told('ip address add 10.5.72.0/32 dev flannel.1')
      told('ip link set flannel.1 up')
      told('ip route replace 10.5.9.0/24 via 10.5.9.0 dev flannel.1 onlink')
      const { index } = kernel.links.get('flannel.1')!
      keep().desire(vxlanState)
      assert.equal(kernel.links.get('flannel.1')?.index, index)
      assert.deepEqual(told('ip route show dev flannel.1').length, 2)
    }))
})

describe('IPv6 comes back with all that it had', () => {
  const V6 = 'flannel-v6.1'
  const damages: Readonly<Record<string, string>> = {
    'its device was deleted': `ip link delete ${V6}`,
    'its device was down': `ip link set ${V6} down`,
    'its routes were flushed': `ip -6 route flush dev ${V6} proto boot`,
    'its neighbours were flushed': `ip -6 neigh flush dev ${V6} nud permanent`,
    'its address was flushed': `ip -6 address flush dev ${V6} scope global`,
    'an FDB entry was deleted': `bridge fdb del c6:d2:32:00:06:02 dev ${V6} dst fd77::2 self`,
    'IPv6 was switched off and on': `sysctl -w net/ipv6/conf/${V6}/disable_ipv6=1 net/ipv6/conf/${V6}/disable_ipv6=0`,
  }
  for (const [title, line] of Object.entries(damages)) {
    test(title, () =>
      onNode(async ({ keep, told, kernel }) => {
        const entries = () =>
          kernel.links.get(V6)?.up
            ? [
                ...kernel.addresses.list(V6).flatMap(({ prefix, scope }) => (scope === 'global' ? [prefix] : [])),
                ...kernel.routes
                  .list({ link: V6, protocol: 3 })
                  .map(({ destination, gateway }) => `${destination} ${gateway}`),
                ...kernel.neighbours
                  .list({ link: V6 })
                  .flatMap(({ address, mac, state }) => (state === 'permanent' ? [`${address} ${mac}`] : [])),
                ...kernel.fdb.list({ link: V6 }).map(({ mac, destination }) => `${mac} ${destination}`),
              ].sort()
            : []
        keep().desire(dualState)
        const before = entries()
        assert.equal(before.length, 7)
        told(line)
        await eventually(() => entries().join() === before.join(), 'everything is back')
      }),
    )
  }
})

test('host-gw: a route by the peer itself', () =>
  onNode(({ keep, told }) => {
    const config = network({ type: 'host-gw' } as const)
    const state = hostGw.plan({ uplink, lease: plainLease(72, 'host-gw'), peers: [plainLease(2, 'host-gw')], config })
    keep().desire(state)
    assert.deepEqual(told('ip route show 10.5.0.0/16').concat(told('ip route show 10.5.2.0/24')), [
      '10.5.2.0/24 via 192.168.77.2 dev eth0',
    ])
  }))

test('udp: a TUN that stays, its address, and one route for the whole network', () =>
  onNode(({ keep, told }) => {
    const config = network({ type: 'udp', port: 8285 } as const)
    keep().desire(udp.plan({ uplink, lease: plainLease(72, ''), peers: [], config }))
    const [first, , third] = told('ip -d link show flannel0')
    assert.match(first!, /<NO-CARRIER,POINTOPOINT,MULTICAST,NOARP,UP> mtu 1472 .* qlen 500$/)
    assert.match(third!, /^tun type tun pi off vnet_hdr off persist on/)
    assert.match(told('ip -4 address show dev flannel0').join(), /inet 10\.5\.72\.0\/32 scope global flannel0/)
    // Nobody has it open, hence linkdown.
    assert.deepEqual(told('ip -d route show dev flannel0'), ['unicast 10.5.0.0/16 proto boot scope global linkdown'])
  }))

describe('who starts again', () => {
  const options = { masquerade: true, fullyRandom: true, forward: true }
  const config = { ...dualConfig, nftables: true }
  const states: Readonly<Record<string, State>> = {
    'with nftables': joinStates(dualState, trafficRules(config, own, options)),
    'with iptables': joinStates(dualState, trafficRules(dualConfig, own, options)),
  }
  for (const [title, state] of Object.entries(states)) {
    test(`writes nothing that is right already, ${title}: ip, bridge and nft monitor are silent`, () =>
      onNode(async ({ keep, kernel, told }) => {
        const first = keep()
        first.desire(state)
        await eventually(() => first.settled && addressesAreReady(kernel), 'it is settled')
        first.close()
        const heard = await monitored(kernel, async () => {
          const second = keep()
          second.desire(state)
          await eventually(() => second.settled, 'it is settled')
        })
        assert.deepEqual(heard, [])
        assert.equal(told('ip -4 route show dev flannel.1').length, 2)
      }))
  }
})

test('without what a plan owns nothing of it is left, and everything of others', () =>
  onNode(({ keep, told, kernel }) => {
    const options = { masquerade: true, fullyRandom: true, forward: true }
    kernel.routes.add({ destination: '10.99.0.0/16', gateway: '192.168.77.9' })
    const before = [told('ip -d route'), told('ip -6 route'), told('ip -br link')]
    const keeper = keep()
    keeper.desire(joinStates(dualState, trafficRules(dualConfig, own, options)))
    keeper.desire(joinStates({ owned: dualState.owned! }, noTrafficRules))
    assert.deepEqual([told('ip -d route'), told('ip -6 route'), told('ip -br link')], before)
    assert.doesNotMatch(told('nft list ruleset').join(), /FLANNEL|flannel/)
  }))

/** IPv6 addresses are tentative for a second: RFC 4862 §5.4. */
const addressesAreReady = ({ addresses }: LiveKernel) => addresses.list().every(({ tentative }) => !tentative)

/** What `ip monitor`, `bridge monitor` and `nft monitor` tell of the namespace while something is done. */
async function monitored(kernel: LiveKernel, act: () => Promise<void>): Promise<string[]> {
  const monitors = ['ip -o monitor link address route neigh', 'bridge monitor link fdb', 'nft monitor'].map((line) => {
    const words = ['-oL', 'nsenter', `--net=${kernel.namespacePath}`, ...line.split(' ')]
    const child = spawn('stdbuf', words, { stdio: ['ignore', 'pipe', 'inherit'] })
    let text = ''
    child.stdout.setEncoding('utf8').on('data', (more: string) => {
      text += more
    })
    return { child, heard: () => text.split('\n') }
  })
  // Changes of a kind that each of them tells: that all listen, and later that they have told everything.
  const mark = (n: number) => {
    kernel.addresses.add({ link: 'lo', prefix: `127.9.0.${n}/32` })
    kernel.fdb.add({ link: 'eth0p', mac: `02:00:00:00:09:${String(n).padStart(2, '0')}`, owner: 'self' })
    kernel.nftables.commit([{ operation: 'add table', table: { family: 'inet', name: `mark${n}.` } }])
    return [`127.9.0.${n}/`, `02:00:00:00:09:${String(n).padStart(2, '0')}`, `mark${n}.`]
  }
  const hasTold = (marks: readonly string[]) =>
    marks.length > 0 && monitors.every(({ heard }, i) => heard().some((line) => line.includes(marks[i]!)))
  try {
    let marks: string[] = []
    for (let n = 1; n < 90 && !hasTold(marks); n++) {
      marks = mark(n)
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    await act()
    const last = mark(99)
    await eventually(() => hasTold(last), 'everything is told')
  } finally {
    for (const { child } of monitors) {
      child.kill()
      await once(child, 'exit')
    }
  }
  const ofMarks = /127\.9\.0\.|02:00:00:00:09:|mark\d+\.|^# new generation|^$/
  return monitors.flatMap(({ heard }) => heard()).filter((line) => !ofMarks.test(line))
}
