/** TCP and UDP endpoints. */
import assert from 'node:assert/strict'
import type { LiveKernel } from '../../../src/kernel/live.ts'
import type { Endpoint, TcpConnection, TcpEvents, UdpError } from '../../../src/kernel/socket.ts'
import { IcmpType, UnreachableCode } from '../../../src/wire/icmp.ts'
import { type Case, eventually, refused, type World } from './case.ts'

const NODE = '10.1.0.1'
const CONTAINER = '10.1.0.2'
const FAR = '10.2.0.2'
const PORT = 4000
/** Nobody has it, and no route leads there. */
const NOWHERE = '10.99.0.1'

const text = (value: string) => new TextEncoder().encode(value)

/** What a connection's callbacks have told, in order. */
interface Told {
  readonly events: TcpEvents
  readonly calls: string[]
  received: string
  connection: TcpConnection | undefined
}

/** Notes what is told, and does what `then` says. Bytes that come one behind the other are one thing that was told. */
function telling(then: TcpEvents = {}): Told {
  const told: Told = {
    calls: [],
    received: '',
    connection: undefined,
    events: {
      established(connection) {
        told.calls.push('established')
        told.connection = connection
        then.established?.(connection)
      },
      data(connection, bytes) {
        if (told.calls.at(-1) !== 'data') told.calls.push('data')
        told.received += new TextDecoder().decode(bytes)
        then.data?.(connection, bytes)
      },
      end(connection) {
        told.calls.push('end')
        then.end?.(connection)
      },
      closed(connection, errno) {
        told.calls.push(`closed ${errno ?? ''}`.trimEnd())
        then.closed?.(connection, errno)
      },
    },
  }
  return told
}

/** A listener whose one connection is told about. */
function serve(kernel: LiveKernel, then: TcpEvents = {}, at: { address?: string; port: number } = { port: PORT }) {
  const told = telling(then)
  const listener = kernel.sockets.listenTcp(at, (connection) => {
    told.connection = connection
    told.calls.push('accepted')
    return told.events
  })
  return { told, listener }
}

interface Heard {
  readonly datagrams: { readonly from: Endpoint; readonly bytes: Uint8Array }[]
  readonly errors: UdpError[]
}

function bind(kernel: LiveKernel, at: { readonly address?: string; readonly port?: number } = {}) {
  const heard: Heard = { datagrams: [], errors: [] }
  const socket = kernel.sockets.bindUdp(at, {
    datagram: (from, bytes) => heard.datagrams.push({ from, bytes }),
    error: (error) => heard.errors.push(error),
  })
  return { socket, heard }
}

