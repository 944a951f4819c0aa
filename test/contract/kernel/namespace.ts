/** Namespaces: their names, and handles on them. */
import assert from 'node:assert/strict'
import { type Case, refused } from './case.ts'

export const namespaceCases: readonly Case[] = [
  {
    title: 'a new namespace has a loopback link that is down, and nothing else',
    check({ node, prefix }) {
      const path = node.namespaces.add(`${prefix}-new`)
      const namespace = node.enter(path)!
      try {
        assert.deepEqual(
          namespace.links.list().map(({ name, kind, up }) => ({ name, kind, up })),
          [{ name: 'lo', kind: 'loopback', up: false }],
        )
        assert.deepEqual(namespace.addresses.list(), [])
        assert.deepEqual(namespace.routes.list(), [])
      } finally {
        namespace.close()
        node.namespaces.delete(`${prefix}-new`)
      }
    },
  },
  {
    title: 'a namespace is listed by its name until it is deleted',
    check({ node, container, prefix }) {
      const name = `${prefix}-listed`
      const path = node.namespaces.add(name)
      assert.ok(path.endsWith(`/${name}`), path)
      assert.ok(container.namespaces.list().includes(name), 'also from another namespace')
      node.namespaces.delete(name)
      assert.ok(!node.namespaces.list().includes(name))
      assert.equal(node.enter(path), undefined)
    },
  },
  {
    title: 'a name that is taken is EEXIST, and what has it stays',
    check({ node, prefix }) {
      const name = `${prefix}-twice`
      const path = node.namespaces.add(name)
      refused('EEXIST', () => node.namespaces.add(name))
      const namespace = node.enter(path)
      assert.ok(namespace)
      namespace.close()
      node.namespaces.delete(name)
    },
  },
  {
    title: 'deleting a name that nothing has is ENOENT',
    check: ({ node, prefix }) => refused('ENOENT', () => node.namespaces.delete(`${prefix}-nothing`)),
  },
  {
    title: 'a name that is no file name is a RangeError',
    check({ node }) {
      for (const name of ['', '.', '..', 'a/b', '../escape', 'x'.repeat(256)]) {
        assert.throws(() => node.namespaces.add(name), RangeError, name)
        assert.throws(() => node.namespaces.delete(name), RangeError, name)
      }
    },
  },
  {
    title: 'enter answers undefined where nothing is',
    check: ({ node, prefix }) => assert.equal(node.enter(`/run/netns/${prefix}-nothing`), undefined),
  },
  {
    title: 'enter of what is no network namespace is EINVAL',
    check: ({ node }) => refused('EINVAL', () => node.enter('/')),
  },
  {
    title: 'handles of one namespace are the same, of two they are not',
    check({ node, container }) {
      const again = node.enter(container.namespacePath)!
      assert.ok(again.sameNamespace(container))
      assert.ok(container.sameNamespace(again))
      assert.ok(container.sameNamespace(container))
      assert.ok(!node.sameNamespace(container))
      assert.ok(!again.sameNamespace(node))
      again.close()
    },
  },
  {
    title: 'what one handle makes, another on the same namespace sees, and no other namespace does',
    check({ node, container }) {
      const again = node.enter(container.namespacePath)!
      again.links.add({ kind: 'bridge', name: 'br0' })
      assert.equal(container.links.get('br0')?.kind, 'bridge')
      assert.equal(node.links.get('br0'), undefined)
      again.close()
    },
  },
  {
    title: 'closing a handle leaves the namespace as it is',
    check({ node, container }) {
      const again = node.enter(container.namespacePath)!
      again.links.add({ kind: 'bridge', name: 'br0' })
      again.close()
      assert.ok(container.links.get('br0'))
    },
  },
  {
    title: 'a namespace lives on without its name while a handle holds it',
    check({ node, prefix }) {
      const held = node.enter(node.namespaces.add(`${prefix}-held`))!
      node.namespaces.delete(`${prefix}-held`)
      held.links.add({ kind: 'bridge', name: 'br0' })
      assert.ok(held.links.get('br0'))
      held.close()
    },
  },
]
