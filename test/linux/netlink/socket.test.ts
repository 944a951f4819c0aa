/** The socket, against the real kernel: refusals, long lists, short buffers, lost answers. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import { sys } from '#sys'
import { isErrno, KernelError } from '../../../src/kernel/errors.ts'
import { encodeNewAddress } from '../../../src/linux/netlink/address.ts'
import { Attributes } from '../../../src/linux/netlink/attribute.ts'
import { encodeDeleteLink, encodeGetLink, encodeNewLink } from '../../../src/linux/netlink/link.ts'
import { MessageWriter, type NetlinkMessage, NLM_F_ACK } from '../../../src/linux/netlink/message.ts'
import { encodeRoute } from '../../../src/linux/netlink/route.ts'
import { MAX_BATCH, NETLINK_ROUTE, NetlinkSocket, openNetlink } from '../../../src/linux/netlink/socket.ts'
import { DecodeError } from '../../../src/wire/errors.ts'

const RTM_GETLINK = 18
const IFLA_IFNAME = 3
const IFINFOMSG_SIZE = 16
/** So many that a list of them takes several datagrams. */
const LINKS = 60

const opened: NetlinkSocket[] = []
const open = (receiveSize?: number) => {
  const socket = new NetlinkSocket(openNetlink(NETLINK_ROUTE), receiveSize)
  opened.push(socket)
  return socket
}

const nameOf = ({ payload }: NetlinkMessage) => new Attributes(payload, IFINFOMSG_SIZE).text(IFLA_IFNAME)!
const listLinks = () => new MessageWriter().message(RTM_GETLINK, 0).bytes(new Uint8Array(IFINFOMSG_SIZE)).finish()
const references = { indexOf: () => 0, descriptorOf: () => 0 }
const addBridge = (name: string) => encodeNewLink({ kind: 'bridge', name }, references)
const addBlackhole = (i: number) =>
  encodeRoute('add', { destination: `10.${i >> 8}.${i & 255}.0/24`, type: 'blackhole', table: 1000 }, () => 0)

beforeAll(() => {
  const socket = open()
  for (let i = 0; i < LINKS; i++) socket.request('add', encodeNewLink({ kind: 'ifb', name: `many${i}` }, references))
})
afterEach(() => {
  vi.restoreAllMocks()
  for (const socket of opened.splice(0)) socket.close()
})
afterAll(() => {
  const socket = open()
  for (let i = 0; i < LINKS; i++) socket.request('delete', encodeDeleteLink({ name: `many${i}` }))
  socket.close()
})

test('a request is two system calls', () => {
  const socket = open()
  const [send, recv] = [vi.spyOn(sys, 'send'), vi.spyOn(sys, 'recv')]
  socket.request('add', addBridge('br0'))
  assert.deepEqual([send.mock.calls.length, recv.mock.calls.length], [1, 1])
  assert.equal(socket.get('get', encodeGetLink('br0'), nameOf), 'br0')
  assert.deepEqual([send.mock.calls.length, recv.mock.calls.length], [2, 2])
  socket.request('delete', encodeDeleteLink({ name: 'br0' }))
})

test("a refusal carries the kernel's own words, which ip prints too", () => {
  const socket = open()
  const route = { destination: '10.9.0.0/24', gateway: '192.0.2.1' }
  const { stderr } = spawnSync('ip', ['route', 'add', route.destination, 'via', route.gateway], { encoding: 'utf8' })
  const explanation = /^Error: (.*)\.$/m.exec(stderr)?.[1]
  assert.ok(explanation, stderr)
  assert.throws(
    () =>
      socket.request(
        'add a route',
        encodeRoute('add', route, () => 0),
      ),
    {
      name: 'KernelError',
      errno: 'ENETUNREACH',
      explanation,
      message: `Cannot add a route: ${explanation} (ENETUNREACH)`,
    },
  )
})

test('a refusal of a list or of a question is a KernelError as well', () => {
  const socket = open()
  assert.throws(() => socket.get('get a link', encodeGetLink('nothing'), nameOf), { errno: 'ENODEV' })
  const bad = new MessageWriter().message(RTM_GETLINK, 0).bytes(new Uint8Array(IFINFOMSG_SIZE)).attributeU32(9999, 1)
  assert.throws(() => socket.dump('list links', bad.finish(), nameOf), { errno: 'EINVAL', explanation: /./ })
  assert.ok(socket.dump('list links', listLinks(), nameOf).length > LINKS, 'the socket goes on')
})

test('a list of several datagrams is whole', () => {
  const recv = vi.spyOn(sys, 'recv')
  const names = open().dump('list links', listLinks(), nameOf)
  assert.ok(recv.mock.calls.length > 2, `${recv.mock.calls.length} datagrams`)
  assert.equal(names.filter((name) => name.startsWith('many')).length, LINKS)
  assert.equal(new Set(names).size, names.length)
})

test('a list that changes while it is read is read again', () => {
  const [socket, other] = [open(), open()]
  let calls = 0
  const names = socket.dump('list links', listLinks(), (message) => {
    if (++calls === 1) other.request('add', addBridge('between'))
    return nameOf(message)
  })
  assert.ok(calls > names.length, 'it was read once only')
  assert.ok(names.includes('between'))
  assert.equal(new Set(names).size, names.length)
  other.request('delete', encodeDeleteLink({ name: 'between' }))
})

