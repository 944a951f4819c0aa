/**
 * What every transport of BGP must do: the one in memory, and that of sockets on both kernels, run this list.
 *
 * Each case begins with two hosts on one link, that have an address of either family.
 */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import {
  type Connection,
  type ConnectionEvents,
  type Listener,
  PLAIN,
  type SocketOptions,
  type Target,
  type Transport,
} from '../../src/bgp/transport.ts'

export const HOSTS = { a: ['10.1.0.1', 'fd01::1'], b: ['10.1.0.2', 'fd01::2'] } as const
/** The prefix that holds both, by family. */
const PREFIXES = ['10.1.0.0/24', 'fd01::/64'] as const
const PORT = 1790

export interface TransportWorld {
  readonly a: Transport
  readonly b: Transport
  /** Asks until it is so, while time passes. */
  eventually(holds: () => boolean, what: string): Promise<void>
  tearDown(): void
}

/** A host's transport, which knows whether a call of it is going on. */
class Host {
  readonly #transport: Transport
  #calls = 0

  constructor(transport: Transport) {
    this.#transport = transport
  }

  /** Nothing may be told before it returns. */
  within<T>(call: () => T): T {
    this.#calls++
    try {
      return call()
    } finally {
      this.#calls--
    }
  }

  isTold(): void {
    assert.equal(this.#calls, 0, 'it is told within a call')
  }

  connect(target: Target): Ear {
    const ear = new Ear(this)
    ear.connection = this.within(() => this.#transport.connect(target, ear))
    return ear
  }

  listen(address: string | undefined, wants: (connection: Connection) => boolean = () => true): Served {
    const ears: Ear[] = []
    const listener = this.#transport.listen({ address, port: PORT }, (connection) => {
      this.isTold()
      if (!wants(connection)) return undefined
      const ear = new Ear(this)
      ear.connection = connection
      ears.push(ear)
      return ear
    })
    return { ears, listener }
  }
}

interface Served {
  readonly ears: readonly Ear[]
  readonly listener: Listener
}

/** One end of a connection, and what it has been told: octets as one string, or as `data` when they are many. */
class Ear implements ConnectionEvents {
  readonly told: string[] = []
  octets = 0
  longest = 0
  connection!: Connection
  onReceived: () => void = () => {}
  readonly #host: Host

  constructor(host: Host) {
    this.#host = host
  }

  get text(): string {
    return this.told.filter((each) => each !== 'connected' && each !== 'taken').join('')
  }

  get isClosed(): boolean {
    return this.told.at(-1)?.startsWith('closed: ') ?? false
  }

  connected(): void {
    this.#tell('connected')
  }

  received(octets: Uint8Array): void {
    this.octets += octets.length
    this.longest = Math.max(this.longest, octets.length)
    this.#tell(octets.length < 100 ? new TextDecoder().decode(octets) : 'data ')
    this.onReceived()
  }

  taken(): void {
    if (this.told.at(-1) !== 'taken') this.#tell('taken')
  }

  closed(why: string): void {
    this.#tell(`closed: ${why}`)
  }

  send(what: string | number): void {
    const octets = typeof what === 'string' ? new TextEncoder().encode(what) : new Uint8Array(what).fill(what)
    this.#host.within(() => this.connection.send(octets))
  }

  pause(): void {
    this.#host.within(() => this.connection.pause())
  }

  resume(): void {
    this.#host.within(() => this.connection.resume())
  }

  close(): void {
    this.#host.within(() => this.connection.close())
  }

  #tell(what: string): void {
    this.#host.isTold()
    assert.ok(!this.isClosed, `"${what}" is told after the end`)
    this.told.push(what)
  }
}

interface Stage {
  readonly a: Host
  readonly b: Host
  readonly eventually: TransportWorld['eventually']
  /** Addresses of the family. */
  readonly ours: string
  readonly theirs: string
  readonly prefix: string
  /** Of a connection to b. */
  target(options?: Partial<Target>): Target
  /** A connection of a to b that is accepted. */
  join(served: Served, options?: Partial<Target>): Promise<{ readonly caller: Ear; readonly called: Ear }>
}

/** More than all buffers between the two take, so that some of it is a backlog. */
const MUCH = { pieces: 120, of: 100_000 }
const WITH_TTL: SocketOptions = { ...PLAIN, ttl: 255, minTtl: 255 }
const WITH_PASSWORD: SocketOptions = { ...PLAIN, md5: 'sesame' }

