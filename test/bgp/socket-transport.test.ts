/** What a listener tells the kernel beforehand, and why a connection could not be made, in words. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { contains, parsePrefix } from '../../src/address/prefix.ts'
import { forAll, keysFor } from '../../src/bgp/socket-listener.ts'
import { SocketTransport } from '../../src/bgp/socket-transport.ts'
import { PLAIN, type SocketOptions, type Target } from '../../src/bgp/transport.ts'
import { KernelError } from '../../src/kernel/errors.ts'
import type { Sockets, TcpEvents } from '../../src/kernel/socket.ts'
import { StepClock } from './step-clock.ts'

const allowed = (from: string, options: Partial<SocketOptions>) => ({
  from: parsePrefix(from),
  options: { ...PLAIN, ...options },
})

test('keys are as they are allowed, where no prefix within another goes without', () => {
  const keys = keysFor([
    allowed('10.0.0.0/8', { md5: 'all' }),
    allowed('10.1.0.0/16', { md5: 'some' }),
    allowed('fd00::/8', { md5: 'six' }),
    allowed('10.1.0.0/16', { md5: 'later' }),
    allowed('192.0.2.1/32', {}),
  ])
  assert.deepEqual(Object.fromEntries(keys), { '10.0.0.0/8': 'all', '10.1.0.0/16': 'later', 'fd00::/8': 'six' })
})

test('a prefix without a key within one that has one is a hole', () => {
  const keys = keysFor([allowed('10.0.0.0/29', { md5: 'all' }), allowed('10.0.0.2/32', {})])
  assert.deepEqual(Object.fromEntries(keys), {
    '10.0.0.0/31': 'all',
    '10.0.0.3/32': 'all',
    '10.0.0.4/30': 'all',
  })
})

test('the longest prefix of the keys says of every address what the longest of those allowed says', () => {
  const all = [
    allowed('10.0.0.0/27', { md5: 'a' }),
    allowed('10.0.0.8/29', {}),
    allowed('10.0.0.8/30', { md5: 'b' }),
    allowed('10.0.0.9/32', {}),
    allowed('10.0.0.16/28', { md5: 'c' }),
    allowed('10.0.0.20/32', {}),
    allowed('10.0.0.24/29', { md5: 'd' }),
  ]
  const keys = [...keysFor(all)].map(([prefix, key]) => allowed(prefix, { md5: key }))
  const longest = (list: typeof all, ip: Uint8Array) =>
    list.filter(({ from }) => contains(from, ip)).sort((a, b) => b.from.length - a.from.length)[0]?.options.md5
  const told = Array.from({ length: 40 }, (_, i) => Uint8Array.of(10, 0, 0, i)).map((ip) => {
    assert.equal(longest(keys, ip), longest(all, ip), ip.join('.'))
    return longest(all, ip)
  })
  assert.deepEqual(new Set(told), new Set(['a', 'b', 'c', 'd', undefined]))
})

test('the least TTL is the kernel’s affair when all have one, and answers go out with the TTL that some ask for', () => {
  const far = allowed('10.0.0.1/32', { ttl: 255, minTtl: 253 })
  const near = allowed('10.0.0.2/32', { ttl: 255, minTtl: 255 })
  const plain = allowed('10.0.0.3/32', { ttl: 1 })
  assert.deepEqual(forAll([]), { ttl: undefined, minTtl: undefined })
  assert.deepEqual(forAll([near, far]), { ttl: 255, minTtl: 253 })
  assert.deepEqual(forAll([near, plain]), { ttl: 255, minTtl: undefined })
  assert.deepEqual(forAll([plain]), { ttl: undefined, minTtl: undefined })
})

const plainTarget: Target = { ...PLAIN, remote: { address: '10.0.0.2', port: 179 }, localAddress: undefined }

for (const { errno, target, why } of [
  { errno: 'ECONNREFUSED', target: {}, why: 'connection refused' },
  { errno: 'EHOSTUNREACH', target: {}, why: 'no route to host' },
  { errno: 'ENETUNREACH', target: {}, why: 'network is unreachable' },
  { errno: 'ETIMEDOUT', target: {}, why: 'no answer' },
  { errno: 'ETIMEDOUT', target: { md5: 'x' }, why: 'no answer: TCP MD5 password or filter?' },
  { errno: 'EADDRNOTAVAIL', target: { localAddress: '10.0.0.9' }, why: '10.0.0.9 is no address of this host' },
  { errno: 'ENOPROTOOPT', target: { md5: 'x' }, why: 'this kernel has no TCP MD5' },
  { errno: 'ENOBUFS', target: {}, why: 'ENOBUFS' },
]) {
  const what = `${errno}${Object.keys(target).length > 0 ? ` with ${Object.keys(target)}` : ''}`
  for (const begins of [true, false]) {
    test(`${what} is "${why}", told later, ${begins ? 'of a connection that was begun' : 'where none can be begun'}`, () => {
      const clock = new StepClock()
      const told: string[] = []
      const transport = new SocketTransport(refusing(errno, begins), clock)
      const events = { connected() {}, received() {}, taken() {}, closed: (text: string) => told.push(text) }
      const connection = transport.connect({ ...plainTarget, ...target }, events)
      connection.send(Uint8Array.of(1))
      assert.deepEqual(told, [])
      clock.advance(1)
      assert.deepEqual(told, [why])
      connection.close()
    })
  }
}

/** Sockets on which no connection comes about: refused by the call, or within it. */
function refusing(errno: string, begins: boolean): Sockets {
  const refuse = (events: TcpEvents) => {
    if (!begins) throw new KernelError(errno, 'connect')
    const connection = {
      local: { address: '10.0.0.1', port: 4000 },
      remote: plainTarget.remote,
      synTtl: undefined,
      backlog: 0,
      set() {},
      write() {
        throw new KernelError('EPIPE', 'write')
      },
      pause() {},
      resume() {},
      end() {},
      abort() {},
    }
    events.closed?.(connection, errno)
    return connection
  }
  const never = () => assert.fail('nobody asks for it')
  return { connectTcp: (_, events) => refuse(events), listenTcp: never, bindUdp: never }
}