export const socketCases: readonly Case[] = [
  {
    title: 'a datagram arrives with who sent it, and is answered',
    async check(world) {
      const { node, container } = await join(world)
      const server = bind(container, { port: PORT })
      const client = bind(node, { address: NODE, port: 4001 })
      assert.deepEqual(server.socket.local, { address: '::', port: PORT })
      assert.deepEqual(client.socket.local, { address: NODE, port: 4001 })
      client.socket.send({ address: CONTAINER, port: PORT }, text('question'))
      await eventually(() => server.heard.datagrams.length === 1, 'it arrives')
      const [question] = server.heard.datagrams
      assert.deepEqual(question, { from: client.socket.local, bytes: text('question') })
      server.socket.send(question!.from, text('answer'))
      await eventually(() => client.heard.datagrams.length === 1, 'the answer arrives')
      assert.deepEqual(client.heard.datagrams, [{ from: { address: CONTAINER, port: PORT }, bytes: text('answer') }])
      server.socket.close()
      client.socket.close()
    },
  },
  {
    title: 'a datagram may be empty, and longer than the link takes at once',
    async check(world) {
      const { node, container } = await join(world)
      const server = bind(container, { port: PORT })
      const client = bind(node)
      const long = Uint8Array.from({ length: 5000 }, (_, i) => i * 7)
      for (const bytes of [new Uint8Array(0), long]) client.socket.send({ address: CONTAINER, port: PORT }, bytes)
      await eventually(() => server.heard.datagrams.length === 2, 'both arrive')
      assert.deepEqual(
        server.heard.datagrams.map(({ bytes }) => bytes),
        [new Uint8Array(0), long],
      )
      refused('EMSGSIZE', () => client.socket.send({ address: CONTAINER, port: PORT }, new Uint8Array(65_508)))
      server.socket.close()
      client.socket.close()
    },
  },
  {
    title: 'a port is taken on an address, or on all',
    async check(world) {
      const { node } = await join(world)
      node.addresses.add({ link: 'eth0', prefix: '10.1.0.3/24' })
      for (const open of [
        (at: { address?: string; port: number }) => bind(node, at).socket,
        (at: { address?: string; port: number }) => serve(node, {}, at).listener,
      ]) {
        const first = open({ address: NODE, port: PORT })
        const second = open({ address: '10.1.0.3', port: PORT })
        refused('EADDRINUSE', () => open({ address: NODE, port: PORT }))
        refused('EADDRINUSE', () => open({ port: PORT }))
        first.close()
        second.close()
        second.close()
        const all = open({ port: PORT })
        refused('EADDRINUSE', () => open({ address: NODE, port: PORT }))
        all.close()
      }
    },
  },
  {
    title: 'an address that is not ours is refused',
    async check(world) {
      const { node } = await join(world)
      refused('EADDRNOTAVAIL', () => bind(node, { address: CONTAINER }))
      refused('EADDRNOTAVAIL', () => serve(node, {}, { address: CONTAINER, port: PORT }))
      refused('EADDRNOTAVAIL', () =>
        node.sockets.connectTcp({ address: CONTAINER, port: PORT, source: '10.1.0.7' }, {}),
      )
    },
  },
  {
    title: 'where no port is asked for, one of ip_local_port_range is given',
    async check(world) {
      const { node, container } = await join(world)
      node.sysctl.set('net/ipv4/ip_local_port_range', '40000 40003')
      const inRange = (port: number) => assert.ok(port >= 40_000 && port <= 40_003, `port ${port}`)
      const sockets = Array.from({ length: 4 }, () => bind(node).socket)
      for (const { local } of sockets) inRange(local.port)
      assert.equal(new Set(sockets.map(({ local }) => local.port)).size, 4)
      refused('EADDRINUSE', () => bind(node))
      const { listener } = serve(node, {}, { port: 0 })
      inRange(listener.local.port)
      const server = serve(container)
      const connection = node.sockets.connectTcp({ address: CONTAINER, port: PORT }, {})
      inRange(connection.local.port)
      assert.notEqual(connection.local.port, listener.local.port)
      for (const each of [...sockets, listener, server.listener]) each.close()
      connection.abort()
    },
  },
  {
    title: 'a datagram that cannot be sent says why',
    async check(world) {
      const { node } = await join(world)
      const { socket } = bind(node)
      const to = (address: string, port = PORT) => socket.send({ address, port }, text('x'))
      refused('ENETUNREACH', () => to(NOWHERE))
      refused('EACCES', () => to('10.1.0.255'))
      refused('EINVAL', () => to(CONTAINER, 0))
      node.routes.add({ destination: '10.50.0.0/24', type: 'unreachable' })
      node.routes.add({ destination: '10.51.0.0/24', type: 'prohibit' })
      node.routes.add({ destination: '10.52.0.0/24', type: 'blackhole' })
      refused('EHOSTUNREACH', () => to('10.50.0.1'))
      refused('EACCES', () => to('10.51.0.1'))
      refused('EINVAL', () => to('10.52.0.1'))
      socket.close()
      refused('EBADF', () => to(CONTAINER))
    },
  },
  {
    title: 'an ICMP error about a datagram is told, with who sent it',
    async check(world) {
      const { node, container } = await join(world)
      const { socket, heard } = bind(node, { port: 4001 })
      const to = { address: CONTAINER, port: PORT }
      socket.send(to, text('x'))
      await eventually(() => heard.errors.length === 1, 'it is told that nobody listens')
      const type = IcmpType.destinationUnreachable
      const refusal = { errno: 'ECONNREFUSED', from: CONTAINER, type, code: UnreachableCode.port, mtu: 0, to }
      assert.deepEqual(heard.errors, [refusal])

      container.sysctl.set('net/ipv4/ip_forward', '1')
      container.routes.add({ destination: '10.50.0.0/24', type: 'prohibit' })
      node.routes.add({ destination: '10.50.0.0/24', gateway: CONTAINER })
      const beyond = { address: '10.50.0.1', port: 9 }
      socket.send(beyond, text('x'))
      await eventually(() => heard.errors.length === 2, 'it is told that it is prohibited')
      assert.deepEqual(heard.errors[1], {
        ...refusal,
        errno: 'EHOSTUNREACH',
        code: UnreachableCode.prohibited,
        to: beyond,
      })
      // It does not stand in the way of what is sent next.
      const server = bind(container, { port: PORT })
      socket.send(to, text('y'))
      await eventually(() => server.heard.datagrams.length === 1, 'the next arrives')
      server.socket.close()
      socket.close()
    },
  },
  {
    title: 'a datagram that is too long for a link on its way is told so, and what is sent then is cut up',
    async check(world) {
      const { node } = await join(world)
      await withFar(world, 1300, async (far) => {
        const server = bind(far, { port: PORT })
        const { socket, heard } = bind(node, { port: 4001 })
        const to = { address: FAR, port: PORT }
        const long = Uint8Array.from({ length: 1400 }, (_, i) => i)
        socket.send(to, long)
        await eventually(() => heard.errors.length === 1, 'it is told')
        const type = IcmpType.destinationUnreachable
        const code = UnreachableCode.fragmentationNeeded
        assert.deepEqual(heard.errors, [{ errno: 'EMSGSIZE', from: CONTAINER, type, code, mtu: 1300, to }])
        socket.send(to, long)
        await eventually(() => server.heard.datagrams.length === 1, 'the second one arrives')
        assert.deepEqual(server.heard.datagrams[0]!.bytes, long)
        server.socket.close()
        socket.close()
      })
    },
  },
  {
    title: 'a connection carries bytes both ways and ends',
    async check(world) {
      const { node, container } = await join(world)
      const { told: server, listener } = serve(container, {
        data(connection, bytes) {
          connection.write(text(`echo ${new TextDecoder().decode(bytes)}`))
          connection.end()
        },
      })
      assert.deepEqual(listener.local, { address: '::', port: PORT })
      const client = telling({
        established: (connection) => connection.write(text('hello')),
        end: (connection) => connection.end(),
      })
      const connection = node.sockets.connectTcp({ address: CONTAINER, port: PORT }, client.events)
      await eventually(() => client.calls.includes('closed') && server.calls.includes('closed'), 'both are closed')
      assert.deepEqual(client.calls, ['established', 'data', 'end', 'closed'])
      assert.deepEqual(server.calls, ['accepted', 'data', 'end', 'closed'])
      assert.deepEqual([server.received, client.received], ['hello', 'echo hello'])
      assert.deepEqual(connection.remote, { address: CONTAINER, port: PORT })
      assert.equal(connection.local.address, NODE)
      assert.deepEqual(server.connection?.remote, connection.local)
      assert.deepEqual(server.connection?.local, connection.remote)
      refused('EPIPE', () => connection.write(text('more')))
      listener.close()
    },
  },
  {
    title: 'many bytes come in their order',
    async check(world) {
      const { node, container } = await join(world)
      const sent = Array.from({ length: 40_000 }, (_, i) => `${i} `).join('')
      const { told: server, listener } = serve(container, { end: (connection) => connection.end() })
      const client = telling()
      const connection = node.sockets.connectTcp({ address: CONTAINER, port: PORT }, client.events)
      for (let at = 0; at < sent.length; at += 7001) connection.write(text(sent.slice(at, at + 7001)))
      connection.end()
      await eventually(() => client.calls.includes('closed'), 'it is closed')
      assert.equal(server.received.length, sent.length)
      assert.equal(server.received, sent)
      listener.close()
    },
  },
  {
    title: 'who has ended still hears the other side',
    async check(world) {
      const { node, container } = await join(world)
      const { told: server, listener } = serve(container)
      const client = telling()
      const connection = node.sockets.connectTcp({ address: CONTAINER, port: PORT }, client.events)
      connection.end()
      refused('EPIPE', () => connection.write(text('x')))
      await eventually(() => server.calls.includes('end'), 'the end is heard')
      server.connection!.write(text('late'))
      await eventually(() => client.received === 'late', 'it is heard')
      assert.ok(!client.calls.includes('end'))
      server.connection!.end()
      await eventually(() => client.calls.includes('closed'), 'it is closed')
      assert.deepEqual(server.calls, ['accepted', 'end', 'closed'])
      listener.close()
    },
  },
  {
    title: 'a connection to where nobody listens is refused',
    async check(world) {
      const { node, container } = await join(world)
      const { listener } = serve(container, {}, { address: '127.0.0.1', port: PORT })
      const client = telling()
      node.sockets.connectTcp({ address: CONTAINER, port: PORT }, client.events)
      await eventually(() => client.calls.length > 0, 'it is told')
      assert.deepEqual(client.calls, ['closed ECONNREFUSED'])
      listener.close()
    },
  },
  {
    title: 'a connection to where no route leads, or to many, is not begun',
    async check(world) {
      const { node } = await join(world)
      refused('ENETUNREACH', () => node.sockets.connectTcp({ address: NOWHERE, port: PORT }, {}))
      refused('ENETUNREACH', () => node.sockets.connectTcp({ address: '10.1.0.255', port: PORT }, {}))
    },
  },
  {
    title: 'a connection to a neighbour that does not answer fails',
    async check(world) {
      const { node } = await join(world)
      const client = telling()
      node.sockets.connectTcp({ address: '10.1.0.77', port: PORT }, client.events)
      await eventually(() => client.calls.length > 0, 'it is told')
      assert.deepEqual(client.calls, ['closed EHOSTUNREACH'])
    },
  },
  {
    title: 'a connection that is aborted is reset, and who did it hears nothing more',
    async check(world) {
      const { node, container } = await join(world)
      const { told: server, listener } = serve(container)
      const client = telling()
      const connection = node.sockets.connectTcp({ address: CONTAINER, port: PORT }, client.events)
      await eventually(() => server.calls.length === 1 && client.calls.length === 1, 'it is established')
      connection.abort()
      await eventually(() => server.calls.length === 2, 'the other side hears of it')
      assert.deepEqual(server.calls, ['accepted', 'closed ECONNRESET'])
      assert.deepEqual(client.calls, ['established'])
      refused('EPIPE', () => connection.write(text('x')))
      listener.close()
    },
  },
  {
    title: 'a connection has the source that it is told to, and no two have the same four',
    async check(world) {
      const { node, container } = await join(world)
      node.addresses.add({ link: 'eth0', prefix: '10.1.0.3/24' })
      const { told: server, listener } = serve(container)
      const from = { source: '10.1.0.3', sourcePort: 5000 }
      const connection = node.sockets.connectTcp({ address: CONTAINER, port: PORT, ...from }, {})
      assert.deepEqual(connection.local, { address: '10.1.0.3', port: 5000 })
      await eventually(() => server.connection !== undefined, 'it is accepted')
      assert.deepEqual(server.connection!.remote, { address: '10.1.0.3', port: 5000 })
      refused('EADDRNOTAVAIL', () => node.sockets.connectTcp({ address: CONTAINER, port: PORT, ...from }, {}))
      const other = serve(node, {}, { port: 5001 })
      refused('EADDRINUSE', () => node.sockets.connectTcp({ address: CONTAINER, port: PORT, sourcePort: 5001 }, {}))
      connection.abort()
      for (const each of [listener, other.listener]) each.close()
    },
  },
  {
    title: 'a listener that is closed takes no more connections, and keeps those that it has taken',
    async check(world) {
      const { node, container } = await join(world)
      const { told: server, listener } = serve(container)
      const client = telling()
      const connection = node.sockets.connectTcp({ address: CONTAINER, port: PORT }, client.events)
      await eventually(() => server.calls.length === 1, 'it is accepted')
      listener.close()
      listener.close()
      const late = telling()
      node.sockets.connectTcp({ address: CONTAINER, port: PORT }, late.events)
      await eventually(() => late.calls.length > 0, 'it is told')
      assert.deepEqual(late.calls, ['closed ECONNREFUSED'])
      connection.write(text('still here'))
      await eventually(() => server.received === 'still here', 'it is heard')
      connection.abort()
    },
  },
  {
    title: 'a connection goes on in shorter segments where a link on its way takes no longer ones',
    async check(world) {
      const { node } = await join(world)
      await withFar(world, 1300, async (far) => {
        const { told: server, listener } = serve(far, { end: (connection) => connection.end() })
        const client = telling()
        const connection = node.sockets.connectTcp({ address: FAR, port: PORT }, client.events)
        connection.write(new Uint8Array(6000).fill(0x78))
        connection.end()
        await eventually(() => client.calls.includes('closed'), 'it is closed')
        assert.equal(server.received, 'x'.repeat(6000))
        listener.close()
      })
    },
  },
]

