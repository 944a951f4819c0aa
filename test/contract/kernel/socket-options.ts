/** What is set on sockets: TTL, TCP MD5, type of service; pausing, and what waits. */
import assert from 'node:assert/strict'
import type { LiveKernel } from '../../../src/kernel/live.ts'
import type { TcpConnection, TcpEvents, TcpOptions, TcpTarget } from '../../../src/kernel/socket.ts'
import { type Case, eventually, refused, type World } from './case.ts'

const PORT = 4000
const FAMILIES = [
  { family: 'IPv4', node: '10.1.0.1', container: '10.1.0.2', length: 24, prefix: '10.1.0.0/24', host: '10.1.0.1/32' },
  { family: 'IPv6', node: 'fd01::1', container: 'fd01::2', length: 64, prefix: 'fd01::/64', host: 'fd01::1/128' },
] as const
type Addresses = (typeof FAMILIES)[number]

const bytesOf = (text: string) => new TextEncoder().encode(text)
const KEY = bytesOf('sesame')

/** Both ends of a link, with addresses of one family. */
async function join({ node, container }: World, { node: ours, container: theirs, length }: Addresses): Promise<void> {
  node.links.add({ kind: 'veth', name: 'eth0', peer: { name: 'eth0', namespace: container } })
  for (const { links } of [node, container]) {
    for (const link of ['lo', 'eth0']) links.set(link, { up: true })
  }
  for (const { links } of [node, container]) {
    await eventually(() => links.get('eth0')?.operState === 'up', 'the link is up')
  }
  node.addresses.add({ link: 'eth0', prefix: `${ours}/${length}`, noDad: length === 64 })
  container.addresses.add({ link: 'eth0', prefix: `${theirs}/${length}`, noDad: length === 64 })
}

/** Every case of both families. */
function ofBoth(title: string, check: (world: World, addresses: Addresses) => Promise<void>): Case[] {
  return FAMILIES.map((addresses) => ({
    title: `${addresses.family}: ${title}`,
    async check(world) {
      await join(world, addresses)
      await check(world, addresses)
    },
  }))
}

interface End {
  readonly told: string[]
  octets: number
  connection: TcpConnection | undefined
  readonly events: TcpEvents
}

function newEnd(): End {
  const end: End = {
    told: [],
    octets: 0,
    connection: undefined,
    events: {
      established: () => end.told.push('established'),
      data: (_, bytes) => {
        end.octets += bytes.length
        if (end.told.at(-1) !== 'data') end.told.push('data')
      },
      taken: () => {
        if (end.told.at(-1) !== 'taken') end.told.push('taken')
      },
      end: () => end.told.push('end'),
      closed: (_, errno) => end.told.push(`closed ${errno ?? ''}`.trimEnd()),
    },
  }
  return end
}

function serve(kernel: LiveKernel, options?: TcpOptions) {
  const ends: End[] = []
  const listener = kernel.sockets.listenTcp({ port: PORT, options }, (connection) => {
    const end = newEnd()
    end.connection = connection
    ends.push(end)
    return end.events
  })
  return { ends, listener }
}

function connect(kernel: LiveKernel, address: string, target: Partial<TcpTarget> = {}): End {
  const end = newEnd()
  end.connection = kernel.sockets.connectTcp({ address, port: PORT, ...target }, end.events)
  return end
}

/** Connects, and waits until the listener has accepted it: what was sent before has been received by then, or never will be. */
async function connected(kernel: LiveKernel, ends: readonly End[], address: string, target?: Partial<TcpTarget>) {
  const before = ends.length
  const client = connect(kernel, address, target)
  await eventually(() => client.told.length > 0 && ends.length > before, 'it is accepted')
  assert.deepEqual(client.told, ['established'])
  return { client, server: ends.at(-1)! }
}

function finish(...ends: readonly End[]): void {
  for (const { connection } of ends) connection?.abort()
}

async function carries(from: End, to: End): Promise<void> {
  const before = to.octets
  from.connection!.write(bytesOf('hello'))
  await eventually(() => to.octets === before + 5, 'it is heard')
}