const cases: Readonly<Record<string, (stage: Stage) => Promise<void>>> = {
  async 'a connection carries octets both ways, and the last thing heard is the end'({ b, eventually, join }) {
    const { caller, called } = await join(b.listen(undefined))
    caller.send('one ')
    caller.send('two ')
    await eventually(() => called.text === 'one two ', 'it is heard')
    called.send('three')
    await eventually(() => caller.text === 'three', 'it is heard')
    caller.send('last ')
    caller.close()
    caller.close()
    await eventually(() => called.isClosed, 'the end is heard')
    assert.equal(called.text, 'one two last closed: closed by the peer')
    called.send('late')
    called.close()
    assert.deepEqual(caller.told, ['connected', 'three'])
  },

  async 'both ends know both addresses'({ b, ours, theirs, join }) {
    const { caller, called } = await join(b.listen(theirs), { localAddress: ours })
    assert.deepEqual(caller.connection.remote, { address: theirs, port: PORT })
    assert.equal(called.connection.remote.address, ours)
    const { remote, local } = called.connection
    assert.deepEqual([remote, local], [caller.connection.local, caller.connection.remote])
  },

  async 'where nobody listens a connection is refused; those that were accepted live on'({
    a,
    b,
    target,
    eventually,
    join,
  }) {
    const served = b.listen(undefined)
    const { caller, called } = await join(served)
    served.listener.close()
    const late = a.connect(target())
    await eventually(() => late.isClosed, 'it is told')
    assert.deepEqual(late.told, ['closed: connection refused'])
    caller.send('still here')
    await eventually(() => called.text === 'still here', 'it is heard')
  },

  async 'who listens on one address is not found at another'({ a, b, theirs, target, eventually }) {
    b.listen(HOSTS.b.find((address) => address !== theirs))
    const ear = a.connect(target())
    await eventually(() => ear.isClosed, 'it is told')
    assert.deepEqual(ear.told, ['closed: connection refused'])
  },

  async 'a connection that is not wanted is closed without a word'({ a, b, ours, target, eventually }) {
    const asked: string[] = []
    const { ears } = b.listen(undefined, ({ remote }) => {
      asked.push(remote.address)
      return false
    })
    const ear = a.connect(target())
    await eventually(() => ear.isClosed, 'it is closed')
    // By FIN: who has said something meanwhile has not failed to.
    const ends = [['connected', 'closed: closed by the peer'], ['closed: connection refused']]
    assert.ok(
      ends.some((told) => told.join() === ear.told.join()),
      ear.told.join(),
    )
    assert.deepEqual([asked, ears.length, ear.octets], [[ours], 0, 0])
  },

  async 'an attempt that is given up is heard of no more'({ a, b, target, eventually, join }) {
    const served = b.listen(undefined)
    const ear = a.connect(target())
    ear.close()
    const { called } = await join(served)
    await eventually(() => served.ears.every((each) => each === called || each.isClosed), 'the other side knows')
    assert.deepEqual([ear.told, called.isClosed], [[], false])
  },

  async 'much comes in pieces of 64 KiB at most; what finds no room is a backlog, and is taken'({
    b,
    eventually,
    join,
  }) {
    const { caller, called } = await join(b.listen(undefined))
    called.pause()
    for (let i = 0; i < MUCH.pieces; i++) caller.send(MUCH.of)
    assert.ok(caller.connection.backlog > 0)
    called.resume()
    await eventually(() => called.octets === MUCH.pieces * MUCH.of, 'all of it arrives')
    await eventually(() => caller.connection.backlog === 0 && caller.told.includes('taken'), 'it is taken')
    assert.ok(called.longest <= 65_536, `a piece of ${called.longest}`)
  },

  async 'after pause() nothing is received, not even the rest of what has come'({ b, eventually, join }) {
    const served = b.listen(undefined)
    const { caller, called } = await join(served)
    let pieces = 0
    called.onReceived = () => {
      pieces++
      called.pause()
    }
    caller.send(400_000)
    for (let piece = 1; called.octets < 400_000; piece++) {
      await eventually(() => pieces === piece, 'a piece is received')
      const heard = called.octets
      const other = await join(served)
      other.caller.send('x')
      await eventually(() => other.called.text === 'x', 'time has passed')
      assert.deepEqual([pieces, called.octets], [piece, heard])
      called.resume()
    }
  },

  async 'the end comes behind what a reader who paused has not read'({ b, eventually, join }) {
    const served = b.listen(undefined)
    const { caller, called } = await join(served)
    called.pause()
    caller.send('last words ')
    caller.close()
    const other = await join(served)
    other.caller.send('x')
    await eventually(() => other.called.text === 'x', 'time has passed')
    assert.deepEqual(called.told, [])
    called.resume()
    await eventually(() => called.isClosed, 'the end is heard')
    assert.equal(called.text, 'last words closed: closed by the peer')
  },

  async 'what was sent before close() goes out, though the other side had spoken and is slow'({ b, eventually, join }) {
    const { caller, called } = await join(b.listen(undefined))
    caller.pause()
    called.send(50_000)
    called.pause()
    for (let i = 0; i < 20; i++) caller.send(MUCH.of)
    caller.close()
    called.resume()
    await eventually(() => called.isClosed, 'the end is heard')
    assert.deepEqual([called.octets, called.told.at(-1)], [20 * MUCH.of, 'closed: closed by the peer'])
    assert.equal(caller.octets, 0)
  },

  async 'both sides have the same password, or there is no connection'({ a, b, ours, target, join }) {
    const served = b.listen(undefined)
    const forget = served.listener.allow(ours, WITH_PASSWORD)
    const strangers = [a.connect(target()), a.connect(target({ md5: 'Sesame' }))]
    await join(served, WITH_PASSWORD)
    assert.equal(served.ears.length, 1)
    // Another password, and then none, on the same listener.
    const forgetOther = served.listener.allow(ours, { ...PLAIN, md5: 'other' })
    forget()
    strangers.push(a.connect(target(WITH_PASSWORD)))
    await join(served, { md5: 'other' })
    forgetOther()
    forgetOther()
    strangers.push(a.connect(target(WITH_PASSWORD)))
    await join(served)
    assert.equal(served.ears.length, 3)
    for (const { told } of strangers) assert.deepEqual(told, [])
    for (const each of strangers) each.close()
  },

  async 'of prefixes and addresses the longest counts, also where it asks for no password'({
    a,
    b,
    ours,
    prefix,
    target,
    join,
  }) {
    const served = b.listen(undefined)
    served.listener.allow(prefix, WITH_PASSWORD)
    await join(served, WITH_PASSWORD)
    const forget = served.listener.allow(ours, PLAIN)
    const stranger = a.connect(target(WITH_PASSWORD))
    await join(served)
    forget()
    await join(served, WITH_PASSWORD)
    assert.deepEqual([served.ears.length, stranger.told], [3, []])
    stranger.close()
  },

  async 'who comes from too far away is not accepted, whether others may or not'({ a, b, ours, target, join }) {
    const served = b.listen(undefined)
    const forget = served.listener.allow(ours, WITH_TTL)
    const far = a.connect(target({ ttl: 254 }))
    await join(served, WITH_TTL)
    served.listener.allow('192.0.2.0/24', PLAIN)
    const next = a.connect(target({ ttl: 254 }))
    await join(served, WITH_TTL)
    assert.deepEqual([served.ears.length, far.octets, next.octets], [2, 0, 0])
    far.close()
    next.close()
    forget()
    await join(served)
  },
}

