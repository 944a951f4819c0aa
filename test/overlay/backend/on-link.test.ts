import assert from 'node:assert/strict'
import { test } from 'vitest'
import { createModel } from '../../../src/model/create.ts'
import { OnLink } from '../../../src/overlay/backend/on-link.ts'
import { uplink } from './node.ts'

test('the way to an address is asked for once, and again when routes may have changed', () => {
  const kernel = createModel()
  kernel.links.add({ kind: 'bridge', name: 'eth0', up: true })
  kernel.addresses.add({ link: 'eth0', prefix: '192.168.77.1/24' })
  const onLink = new OnLink(kernel)
  const isOnLink = (ip: string) => onLink.of(uplink)(ip)
  assert.deepEqual(['192.168.77.2', '192.168.78.2'].map(isOnLink), [true, false])
  kernel.addresses.add({ link: 'eth0', prefix: '192.168.78.1/24' })
  assert.deepEqual(['192.168.77.2', '192.168.78.2'].map(isOnLink), [true, false])
  onLink.forget()
  assert.deepEqual(['192.168.77.2', '192.168.78.2'].map(isOnLink), [true, true])
  assert.equal(onLink.of({ ...uplink, link: 'eth1' })('192.168.77.2'), false)
})