export const socketOptionCases: readonly Case[] = [
  ...ofBoth(
    'a listener with a least TTL does not hear who sends with less',
    async ({ node, container }, { container: to }) => {
      const options = { ttl: 255, minTtl: 255 }
      const { ends, listener } = serve(container, options)
      const far = connect(node, to)
      const { client, server } = await connected(node, ends, to, { options })
      assert.deepEqual([far.told, ends.length, server.connection!.synTtl], [[], 1, 255])
      await carries(server, client)
      listener.set({ minTtl: 64 })
      const second = await connected(node, ends, to)
      assert.equal(second.server.connection!.synTtl, 64)
      listener.close()
      finish(far, client, second.client)
    },
  ),
  ...ofBoth(
    'the least TTL of a connection counts from when it is set',
    async ({ node, container }, { container: to }) => {
      const { ends, listener } = serve(container)
      const { client, server } = await connected(node, ends, to)
      assert.equal(client.connection!.synTtl, undefined)
      await carries(client, server)
      server.connection!.set({ minTtl: 255 })
      client.connection!.write(bytesOf('far'))
      const barrier = await connected(node, ends, to)
      await carries(barrier.client, barrier.server)
      assert.equal(server.octets, 5)
      client.connection!.set({ ttl: 255 })
      await eventually(() => server.octets === 8, 'it is heard when it is sent again')
      listener.close()
      finish(client, barrier.client)
      await eventually(() => server.told.includes('closed ECONNRESET'), 'it is closed')
      refused('EBADF', () => server.connection!.set({}))
      refused('EBADF', () => listener.set({}))
    },
  ),
  ...ofBoth(
    'both sides have the same TCP MD5 key, or nothing is heard',
    async ({ node, container }, { container: to, host }) => {
      const { ends, listener } = serve(container)
      listener.setMd5Key(host, KEY)
      const silent = [connect(node, to), connect(node, to, { md5: bytesOf('Sesame') })]
      const { client, server } = await connected(node, ends, to, { md5: KEY })
      await carries(client, server)
      await carries(server, client)
      assert.deepEqual([silent.map(({ told }) => told), ends.length], [[[], []], 1])
      finish(client, ...silent)
      await eventually(() => server.told.includes('closed ECONNRESET'), 'a reset is signed, too')
      listener.close()
    },
  ),
  ...ofBoth(
    'a TCP MD5 key is replaced and taken away while it listens, and connections keep theirs',
    async ({ node, container }, { container: to, host }) => {
      const { ends, listener } = serve(container)
      listener.setMd5Key(host, KEY)
      const first = await connected(node, ends, to, { md5: KEY })
      listener.setMd5Key(host, bytesOf('other'))
      const late = connect(node, to, { md5: KEY })
      const second = await connected(node, ends, to, { md5: bytesOf('other') })
      listener.setMd5Key(host, undefined)
      const signed = connect(node, to, { md5: bytesOf('other') })
      const third = await connected(node, ends, to)
      assert.deepEqual([late.told, signed.told, ends.length], [[], [], 3])
      for (const { client, server } of [first, second, third]) await carries(client, server)
      listener.close()
      finish(late, signed, first.client, second.client, third.client)
    },
  ),
  ...ofBoth(
    'of TCP MD5 keys for prefixes the longest counts',
    async ({ node, container }, { container: to, host, prefix }) => {
      const { ends, listener } = serve(container)
      listener.setMd5Key(prefix, KEY)
      const first = await connected(node, ends, to, { md5: KEY })
      listener.setMd5Key(host, bytesOf('own'))
      const second = await connected(node, ends, to, { md5: bytesOf('own') })
      listener.setMd5Key(host, undefined)
      const third = await connected(node, ends, to, { md5: KEY })
      listener.close()
      finish(first.client, second.client, third.client)
    },
  ),
  ...ofBoth(
    'a TCP MD5 key has 1 to 80 octets, and one that is not there is not taken away',
    async ({ node, container }, { container: to, host, prefix }) => {
      const { listener } = serve(container)
      for (const length of [0, 81]) {
        refused('EINVAL', () => listener.setMd5Key(host, new Uint8Array(length)))
        refused('EINVAL', () => connect(node, to, { md5: new Uint8Array(length) }))
      }
      listener.setMd5Key(host, new Uint8Array(80).fill(7))
      refused('ENOENT', () => listener.setMd5Key(prefix, undefined))
      listener.close()
      refused('EBADF', () => listener.setMd5Key(host, KEY))
    },
  ),
  ...ofBoth(
    'segments carry TTL and type of service that were set, from the first one on',
    async ({ node, container }, { family, container: to }) => {
      const looks: string[] = []
      const capture = container.packets.capture({ link: 'eth0' }, ({ bytes, packetType }) => {
        const isTcp = family === 'IPv4' ? bytes[12] === 8 && bytes[13] === 0 && bytes[23] === 6 : bytes[20] === 6
        const look =
          family === 'IPv4'
            ? `ttl ${bytes[22]} tos ${bytes[15]}`
            : `ttl ${bytes[21]} tos ${((bytes[14]! & 0xf) << 4) | (bytes[15]! >> 4)}`
        if (isTcp) looks.push(`${packetType === 'outgoing' ? 'out' : 'in'} ${look}`)
      })
      const { ends, listener } = serve(container, { ttl: 77, tos: 0xc0, priority: 6 })
      const { client, server } = await connected(node, ends, to, { options: { ttl: 99, tos: 0xb8, noDelay: true } })
      await carries(client, server)
      await carries(server, client)
      await eventually(() => looks.length >= 7, 'it is captured')
      assert.deepEqual(new Set(looks), new Set(['in ttl 99 tos 184', 'out ttl 77 tos 192']))
      listener.close()
      finish(client)
      capture.close()
    },
  ),
  ...ofBoth('a datagram tells its TTL', async ({ node, container }, { container: to }) => {
    const ttls: number[] = []
    const server = container.sockets.bindUdp({ port: PORT }, { datagram: (_from, _bytes, ttl) => ttls.push(ttl) })
    for (const options of [undefined, { ttl: 255, tos: 0xc0 }]) {
      const client = node.sockets.bindUdp({ options }, {})
      client.send({ address: to, port: PORT }, bytesOf('x'))
      client.close()
    }
    await eventually(() => ttls.length === 2, 'both arrive')
    assert.deepEqual(ttls, [64, 255])
    server.close()
  }),
  ...ofBoth(
    'a datagram that has come is handed over when that is asked for',
    async ({ node, container }, { container: to }) => {
      let heard = 0
      const server = container.sockets.bindUdp({ port: PORT }, { datagram: () => heard++ })
      const client = node.sockets.bindUdp({}, {})
      const send = () => client.send({ address: to, port: PORT }, bytesOf('x'))
      send()
      await eventually(() => heard === 1, 'the neighbour is known')
      send()
      // It comes in no time, and the loop does not turn here.
      for (let i = 0; i < 100_000 && heard === 1; i++) server.receive()
      assert.equal(heard, 2)
      server.receive()
      server.close()
      server.receive()
      client.close()
    },
  ),
  ...ofBoth(
    'who pauses is not told anything, and what the other side writes becomes a backlog',
    async ({ node, container }, { container: to }) => {
      node.sysctl.set('net/ipv4/tcp_wmem', '4096 16384 65536')
      container.sysctl.set('net/ipv4/tcp_rmem', '4096 65536 131072')
      const { ends, listener } = serve(container)
      const { client, server } = await connected(node, ends, to)
      const connection = client.connection!
      server.connection!.pause()
      const piece = new Uint8Array(50_000).fill(1)
      for (let i = 0; i < 40; i++) connection.write(piece)
      connection.end()
      const barrier = await connected(node, ends, to)
      await carries(barrier.client, barrier.server)
      assert.deepEqual([server.told, server.octets], [[], 0])
      assert.ok(connection.backlog > 1_000_000, `a backlog of ${connection.backlog}`)
      server.connection!.resume()
      await eventually(() => server.told.includes('end'), 'all is read')
      assert.deepEqual([server.octets, connection.backlog, client.told.includes('taken')], [2_000_000, 0, true])
      assert.deepEqual(server.told, ['data', 'end'])
      listener.close()
      finish(server, barrier.client)
    },
  ),
  ...ofBoth(
    'who pauses while it is told something is not told the rest',
    async ({ node, container }, { container: to }) => {
      const pauses: number[] = []
      let octets = 0
      const listener = container.sockets.listenTcp({ port: PORT }, () => ({
        data(connection, { length }) {
          octets += length
          pauses.push(octets)
          connection.pause()
        },
      }))
      const other = container.sockets.listenTcp({ port: PORT + 1 }, () => ({
        data: (connection, { length }) => connection.write(new Uint8Array(length)),
      }))
      const client = connect(node, to)
      client.connection!.write(new Uint8Array(150_000))
      await eventually(() => pauses.length > 0, 'the first is told')
      // Every echo takes its time, in which nothing is told here.
      const echo = connect(node, to, { port: PORT + 1 })
      for (let i = 1; i <= 3; i++) {
        echo.connection!.write(Uint8Array.of(1))
        await eventually(() => echo.octets === i, 'it is echoed')
      }
      assert.equal(pauses.length, 1)
      assert.ok(octets < 150_000)
      for (const each of [listener, other]) each.close()
      finish(client, echo)
    },
  ),
  ...ofBoth(
    'that a connection was reset waits for who pauses, behind what had come before',
    async ({ node, container }, { container: to }) => {
      const { ends, listener } = serve(container)
      const { client, server } = await connected(node, ends, to)
      client.connection!.pause()
      server.connection!.write(bytesOf('last words'))
      server.connection!.abort()
      const barrier = await connected(node, ends, to)
      await carries(barrier.client, barrier.server)
      assert.deepEqual(client.told, ['established'])
      client.connection!.resume()
      await eventually(() => client.told.length === 3, 'it is told')
      assert.deepEqual([client.octets, client.told], [10, ['established', 'data', 'closed ECONNRESET']])
      listener.close()
      finish(barrier.client)
    },
  ),
  ...ofBoth(
    'what came before a connection was reset is heard by who writes',
    async ({ node, container }, { container: to }) => {
      const { ends, listener } = serve(container)
      const { client, server } = await connected(node, ends, to)
      server.connection!.pause()
      client.connection!.write(bytesOf('last words'))
      client.connection!.abort()
      const barrier = await connected(node, ends, to)
      await carries(barrier.client, barrier.server)
      server.connection!.resume()
      let failure: string | undefined
      try {
        server.connection!.write(bytesOf('too late'))
      } catch (error) {
        failure = (error as { errno?: string }).errno
      }
      await eventually(() => server.told.length === 2, 'it is told')
      assert.ok(failure === undefined || failure === 'EPIPE', failure)
      assert.deepEqual([server.octets, server.told[0]], [10, 'data'])
      listener.close()
      finish(barrier.client)
    },
  ),
  {
    title: 'a port is taken in one family alone, or in both',
    async check(world) {
      const [ipv4, ipv6] = FAMILIES
      await join(world, ipv4)
      const { node, container } = world
      container.addresses.add({ link: 'eth0', prefix: `${ipv6.container}/64`, noDad: true })
      node.addresses.add({ link: 'eth0', prefix: `${ipv6.node}/64`, noDad: true })
      const heard: string[] = []
      const open = (family?: 'ipv4' | 'ipv6') =>
        container.sockets.listenTcp({ family, port: PORT }, ({ remote }) => {
          heard.push(`${family} ${remote.address}`)
          return {}
        })
      const listeners = [open('ipv4'), open('ipv6')]
      assert.deepEqual(
        listeners.map(({ local }) => local.address),
        ['0.0.0.0', '::'],
      )
      refused('EADDRINUSE', () => open())
      const clients = [connect(node, ipv4.container), connect(node, ipv6.container)]
      await eventually(() => heard.length === 2, 'both come')
      assert.deepEqual(heard.sort(), [`ipv4 ${ipv4.node}`, `ipv6 ${ipv6.node}`])
      listeners[1]!.close()
      const udp = (['ipv4', 'ipv6'] as const).map((family) => node.sockets.bindUdp({ family, port: PORT }, {}))
      refused('EADDRINUSE', () => node.sockets.bindUdp({ port: PORT }, {}))
      for (const each of [...listeners, ...udp]) each.close()
      finish(...clients)
    },
  },
]
