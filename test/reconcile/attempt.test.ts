/** Operations that are carried out each for itself. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { KernelError } from '../../src/kernel/errors.ts'
import type { NftOperation } from '../../src/kernel/nftables.ts'
import type { Route } from '../../src/kernel/route.ts'
import { createModel } from '../../src/model/create.ts'
import { attempt } from '../../src/reconcile/attempt.ts'
import type { Operation, Seen } from '../../src/reconcile/state.ts'
import { seenLink } from './naive.ts'

const seenRoute = (route: Route): Seen['routes'] => route

function node() {
  const kernel = createModel()
  kernel.links.add({ kind: 'veth', name: 'eth0', up: true, peer: { name: 'eth0p' } })
  kernel.links.set('eth0p', { up: true })
  kernel.addresses.add({ link: 'eth0', prefix: '192.168.77.1/24' })
  return kernel
}

test('what is refused is answered with its reason, and the rest is done', () => {
  const kernel = node()
  const operations: Operation[] = [
    {
      subject: 'neighbours',
      operation: 'add',
      desired: { link: 'missing', address: '10.0.0.1', mac: '02:00:00:00:00:01' },
    },
    {
      subject: 'neighbours',
      operation: 'add',
      desired: { link: 'eth0', address: '10.0.0.2', mac: '02:00:00:00:00:02' },
    },
    { subject: 'routes', operation: 'add', desired: { destination: '10.1.0.0/16', gateway: '192.168.99.1' } },
    { subject: 'routes', operation: 'add', desired: { destination: '10.2.0.0/16', gateway: '192.168.77.2' } },
  ]
  const { done, refused } = attempt(kernel, operations)
  assert.deepEqual(done, [operations[1], operations[3]])
  assert.deepEqual(
    refused.map(({ operation }) => operation),
    [operations[0], operations[2]],
  )
  assert.equal(refused[1]?.error.message, 'Cannot add route 10.1.0.0/16 via 192.168.99.1: ENETUNREACH')
  assert.equal(kernel.neighbours.list({ link: 'eth0' })[0]?.address, '10.0.0.2')
})

test('what is to go and is gone already is done', () => {
  const kernel = node()
  const operations: Operation[] = [
    { subject: 'routes', operation: 'remove', seen: seenRoute({ destination: '10.1.0.0/16', link: 'eth0' }) },
    { subject: 'routes', operation: 'remove', seen: seenRoute({ destination: '10.1.0.0/16', link: 'missing' }) },
    { subject: 'neighbours', operation: 'remove', seen: { link: 'eth0', address: '10.0.0.1' } },
    { subject: 'neighbours', operation: 'remove', seen: { link: 'missing', address: '10.0.0.1' } },
    { subject: 'fdb', operation: 'remove', seen: { link: 'missing', mac: '02:00:00:00:00:01', owner: 'self' } },
    { subject: 'links', operation: 'remove', seen: seenLink({ name: 'missing', kind: 'dummy' }) },
  ]
  assert.deepEqual(attempt(kernel, operations), { done: operations, refused: [] })
})

test('a route of others that is in the way is replaced', () => {
  const kernel = node()
  kernel.routes.add({ destination: '10.1.0.0/16', gateway: '192.168.77.9', protocol: 4 })
  const desired = { destination: '10.1.0.0/16', gateway: '192.168.77.2', link: 'eth0', protocol: 3 }
  assert.deepEqual(attempt(kernel, [{ subject: 'routes', operation: 'add', desired }]).refused, [])
  const routes = kernel.routes.list({ table: 254 }).filter(({ destination }) => destination === '10.1.0.0/16')
  assert.deepEqual(
    routes.map(({ gateway, protocol }) => [gateway, protocol]),
    [['192.168.77.2', 3]],
  )
})

test('what should be on a link that is refused is neither done nor refused', () => {
  const kernel = node()
  const birth = { kind: 'vxlan', name: 'vx0', vxlan: { vni: 1, device: 'missing' } } as const
  const operations: Operation[] = [
    { subject: 'links', operation: 'add', desired: { name: 'vx0', kind: 'vxlan', birth } },
    { subject: 'addresses', operation: 'add', desired: { link: 'vx0', prefix: '10.0.0.0/32' } },
    { subject: 'routes', operation: 'add', desired: { destination: '10.1.0.0/16', link: 'vx0' } },
    { subject: 'routes', operation: 'add', desired: { destination: '10.2.0.0/16', link: 'eth0' } },
  ]
  const { done, refused } = attempt(kernel, operations)
  assert.deepEqual(done, [operations[3]])
  assert.deepEqual(
    refused.map(({ operation }) => operation),
    [operations[0]],
  )
})

test('a table of nftables that is refused holds up no other table', () => {
  const kernel = node()
  const commits: NftOperation[][] = []
  const { nftables } = kernel
  const commit = nftables.commit.bind(nftables)
  nftables.commit = (operations) => {
    commits.push([...operations])
    if (operations.some((one) => 'table' in one && one.table.name === 'bad'))
      throw new KernelError('EPERM', 'add table "bad"')
    commit(operations)
  }
  const table = (name: string): Operation => ({
    subject: 'nftTables',
    operation: 'add',
    desired: { family: 'ip', name },
  })
  const chain = (table: string): Operation => ({
    subject: 'nftChains',
    operation: 'add',
    desired: { chain: { family: 'ip', table, name: 'c' } },
  })
  const operations = [table('bad'), table('good'), chain('bad'), chain('good')]
  const { done, refused } = attempt(kernel, operations)
  assert.deepEqual(done, [operations[1], operations[3]])
  assert.deepEqual(
    refused.map(({ operation }) => operation),
    [operations[0], operations[2]],
  )
  assert.equal(commits.length, 2)
  assert.ok(nftables.chain({ family: 'ip', table: 'good', name: 'c' }))
})
