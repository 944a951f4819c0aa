/**
 * Who is seen as whom: pods, nodes and a host beside them ask each other, and the answer is the address that the other one has
 * seen. And networks that are beside each other on the same nodes.
 *
 *   pod1 ── n1 ──┬── n2 ── pod2
 *             outside
 */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { run } from '../../support/command.ts'
import { eventually, type Node, type StoreUnderTest, SWITCH, startNetwork, startStore } from './network.ts'

const NETWORK = { Network: '10.5.0.0/16' }
const vxlan = { ...NETWORK, Backend: { Type: 'vxlan' } }
const hostGw = { ...NETWORK, Backend: { Type: 'host-gw' } }
const dual = { EnableIPv6: true, IPv6Network: 'fd00:5::/48' }

let store: StoreUnderTest
beforeAll(async () => {
  store = await startStore('etcd')
})
afterAll(async () => {
  await store[Symbol.asyncDispose]()
  run('ip', 'netns', 'delete', SWITCH)
})

type Family = 'ipv4' | 'ipv6'
const FAMILIES: readonly Family[] = ['ipv4', 'ipv6']
const OUTSIDE = { ipv4: '192.168.77.200', ipv6: 'fd77::200' } as const
const PORT = 7777

/** Answers whoever asks with the address that he is seen by. */
const MIRROR = `
import socket
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.bind(('::', ${PORT}))
print('listening', flush=True)
while True:
  asker = s.recvfrom(99)[1]
  s.sendto(asker[0].removeprefix('::ffff:').encode(), asker)
`

/** From an address, or from any: what the mirror there has said; nothing where it has not answered. */
const QUESTION = `
import socket, sys
target, source = sys.argv[1:]
s = socket.socket(socket.AF_INET6 if ':' in target else socket.AF_INET, socket.SOCK_DGRAM)
if source: s.bind((source, 0))
s.connect((target, ${PORT}))
s.settimeout(1)
for attempt in range(3):
  try:
    s.send(b'who am I?')
    print(s.recv(99).decode(), end='')
    break
  except TimeoutError: pass
`

function ask(namespace: string, target: string, source = ''): string {
  return run('ip', 'netns', 'exec', namespace, 'python3', '-c', QUESTION, target, source)
}

/** A mirror in each of these namespaces. */
class Mirrors implements AsyncDisposable {
  readonly #processes: ChildProcess[] = []

