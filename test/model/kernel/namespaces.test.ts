/** How long namespaces live, and by which paths they are entered. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { createModel } from '../../../src/model/create.ts'

test('deleting a namespace that nothing holds takes its devices along, and their peers', () => {
  const kernel = createModel()
  const pod = kernel.enter(kernel.namespaces.add('pod'))!
  kernel.links.add({ kind: 'veth', name: 'host', peer: { name: 'eth0', namespace: pod } })
  kernel.namespaces.delete('pod')
  assert.ok(kernel.links.get('host'), 'the handle holds it')
  pod.close()
  assert.equal(kernel.links.get('host'), undefined)
})

test('a handle that is closed twice gives back one hold', () => {
  const kernel = createModel()
  const path = kernel.namespaces.add('pod')
  const [one, other] = [kernel.enter(path)!, kernel.enter(path)!]
  kernel.namespaces.delete('pod')
  kernel.links.add({ kind: 'veth', name: 'host', peer: { name: 'eth0', namespace: other } })
  one.close()
  one.close()
  assert.ok(kernel.links.get('host'))
  other.close()
  assert.equal(kernel.links.get('host'), undefined)
})

for (const path of ['/run/netns/pod', '/var/run/netns/pod', '/run//netns/./pod']) {
  test(`${path} leads to the namespace`, () => {
    const kernel = createModel()
    const pod = kernel.enter(kernel.namespaces.add('pod'))!
    const entered = kernel.enter(path)!
    assert.ok(entered.sameNamespace(pod))
    assert.equal(entered.namespacePath, path)
  })
}

for (const path of ['/proc/self/ns/net', '/proc/thread-self/ns/net', '/proc/1/ns/net']) {
  test(`${path} leads to the namespace that the model began with, from any`, () => {
    const kernel = createModel()
    const pod = kernel.enter(kernel.namespaces.add('pod'))!
    assert.ok(pod.enter(path)!.sameNamespace(kernel))
  })
}

for (const path of ['/', '/run/netns', '/proc/self/ns']) {
  test(`${path} is no namespace: EINVAL`, () => {
    assert.throws(() => createModel().enter(path), { errno: 'EINVAL' })
  })
}

test('a link cannot lead into a namespace of another machine', () => {
  const [one, other] = [createModel(), createModel()]
  assert.ok(!one.sameNamespace(other))
  const namespace = { ...other, namespacePath: other.namespacePath } as unknown as typeof other
  assert.throws(() => one.links.add({ kind: 'veth', name: 'v0', peer: { name: 'v1', namespace } }), { errno: 'EINVAL' })
  assert.throws(() => one.links.add({ kind: 'veth', name: 'v0', peer: { name: 'v1', namespace: other } }), {
    errno: 'EINVAL',
  })
  assert.equal(one.links.get('v0'), undefined)
})
