/**
 * The traffic rules, kept: on the model, whose commands tell what is there, and on Linux, where iptables and nft do.
 *
 * Expected is what `iptables-save` 1.8.9 and `nft` 1.0.6 tell of rules that were made as flannel makes them, by
 * iptables-restore and nft; for nftables with the fourth rule and the mark put right.
 */
import assert from 'node:assert/strict'
import type { NetworkConfig } from '../../../src/overlay/config.ts'
import { blackholeRoutes, noBlackholeRoutes, noTrafficRules, trafficRules } from '../../../src/overlay/rules/rules.ts'
import type { State } from '../../../src/reconcile/state.ts'
import { eventually } from '../../contract/kernel/case.ts'
import type { KeepWorld } from '../../reconcile/keep-cases.ts'
import { dualStack, network, vxlanConfig, vxlanLease } from '../backend/node.ts'

export interface RulesWorld extends KeepWorld {
  /** Answers what the command writes; it must succeed. */
  run(line: string, stdin?: string): Promise<string>
}

const lease = vxlanLease(72)
const all = { masquerade: true, fullyRandom: true, forward: true }
const dual = dualStack(vxlanConfig)
const config = network(vxlanConfig)
const inNftables = (config: NetworkConfig) => ({ ...config, nftables: true })

const masquerade = (net: string, pod: string, multicast: string) => [
  '-A POSTROUTING -m comment --comment "flanneld masq" -j FLANNEL-POSTRTG',
  '-A FLANNEL-POSTRTG -m mark --mark 0x4000/0x4000 -m comment --comment "flanneld masq" -j RETURN',
  `-A FLANNEL-POSTRTG -s ${pod} -d ${net} -m comment --comment "flanneld masq" -j RETURN`,
  `-A FLANNEL-POSTRTG -s ${net} -d ${pod} -m comment --comment "flanneld masq" -j RETURN`,
  `-A FLANNEL-POSTRTG ! -s ${net} -d ${pod} -m comment --comment "flanneld masq" -j RETURN`,
  `-A FLANNEL-POSTRTG -s ${net} ! -d ${multicast} -m comment --comment "flanneld masq" -j MASQUERADE --random-fully`,
  `-A FLANNEL-POSTRTG ! -s ${net} -d ${net} -m comment --comment "flanneld masq" -j MASQUERADE --random-fully`,
]

const forward = (net: string) => [
  '-A FORWARD -m comment --comment "flanneld forward" -j FLANNEL-FWD',
  `-A FLANNEL-FWD -s ${net} -m comment --comment "flanneld forward" -j ACCEPT`,
  `-A FLANNEL-FWD -d ${net} -m comment --comment "flanneld forward" -j ACCEPT`,
]

/** As iptables-save writes them of a machine that has nothing else. */
const saved = (net: string, pod: string, multicast: string) => [
  '*filter',
  ':INPUT ACCEPT [0:0]',
  ':FORWARD ACCEPT [0:0]',
  ':OUTPUT ACCEPT [0:0]',
  ':FLANNEL-FWD - [0:0]',
  ...forward(net),
  'COMMIT',
  '*nat',
  ':PREROUTING ACCEPT [0:0]',
  ':INPUT ACCEPT [0:0]',
  ':OUTPUT ACCEPT [0:0]',
  ':POSTROUTING ACCEPT [0:0]',
  ':FLANNEL-POSTRTG - [0:0]',
  ...masquerade(net, pod, multicast),
  'COMMIT',
]

const listed = (family: 'ip' | 'ip6', name: string, net: string, pod: string, multicast: string) => [
  `table ${family} ${name} {`,
  `comment "rules for ${name}"`,
  'chain postrtg {',
  'comment "chain to manage traffic masquerading by flannel"',
  'type nat hook postrouting priority srcnat; policy accept;',
  'meta mark & 0x00004000 == 0x00004000 return',
  `${family} saddr ${pod} ${family} daddr ${net} return`,
  `${family} saddr ${net} ${family} daddr ${pod} return`,
  `${family} saddr != ${net} ${family} daddr ${pod} return`,
  `${family} saddr ${net} ${family} daddr != ${multicast} masquerade fully-random`,
  `${family} saddr != ${net} ${family} daddr ${net} masquerade fully-random`,
  '}',
  'chain forward {',
  'comment "chain to accept flannel traffic"',
  'type filter hook forward priority filter; policy accept;',
  `${family} saddr ${net} accept`,
  `${family} daddr ${net} accept`,
  '}',
  '}',
]

const V4 = ['10.5.0.0/16', '10.5.72.0/24', '224.0.0.0/4'] as const
const V6 = ['fd00:5::/48', 'fd00:5:0:48::/64', 'ff00::/8'] as const