test('a list that changes all the time is EINTR in the end', () => {
  const [socket, other] = [open(), open()]
  let previous: string | undefined
  const change = (message: NetlinkMessage) => {
    const name = nameOf(message)
    if (name === 'lo') {
      other.request('change', previous ? encodeDeleteLink({ name: previous }) : addBridge('flicker'))
      previous = previous ? undefined : 'flicker'
    }
    return name
  }
  assert.throws(() => socket.dump('list links', listLinks(), change), { errno: 'EINTR' })
  if (previous) other.request('delete', encodeDeleteLink({ name: previous }))
})

test('a buffer that is too short grows, and what was asked is asked again', () => {
  assert.equal(open(100).get('get', encodeGetLink('lo'), nameOf), 'lo')
  const names = open(100).dump('list links', listLinks(), nameOf)
  assert.equal(names.filter((name) => name.startsWith('many')).length, LINKS)
})

test('an answer that cannot be decoded leaves the socket as good as new', () => {
  const socket = open()
  const failing = () => {
    throw new DecodeError('test', 0, 'on purpose')
  }
  assert.throws(() => socket.dump('list links', listLinks(), failing), DecodeError)
  assert.throws(() => socket.get('get', encodeGetLink('lo'), failing), DecodeError)
  assert.ok(socket.dump('list links', listLinks(), nameOf).length > LINKS)
})

test('several requests go out in one datagram, and each is answered', () => {
  const socket = open()
  const send = vi.spyOn(sys, 'send')
  const answers = socket.exchange('make changes', [
    addBridge('br0'),
    addBridge('br0'),
    encodeNewAddress({ prefix: '10.0.0.1/24', link: '' }, 9999, 'add'),
    encodeGetLink('br0'),
    encodeDeleteLink({ name: 'br0' }),
    new MessageWriter().message(RTM_GETLINK, NLM_F_ACK).bytes(new Uint8Array(12)).finish(),
  ])
  assert.equal(send.mock.calls.length, 1)
  assert.deepEqual(
    answers.map(({ refusal }) => refusal?.errno),
    [undefined, 'EEXIST', 'ENODEV', undefined, undefined, 'EINVAL'],
  )
  assert.deepEqual(answers[3]!.replies.map(nameOf), ['br0'])
  assert.deepEqual(
    answers.map(({ acknowledged }) => acknowledged),
    [false, false, false, false, false, false],
  )
})

test('as many refusals as MAX_BATCH all arrive', () => {
  const socket = open()
  const last = (messages: Uint8Array[]) => {
    new DataView(messages.at(-1)!.buffer).setUint16(6, 0x605, true) // with NLM_F_ACK
    return messages
  }
  const batch = () => last(Array.from({ length: MAX_BATCH }, (_, i) => addBlackhole(i)))
  const made = socket.exchange('add routes', batch())
  assert.ok(made.every(({ refusal }) => !refusal))
  assert.ok(made.at(-1)!.acknowledged)
  assert.ok(socket.exchange('add routes', batch()).every(({ refusal }) => refusal?.errno === 'EEXIST'))
})

test('answers that were lost are ENOBUFS, and the socket goes on', () => {
  const socket = open()
  const many = Array.from({ length: 4000 }, (_, i) => addBlackhole(i % MAX_BATCH))
  assert.throws(() => socket.exchange('add routes', many), { errno: 'ENOBUFS' })
  assert.equal(socket.get('get', encodeGetLink('lo'), nameOf), 'lo')
})

test('a datagram longer than the send buffer makes it grow', () => {
  const socket = open()
  const many = Array.from({ length: 6000 }, (_, i) => addBlackhole(1000 + i))
  assert.ok(many.reduce((length, message) => length + message.length, 0) > 212_992)
  assert.ok(socket.exchange('add routes', many).every(({ refusal }) => !refusal))
})

test('a kernel that does not answer is an error and no hang', () => {
  const socket = open()
  vi.spyOn(sys, 'send').mockImplementation((_fd, bytes) => bytes.length) // sent to nobody
  for (const ask of [
    () => socket.request('ask', encodeDeleteLink({ name: 'x' })),
    () => socket.get('ask', encodeGetLink('lo'), nameOf),
    () => socket.dump('ask', listLinks(), nameOf),
  ]) {
    assert.throws(ask, (error) => error instanceof KernelError && isErrno(error, 'EAGAIN'))
  }
})

test('a list of 20,000 routes is read in well under a second', () => {
  const socket = open()
  for (let i = 0; i < 20_000; i += MAX_BATCH) {
    const messages = Array.from({ length: MAX_BATCH }, (_, j) =>
      encodeRoute(
        'replace',
        { destination: `11.${(i + j) >> 8}.${(i + j) & 255}.0/24`, type: 'blackhole', table: 1001 },
        () => 0,
      ),
    )
    socket.exchange('add routes', messages)
  }
  const start = process.cpuUsage()
  const request = new MessageWriter().message(26, 0).u8(2).bytes(new Uint8Array(11)).attributeU32(15, 1001).finish()
  const count = socket.dump('list routes', request, () => true).length
  expect(count).toBeGreaterThan(19_999)
  const { user, system } = process.cpuUsage(start) // microseconds, whatever others do
  expect(user + system).toBeLessThan(2_000_000)
})
