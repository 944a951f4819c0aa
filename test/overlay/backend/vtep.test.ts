import assert from 'node:assert/strict'
import { test } from 'vitest'
import { createModel } from '../../../src/model/create.ts'
import { chooseVtepMac } from '../../../src/overlay/backend/vtep.ts'

const mac = '02:f1:00:00:00:01'
const random = (length: number) => Uint8Array.from({ length }, (_, i) => 0xe1 + i)

test('the MAC of a device that is there stays, whatever its lease says', () => {
  const kernel = createModel()
  kernel.links.add({ kind: 'vxlan', name: 'flannel.1', mac, vxlan: { vni: 1 } })
  assert.equal(chooseVtepMac(kernel, 'flannel.1', '02:f1:00:00:00:02', random), mac)
})

test('a device that is gone gets the MAC that its lease has told', () => {
  assert.equal(chooseVtepMac(createModel(), 'flannel.1', mac, random), mac)
})

test('a link of another kind has no MAC for it', () => {
  const kernel = createModel()
  kernel.links.add({ kind: 'bridge', name: 'flannel.1', mac: '02:00:00:00:00:09' })
  assert.equal(chooseVtepMac(kernel, 'flannel.1', mac, random), mac)
})

test('a new MAC is of one station, and locally administered', () => {
  assert.equal(chooseVtepMac(createModel(), 'flannel.1', undefined, random), 'e2:e2:e3:e4:e5:e6')
})