const lines = (text: string) =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))

async function appended({ run }: RulesWorld, save = 'iptables-save'): Promise<string[]> {
  return lines(await run(save)).filter((line) => line.startsWith('-A'))
}

/** Whether the rules become these: commands are asked until they are. */
async function becomes(world: RulesWorld, expected: readonly string[], what: string): Promise<void> {
  let now: string[] = []
  await eventually(() => {
    void appended(world).then((rules) => {
      now = rules
    })
    return now.join('\n') === expected.join('\n')
  }, what)
}

async function nothingIsWritten(world: RulesWorld, state: State): Promise<void> {
  const told: unknown[] = []
  const subscription = world.kernel.watch(['nftables'], (change) => told.push(change))
  const table = { family: 'inet', name: 'last' } as const
  world.keep().desire(state)
  world.kernel.nftables.commit([{ operation: 'add table', table }])
  await eventually(() => told.length > 0, 'our own change is told')
  world.kernel.nftables.commit([{ operation: 'delete table', table }])
  await eventually(() => told.length > 1, 'our own change is told')
  subscription.close()
  assert.equal(told.length, 2)
}

const iptablesV4 = [...forward(V4[0]), ...masquerade(...V4)]

export const rulesCases: readonly { readonly title: string; check(world: RulesWorld): Promise<void> }[] = [
  {
    title: "iptables-save tells what it tells of flannel's rules, in both families",
    async check({ keep, run }) {
      keep().desire(trafficRules(dual, lease, all))
      assert.deepEqual(lines(await run('iptables-save')), saved(...V4))
      assert.deepEqual(lines(await run('ip6tables-save')), saved(...V6))
    },
  },
  {
    title: 'nft lists what it lists of flannel’s rules, in both families',
    async check({ keep, run }) {
      keep().desire(trafficRules(inNftables(dual), lease, all))
      assert.deepEqual(lines(await run('nft list ruleset')), [
        ...listed('ip', 'flannel-ipv4', ...V4),
        ...listed('ip6', 'flannel-ipv6', ...V6),
      ])
    },
  },
  {
    title: 'a table of a family that the network has not is there, and empty',
    async check({ keep, run }) {
      keep().desire(trafficRules(inNftables(config), lease, all))
      const there = lines(await run('nft list ruleset'))
      assert.deepEqual(there.slice(-3), ['table ip6 flannel-ipv6 {', 'comment "rules for flannel-ipv6"', '}'])
    },
  },
  ...[dual, inNftables(dual)].map((config) => ({
    title: `rules that are right are not written again: ${config.nftables ? 'nftables' : 'iptables'}`,
    async check(world: RulesWorld) {
      const first = world.keep()
      const state = trafficRules(config, lease, all)
      first.desire(state)
      await eventually(() => first.settled, 'it is settled')
      first.close()
      await nothingIsWritten(world, state)
    },
  })),
  ...['iptables -F', 'iptables -t nat -F FLANNEL-POSTRTG', 'iptables -t nat -D POSTROUTING 1', 'nft flush ruleset'].map(
    (line) => ({
      title: `after ${line} the rules of iptables are back`,
      async check(world: RulesWorld) {
        world.keep().desire(trafficRules(config, lease, all))
        await world.run(line)
        await becomes(world, iptablesV4, 'they are back')
      },
    }),
  ),
  {
    title: 'after nft flush ruleset the rules of nftables are back',
    async check({ keep, run, kernel }) {
      keep().desire(trafficRules(inNftables(config), lease, all))
      await run('nft flush ruleset')
      const chain = { family: 'ip', table: 'flannel-ipv4', name: 'postrtg' } as const
      await eventually(() => kernel.nftables.rules(chain).length === 6, 'they are back')
      await eventually(() => kernel.nftables.rules({ ...chain, name: 'forward' }).length === 2, 'all of them')
    },
  },
  {
    title: 'rules in our chains that are not ours, or in another order, are put right',
    async check(world) {
      world.keep().desire(trafficRules(config, lease, all))
      await world.run('iptables -I FLANNEL-FWD -j DROP')
      await becomes(world, iptablesV4, 'the rule too many is gone')
      await world.run('iptables -D FLANNEL-FWD 1')
      await becomes(world, iptablesV4, 'the missing rule is back')
      await world.run('iptables -t nat -A POSTROUTING -j FLANNEL-POSTRTG')
      await becomes(world, iptablesV4, 'the second jump is gone')
    },
  },
  {
    title: "others' rules and policies stay, and the jump comes behind them, but before one that lets nothing pass",
    async check(world) {
      const others = ['-A FORWARD -s 10.5.7.7/32 -j DROP', '-A FORWARD -j REJECT --reject-with icmp-host-prohibited']
      await world.run('iptables -P FORWARD DROP')
      for (const rule of others) await world.run(`iptables ${rule}`)
      await world.run('iptables -t nat -A POSTROUTING -s 10.9.9.9/32 -j ACCEPT')
      const keeper = world.keep()
      keeper.desire(trafficRules(config, lease, all))
      const [jump, ...ours] = forward(V4[0])
      const [postrouting, ...masquerades] = masquerade(...V4)
      assert.deepEqual(await appended(world), [
        others[0],
        jump,
        others[1],
        ...ours,
        '-A POSTROUTING -s 10.9.9.9/32 -j ACCEPT',
        postrouting,
        ...masquerades,
      ])
      assert.match(await world.run('iptables-save'), /:FORWARD DROP/)
      // Who puts a rule before ours means that.
      await world.run('iptables -I FORWARD -j DROP')
      keeper.desire(trafficRules(config, lease, { ...all, masquerade: false }))
      assert.deepEqual((await appended(world)).slice(0, 4), ['-A FORWARD -j DROP', others[0], jump, others[1]])
    },
  },
  {
    title: "flannel's own rules are taken over, whatever subnet the node had",
    async check(world) {
      const was = masquerade('10.5.0.0/16', '10.5.9.0/24', '224.0.0.0/4')
      const chains = [
        '*nat',
        ':FLANNEL-POSTRTG - [0:0]',
        ...was,
        'COMMIT',
        '*filter',
        ':FLANNEL-FWD - [0:0]',
        ...forward('10.4.0.0/16'),
        'COMMIT',
        '',
      ]
      await world.run('iptables-restore --noflush', chains.join('\n'))
      world.keep().desire(trafficRules(config, lease, all))
      assert.deepEqual(await appended(world), iptablesV4)
    },
  },
  {
    title: 'from iptables to nftables and back nothing of the other kind is left',
    async check(world) {
      const keeper = world.keep()
      keeper.desire(trafficRules(config, lease, all))
      keeper.desire(trafficRules(inNftables(config), lease, all))
      assert.deepEqual(await appended(world), [])
      assert.doesNotMatch(await world.run('iptables-save'), /FLANNEL/)
      keeper.desire(trafficRules(config, lease, all))
      assert.doesNotMatch(await world.run('nft list tables'), /flannel/)
      assert.deepEqual(await appended(world), iptablesV4)
    },
  },
  {
    title: "an empty chain that flannel's clean-up has left goes too",
    async check(world) {
      await world.run('iptables -t nat -N FLANNEL-POSTRTG')
      await world.run('iptables -N FLANNEL-FWD')
      await world.run('iptables -A FORWARD -j FLANNEL-FWD')
      world.keep().desire(trafficRules(inNftables(config), lease, all))
      assert.doesNotMatch(await world.run('iptables-save'), /FLANNEL/)
    },
  },
  {
    title: 'rules that are not asked for are not there, and go when they are asked for no more',
    async check(world) {
      const keeper = world.keep()
      keeper.desire(trafficRules(config, lease, { ...all, masquerade: false }))
      assert.deepEqual(await appended(world), forward(V4[0]))
      keeper.desire(trafficRules(config, lease, { masquerade: true, fullyRandom: false, forward: false }))
      assert.deepEqual(
        await appended(world),
        masquerade(...V4).map((rule) => rule.replace(' --random-fully', '')),
      )
      keeper.desire(noTrafficRules)
      assert.deepEqual(await appended(world), [])
    },
  },
  {
    title: "a blackhole comes behind the bridge's own route, and that of another subnet goes",
    async check({ keep, kernel }) {
      kernel.links.add({ kind: 'bridge', name: 'cni0', up: true })
      kernel.addresses.add({ link: 'cni0', prefix: '10.5.72.1/24' })
      kernel.routes.add({ destination: '10.5.9.0/24', type: 'blackhole', metric: 65535, protocol: 3 })
      kernel.routes.add({ destination: '10.99.0.0/24', type: 'blackhole', protocol: 3 })
      const blackholes = () =>
        kernel.routes
          .list({ family: 'ipv4' })
          .flatMap(({ type, destination }) => (type === 'blackhole' ? [destination] : []))
      const keeper = keep()
      keeper.desire(blackholeRoutes(config, lease))
      assert.deepEqual(blackholes().sort(), ['10.5.72.0/24', '10.99.0.0/24'])
      assert.equal(kernel.routes.lookup('10.5.72.9')?.link, 'cni0')
      keeper.desire(noBlackholeRoutes(config))
      assert.deepEqual(blackholes(), ['10.99.0.0/24'])
    },
  },
]