  async start(...namespaces: readonly string[]): Promise<void> {
    for (const namespace of namespaces) {
      const argv = ['netns', 'exec', namespace, 'setpriv', '--pdeathsig', 'KILL', 'python3', '-c', MIRROR]
      const mirror = spawn('ip', argv, { stdio: ['ignore', 'pipe', 'inherit'] })
      this.#processes.push(mirror)
      await once(mirror.stdout, 'data')
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const exits = this.#processes.map((mirror) => once(mirror, 'exit'))
    for (const mirror of this.#processes) mirror.kill()
    await Promise.all(exits)
  }
}

/** A host on the nodes' network, which has a way to every pod: by its node, or by a node that is given. */
class Outside implements Disposable {
  constructor() {
    run('ip', 'netns', 'add', 'outside')
    this.#ip(`link add eth0 type veth peer name outside netns ${SWITCH}`)
    run('ip', '-n', SWITCH, 'link', 'set', 'outside', 'master', 'br0', 'up')
    this.#ip(`address add ${OUTSIDE.ipv4}/24 dev eth0`)
    this.#ip(`address add ${OUTSIDE.ipv6}/64 dev eth0 nodad`)
    this.#ip('link set eth0 up')
    this.#ip('link set lo up')
  }

  knows(subnetsOf: Node, by: Node): void {
    for (const family of FAMILIES) {
      const subnet = subnetsOf.subnets[family]
      if (subnet) this.#ip(`route replace ${subnet} via ${addressOf(by, family)}`)
    }
  }

  #ip(words: string): void {
    run('ip', '-n', 'outside', ...words.split(' '))
  }

  [Symbol.dispose](): void {
    run('ip', 'netns', 'delete', 'outside')
  }
}

const addressOf = ({ number }: Node, family: Family) => (family === 'ipv4' ? `192.168.77.${number}` : `fd77::${number}`)
/** The subnet's first address, which the overlay's device has, and the pod's. */
const gatewayOf = ({ subnets }: Node, family: Family) => subnets[family]!.replace(/\/.*/, '')
const podOf = (node: Node, family: Family) => gatewayOf(node, family).replace(family === 'ipv4' ? /0$/ : /$/, '2')

describe.each([
  ['vxlan', { ...vxlan, ...dual }],
  ['host-gw', { ...hostGw, ...dual }],
] as const)('A6: %s', (type, config) => {
  test('with --ip-masq, by iptables and by nftables: who is seen as whom', async () => {
    await using network = await startNetwork({ store, config, nodes: 2, flags: ['--ip-masq'] })
    const [one, two] = network.nodes as [Node, Node]
    using outside = new Outside()
    await using mirrors = new Mirrors()
    await mirrors.start(one.podName, two.podName, two.name, 'outside')
    for (const nftables of [false, true]) {
      await network.configure({ ...config, EnableNFTables: nftables })
      for (const node of [one, two]) await eventually('the rules', () => hasRules(node, nftables))
      for (const family of FAMILIES) {
        outside.knows(one, one)
        outside.knows(two, two)
        const [pod, remote] = [podOf(one, family), podOf(two, family)]
        const [node, host] = [addressOf(one, family), addressOf(two, family)]
        const where = `${type}, ${family}, nftables ${nftables}: `
        const sees = (from: string, to: string, as: string, what: string, source = '') =>
          assert.equal(ask(from, to, source), as, where + what)

        sees(one.podName, OUTSIDE[family], node, 'what a pod sends out is its node’s')
        sees(one.podName, host, node, 'to another node too')
        sees(one.podName, remote, pod, 'pods among themselves keep their addresses')
        sees('outside', pod, OUTSIDE[family], 'who comes to a pod by its node is seen as himself')
        // Answers must come back by the same node: it is seen as the node, by the address that it has towards the other one.
        const seen = type === 'vxlan' ? gatewayOf(one, family) : node
        sees(one.name, remote, seen, 'a node to the other’s pod')
        sees(one.name, remote, seen, 'whichever address it would have', node)
        outside.knows(two, one)
        sees('outside', remote, seen, 'who comes by another node is seen as that one')
      }
    }
  })
})

test('A6: without --ip-masq pods keep their addresses everywhere', async () => {
  await using network = await startNetwork({ store, config: { ...vxlan, ...dual }, nodes: 2 })
  const [one, two] = network.nodes as [Node, Node]
  using outside = new Outside()
  await using mirrors = new Mirrors()
  await mirrors.start('outside', two.podName)
  outside.knows(one, one)
  for (const family of FAMILIES) {
    assert.equal(ask(one.podName, OUTSIDE[family]), podOf(one, family))
    assert.equal(ask(one.podName, podOf(two, family)), podOf(one, family))
  }
})

test('D6: where there is no program to be run, neither iptables nor nft, rules come and change all the same', async () => {
  await using network = await startNetwork({ store, config: vxlan, nodes: 1, idle: true, flags: ['--ip-masq'] })
  const [node] = network.nodes
  node!.start([], { before: ['env', 'PATH=/nowhere'] })
  await node!.ready()
  for (const nftables of [false, true, false]) {
    await network.configure({ ...vxlan, EnableNFTables: nftables })
    await eventually(`the rules, nftables ${nftables}`, () => hasRules(node!, nftables, ['ipv4']))
  }
})

/** Those of one kind, and none of the other. */
function hasRules(node: Node, nftables: boolean, families = FAMILIES): boolean {
  const inTables = node.run('nft', 'list', 'ruleset').match(/chain postrtg {[^}]*masquerade fully-random/g)?.length ?? 0
  const inChains = ['iptables-save', 'ip6tables-save'].filter((program) =>
    /FLANNEL.*MASQUERADE/.test(node.run(program)),
  )
  const [wanted, others] = nftables ? [inTables, inChains.length] : [inChains.length, inTables]
  return wanted === families.length && others === 0
}

test('A4: two networks on the same nodes: each has its own way, and its own subnet.env', async () => {
  await using network = await startNetwork({ store, config: vxlan, nodes: 2 })
  const second = { Network: '10.6.0.0/16', Backend: { Type: 'host-gw' } }
  await store.operator.transact([], [{ put: '/hostgw/config', value: JSON.stringify(second) }])
  const daemons = network.nodes.map((node) => node.startSecond(['-etcd-prefix', '/hostgw']))
  try {
    const [one, two] = network.nodes as [Node, Node]
    const subnetOf = (node: Node) => /FLANNEL_SUBNET=(10\.6\.\d+)\.1\/24/.exec(secondFile(node))?.[1]
    for (const node of [one, two]) await eventually('there is a second subnet.env', () => subnetOf(node) !== undefined)
    assert.match(one.variable('FLANNEL_SUBNET')!, /^10\.5\./)
    assert.match(secondFile(one), /FLANNEL_NETWORK=10\.6\.0\.0\/16\n.*\nFLANNEL_MTU=1500/)
    for (const node of [one, two]) node.ip(`address add ${subnetOf(node)}.1/32 dev lo`)
    const [inVxlan, inHostGw] = [two.gateway.replace(/0$/, '1'), `${subnetOf(two)}.1`]
    const isAnswered = (link: string, target: string) =>
      spawnSync('ip', ['netns', 'exec', one.name, 'ping', '-I', link, '-c', '1', '-W', '1', target]).status === 0
    await eventually('by vxlan', () => isAnswered('flannel.1', inVxlan))
    await eventually('by host-gw', () => isAnswered('eth0', inHostGw))
    assert.ok(!isAnswered('eth0', inVxlan))
    assert.ok(!isAnswered('flannel.1', inHostGw))
  } finally {
    await Promise.all(daemons.map((daemon) => daemon.end()))
  }
})

const secondFile = (node: Node) => {
  try {
    return readFileSync(node.subnetPath.replace('subnet.env', 'second.env'), 'utf8')
  } catch {
    return ''
  }
}

test.each([
  ['vxlan', 1430],
  ['host-gw', 1500],
] as const)('E7: IPv6 alone, by %s: three nodes have three subnets, and their pods reach each other', async (type, mtu) => {
  const config = { EnableIPv4: false, EnableIPv6: true, IPv6Network: 'fd00:5::/62', Backend: { Type: type } }
  await using network = await startNetwork({ store, config, nodes: 3 })
  const names = Object.keys(await network.leases())
  assert.deepEqual(
    names,
    [1, 2, 3].map((number) => `0.0.0.0-0&fd00:5:0:${number}::-64`),
  )
  assert.equal(new Set(network.nodes.map(({ subnets }) => subnets.ipv6)).size, 3)
  for (const node of network.nodes) {
    assert.equal(node.subnets.ipv4, undefined)
    assert.equal(node.variable('FLANNEL_MTU'), String(mtu))
  }
  assert.deepEqual(network.unreachable('ipv6', mtu - 48), [])
})