/** Both ends of a link, with addresses. */
async function join(world: World): Promise<World> {
  const { node, container } = world
  node.links.add({ kind: 'veth', name: 'eth0', peer: { name: 'eth0', namespace: container } })
  for (const [kernel, address] of [
    [node, NODE],
    [container, CONTAINER],
  ] as const) {
    kernel.links.set('lo', { up: true })
    kernel.links.set('eth0', { up: true })
    kernel.addresses.add({ link: 'eth0', prefix: `${address}/24` })
  }
  for (const { links } of [node, container]) {
    await eventually(() => links.get('eth0')?.operState === 'up', 'the link is up')
  }
  return world
}

/** With a third namespace behind the container, which is a router then; the link to it takes `mtu` bytes. */
async function withFar(
  { node, container, prefix }: World,
  mtu: number,
  check: (far: LiveKernel) => Promise<void>,
): Promise<void> {
  const name = `${prefix}-far`
  const far = node.enter(node.namespaces.add(name))!
  try {
    container.links.add({ kind: 'veth', name: 'far', mtu, peer: { name: 'eth0', namespace: far } })
    for (const [kernel, link, address] of [
      [container, 'far', '10.2.0.1'],
      [far, 'eth0', FAR],
    ] as const) {
      kernel.links.set('lo', { up: true })
      kernel.links.set(link, { up: true })
      kernel.addresses.add({ link, prefix: `${address}/24` })
    }
    container.sysctl.set('net/ipv4/ip_forward', '1')
    node.routes.add({ destination: '10.2.0.0/24', gateway: CONTAINER })
    far.routes.add({ destination: '10.1.0.0/24', gateway: '10.2.0.1' })
    await eventually(() => far.links.get('eth0')?.operState === 'up', 'the link is up')
    await check(far)
  } finally {
    far.close()
    node.namespaces.delete(name)
  }
}
