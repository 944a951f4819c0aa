/** The check that every method has a case can fail. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { kernelSources, methodsOf, readShapes, recorded, uncovered } from './kernel/interface.ts'

const source = kernelSources()
const shapes = readShapes(source, 'LiveKernel')

test('the methods are read from the source, inherited and nested ones too', () => {
  const methods = methodsOf(shapes)
  for (const method of ['LiveKernel.enter', 'LiveKernel.ping', 'Links.add', 'Routes.batch', 'Tun.write', 'Tun.close']) {
    assert.ok(methods.includes(method), method)
  }
  assert.ok(!methods.some((method) => method.startsWith('Link.')), 'a value has no methods')
  assert.equal(new Set(methods).size, methods.length)
})

test('a method that was not called is uncovered', () => {
  const called = new Set(methodsOf(shapes))
  assert.deepEqual(uncovered(shapes, called), [])
  called.delete('Routes.batch')
  assert.deepEqual(uncovered(shapes, called), ['Routes.batch'])
})

// A line put into the interface, and the method that nobody calls then.
for (const { where, line, method } of [
  { where: 'export interface Links {', line: '  freeze(name: string): void', method: 'Links.freeze' },
  { where: 'export interface Kernel {', line: '  reboot(): never', method: 'LiveKernel.reboot' },
  {
    where: 'export interface Tun extends Subscription {',
    line: '  flush(\n    hard: boolean,\n  ): void',
    method: 'Tun.flush',
  },
]) {
  test(`a new method is uncovered: ${method}`, () => {
    assert.ok(source.includes(where))
    const changed = readShapes(source.replace(where, `${where}\n${line}`), 'LiveKernel')
    assert.deepEqual(uncovered(changed, new Set(methodsOf(shapes))), [method])
  })
}

test('a recorded handle notes what is called, on what it leads to as well, and passes handles on unrecorded', () => {
  const called = new Set<string>()
  const handle = {
    links: { add: (link: unknown) => link, list: () => [] },
    enter: () => handle,
    namespacePath: '/run/netns/x',
  }
  const record = recorded(handle as object, 'LiveKernel', shapes, called) as typeof handle
  assert.equal(record.namespacePath, '/run/netns/x')
  const given = record.enter().links.add({ peer: { namespace: record }, bytes: Uint8Array.of(1) }) as {
    peer: { namespace: unknown }
  }
  assert.equal(given.peer.namespace, handle)
  assert.deepEqual([...called], ['LiveKernel.enter', 'Links.add'])
})