export function bgpTransportContract(name: string, setUp: () => TransportWorld | Promise<TransportWorld>): void {
  for (const [title, check] of Object.entries(cases)) {
    for (const [family, index] of [
      ['IPv4', 0],
      ['IPv6', 1],
    ] as const) {
      test(`${name}, ${family}: ${title}`, async () => {
        const world = await setUp()
        try {
          await check(stageOf(world, index))
        } finally {
          world.tearDown()
        }
      })
    }
  }
}

function stageOf(world: TransportWorld, index: 0 | 1): Stage {
  const [a, b] = [new Host(world.a), new Host(world.b)]
  const eventually: Stage['eventually'] = (holds, what) => world.eventually(holds, what)
  const target: Stage['target'] = (options) => ({
    ...PLAIN,
    localAddress: undefined,
    remote: { address: HOSTS.b[index], port: PORT },
    ...options,
  })
  return {
    a,
    b,
    eventually,
    ours: HOSTS.a[index],
    theirs: HOSTS.b[index],
    prefix: PREFIXES[index],
    target,
    async join({ ears }, options) {
      const caller = a.connect(target(options))
      const called = () => ears.find(({ connection }) => connection.remote.port === caller.connection.local?.port)
      await eventually(() => caller.isClosed || (caller.told.length > 0 && called() !== undefined), 'it is accepted')
      assert.deepEqual(caller.told, ['connected'])
      return { caller, called: called()! }
    },
  }
}
