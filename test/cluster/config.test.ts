/** The configuration of a node of a cluster: what it means, and what is refused. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { ConfigError } from '../../src/bgp/config/problem.ts'
import { readConfiguration } from '../../src/cluster/config.ts'

const store = { directory: '/store' }
const host = {
  hostName: 'n1',
  readSecret(file: string) {
    if (file === 'etcd.key') return 'secret'
    throw new Error('cannot be read: ENOENT')
  },
}

const read = (cluster: object, more: object = {}) =>
  readConfiguration({ as: 64512, ...more, cluster: { store, ...cluster } }, host)

function problems(value: object): string[] {
  try {
    readConfiguration(value, host)
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split('\n')
    throw error
  }
  return []
}

test('the least that a node is told: its AS, and its store', () => {
  const { speaker, cluster } = read({})
  assert.equal(speaker.name, 'n1')
  assert.deepEqual(
    { ...cluster, peers: undefined },
    {
      store: { file: '/store' },
      node: 'n1',
      labels: {},
      isRouterIdAddress: true,
      reflector: undefined,
      mesh: true,
      uplink: { interfaces: [], canReach: undefined },
      peers: undefined,
      routers: [],
      vxlan: { vni: 4096, port: 4789 },
      socket: '/run/overlab/pool.sock',
    },
  )
})

test('names and router ids that are given count', () => {
  const { speaker, cluster } = read({}, { name: 'n7', routerId: '10.0.0.7' })
  assert.deepEqual([speaker.name, speaker.routerId], ['n7', 0x0a000007])
  assert.deepEqual([cluster?.node, cluster?.isRouterIdAddress], ['n7', false])
})

test('without a cluster it is a speaker’s configuration', () => {
  const { speaker, cluster } = readConfiguration({ as: 64512, routerId: '10.0.0.1' }, host)
  assert.deepEqual([speaker.name, cluster], [undefined, undefined])
  assert.match(problems({ as: 64512 })[0]!, /^routerId is missing/)
})

test('an etcd, with a password from a file', () => {
  const { cluster } = read({ store: { etcd: { username: 'node', passwordFile: 'etcd.key', cafile: '/ca.pem' } } })
  assert.deepEqual(cluster?.store, {
    etcd: {
      endpoints: ['http://127.0.0.1:2379'],
      ca: '/ca.pem',
      cert: undefined,
      key: undefined,
      username: 'node',
      password: 'secret',
    },
  })
})

test('sessions with nodes and routers have the members of neighbors, and filters by name', () => {
  const rules = [{ action: 'Reject' }]
  const { cluster } = read(
    {
      peers: { holdTime: 9, bfd: true },
      routers: [{ address: '10.0.0.251', remoteAs: 65001, nodeSelector: "rack == 'r1'", filters: ['none'] }],
    },
    { filters: { none: { importV4: rules } } },
  )
  assert.deepEqual([cluster?.peers.session.holdTime, cluster?.peers.bfd?.minTx], [9, 100])
  const [router] = cluster!.routers
  assert.deepEqual([router?.nodeSelector, router?.nodes], ["rack == 'r1'", undefined])
  assert.deepEqual(router?.neighbour.filters.importV4, rules)
  assert.deepEqual([router?.neighbour.session.remoteAs, router?.neighbour.exportAll], [65001, false])
})

test('what cannot be meant is refused, each with its place', () => {
  const routers = [{ address: '10.0.0.251', remoteAs: 65001, filters: ['rakc'] }]
  const etcd = { passwordFile: 'other.key' }
  const cluster = { store: { etcd }, routers, peers: { longLivedGR: { time: 1 } } }
  assert.deepEqual(problems({ name: 'n/1', as: 64512, filters: { rack: {} }, cluster }), [
    'name is "n/1", which cannot be a node\'s',
    'cluster.routers[0].filters[0] is "rakc", which is not in filters; did you mean "rack"? (rack)',
    'cluster.peers.longLivedGR needs gracefulRestart: RFC 9494 §4.1',
    'cluster.store.etcd.passwordFile "other.key" cannot be read: ENOENT',
  ])
  assert.match(
    problems({ as: 1, cluster: { store, routers: [{ ...routers[0], nodeSelector: 'rack =' }] } })[0]!,
    /selector/,
  )
  assert.match(problems({ as: 1, cluster: { store: { etcd: {}, directory: '/x' } } })[0]!, /store is not one thing/)
})
