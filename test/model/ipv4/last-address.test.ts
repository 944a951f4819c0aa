/** The last address of a device goes, and with it whom it knew: fib_disable_ip, net/ipv4/fib_frontend.c. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { createModel } from '../../../src/model/create.ts'

test('neighbours of a device go with its last IPv4 address, and not before', () => {
  const kernel = createModel()
  kernel.links.add({ kind: 'veth', name: 'a', up: true, peer: { name: 'b' } })
  for (const prefix of ['10.0.0.1/24', '10.1.0.1/24']) kernel.addresses.add({ link: 'a', prefix })
  kernel.neighbours.add({ link: 'a', address: '10.0.0.2', mac: '02:00:00:00:00:02', state: 'reachable' })
  const known = () => kernel.neighbours.list({ link: 'a' }).map(({ address }) => address)
  kernel.addresses.delete({ link: 'a', prefix: '10.0.0.1/24' })
  assert.deepEqual(known(), ['10.0.0.2'])
  kernel.addresses.delete({ link: 'a', prefix: '10.1.0.1/24' })
  assert.deepEqual(known(), [])
})
