/** Namespaces: entered for a moment, found by ip(8), held by nothing that was given back. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readdirSync, readlinkSync, writeFileSync } from 'node:fs'
import { afterEach, test } from 'vitest'
import { linux } from '../../src/linux/linux.ts'
import { Namespace, namespaces } from '../../src/linux/netns.ts'

const name = `netns-${process.pid}`
const ip = (...argv: string[]) => spawnSync('ip', argv, { encoding: 'utf8' })

afterEach(() => {
  for (const each of namespaces.list()) namespaces.delete(each)
})

test('ip netns sees what we add, and no more what we delete', () => {
  const path = namespaces.add(name)
  assert.equal(path, `/run/netns/${name}`)
  assert.match(ip('netns', 'list').stdout, new RegExp(`^${name}\\b`))
  assert.equal(ip('netns', 'exec', name, 'true').status, 0)
  assert.equal(ip('-n', name, '-o', 'link').stdout.trim().split('\n').length, 1)
  namespaces.delete(name)
  assert.equal(ip('netns', 'list').stdout, '')
})

test('we see and delete what ip netns adds', () => {
  ip('netns', 'add', name)
  assert.deepEqual(namespaces.list(), [name])
  assert.equal(linux.enter(`/run/netns/${name}`)?.links.list().length, 1)
  namespaces.delete(name)
  assert.equal(ip('netns', 'exec', name, 'true').status, 255)
})

test('/run/netns is a mount that propagates, so that all mount namespaces see a namespace come and go', () => {
  const mounts = () =>
    spawnSync('grep', [' /run/netns ', '/proc/self/mountinfo'], { encoding: 'utf8' }).stdout.split('\n')
  namespaces.add(name)
  const after = mounts()
  assert.match(after.at(-2)!, / shared:/)
  namespaces.add(`${name}-2`)
  assert.deepEqual(mounts(), after, 'it is mounted once')
})

test('a name that a crash left without its namespace is deleted all the same', () => {
  namespaces.add(`${name}-other`)
  writeFileSync(`/run/netns/${name}`, '')
  assert.throws(() => linux.enter(`/run/netns/${name}`), { errno: 'EINVAL', explanation: 'it is no network namespace' })
  namespaces.delete(name)
  assert.deepEqual(namespaces.list(), [`${name}-other`])
})

test('other namespaces, directories and devices are no network namespaces', () => {
  for (const path of ['/proc/self/ns/mnt', '/', '/dev/null', '/etc/passwd']) {
    assert.throws(() => linux.enter(path), { errno: 'EINVAL' }, path)
  }
})

test('the process is where it was after every operation, also after one that failed', () => {
  const where = () => readlinkSync('/proc/thread-self/ns/net')
  const home = where()
  const kernel = linux.enter(namespaces.add(name))!
  assert.equal(where(), home)
  kernel.links.add({ kind: 'bridge', name: 'br0' })
  kernel.sysctl.set('net/ipv4/ip_forward', '1')
  assert.throws(() => kernel.links.delete('nothing'))
  assert.throws(() => namespaces.add(name))
  assert.throws(() => Namespace.open(`/run/netns/${name}`)!.inside(() => assert.fail('on purpose')), /on purpose/)
  assert.equal(where(), home)
  kernel.close()
})

test('no thread is left in a namespace that was entered', () => {
  const home = readlinkSync('/proc/self/ns/net')
  const kernel = linux.enter(namespaces.add(name))!
  for (let i = 0; i < 50; i++) kernel.sysctl.get('net/ipv4/ip_forward')
  kernel.links.list()
  kernel.close()
  for (const thread of readdirSync('/proc/self/task')) {
    // Threads of Node's pool are older than this file's namespace: they are in the machine's own.
    assert.notEqual(readlinkSync(`/proc/self/task/${thread}/ns/net`), `net:[${inodeOf(`/run/netns/${name}`)}]`)
  }
  assert.equal(readlinkSync('/proc/self/ns/net'), home)
})

test('an own handle can be entered again and again, and gives everything back when it is closed', () => {
  const path = namespaces.add(name)
  const count = () => readdirSync('/proc/self/fd').length
  linux.links.list()
  const before = count()
  for (let i = 0; i < 100; i++) {
    const kernel = linux.enter(path)!
    kernel.links.list()
    kernel.nftables.list()
    kernel.sysctl.get('net/ipv4/ip_forward')
    assert.ok(!kernel.sameNamespace(linux))
    kernel.close()
    kernel.close()
    assert.throws(() => linux.enter('/dev/null'))
  }
  assert.equal(count(), before)
})

test('a handle that was closed is of no use, and does not reach somebody else', () => {
  const kernel = linux.enter(namespaces.add(name))!
  kernel.close()
  const other = linux.enter(namespaces.add(`${name}-other`))! // takes the same numbers
  assert.throws(() => kernel.links.list(), { errno: 'EBADF' })
  assert.throws(() => kernel.sysctl.get('net/ipv4/ip_forward'), { errno: 'EBADF' })
  other.close()
})

test('a hundred namespaces are added and deleted', () => {
  for (let i = 0; i < 100; i++) namespaces.add(`${name}-${i}`)
  assert.equal(namespaces.list().length, 100)
  for (let i = 0; i < 100; i++) namespaces.delete(`${name}-${i}`)
  assert.deepEqual(namespaces.list(), [])
})

function inodeOf(path: string): number {
  const { stdout } = spawnSync('stat', ['-L', '-c', '%i', path], { encoding: 'utf8' })
  return Number(stdout)
}
