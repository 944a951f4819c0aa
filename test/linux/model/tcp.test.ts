/**
 * TCP of the model beside that of Linux: random segments to a listener, a request, a SYN, a connection, and what remains of
 * one.
 */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { afterAll, beforeAll, test } from 'vitest'
import type { Route } from '../../../src/kernel/route.ts'
import type { TcpConnection, TcpEvents } from '../../../src/kernel/socket.ts'
import { ModelKernel } from '../../../src/model/create.ts'
import { decodeEthernet, EtherType, encodeEthernet } from '../../../src/wire/ethernet.ts'
import { decodeIpv4, encodeIpv4, IpProtocol } from '../../../src/wire/ipv4.ts'
import { decodeOptions } from '../../../src/wire/options.ts'
import { decodeTcp, encodeTcp, TcpFlag } from '../../../src/wire/tcp.ts'
import { eventually } from '../../contract/kernel/case.ts'
import { BothKernels, fromHex, type Rig } from './both-kernels.ts'

const both = new BothKernels('host', 'peer')
const HOST = '10.9.0.2'
const PEER = '10.9.0.66'
const ROUTE = '10.9.0.0/24'
const HOST_MAC = '02:00:00:00:00:0b'
const PEER_MAC = '02:00:00:00:00:66'
const SERVER = 8080
const FIRST = 1000

beforeAll(async () => {
  await both.pair('peer:e0', '02:00:00:00:00:0a', 'host:e0', HOST_MAC)
  both.each(({ host }) => {
    host!.addresses.add({ link: 'e0', prefix: `${HOST}/24` })
    host!.neighbours.add({ link: 'e0', address: PEER, mac: PEER_MAC })
    // Real time passes there, the model's stands still: nothing is to be sent again, and nothing left out for being too often.
    host!.sysctl.set('net/ipv4/tcp_rto_min_us', '60000000')
    host!.sysctl.set('net/ipv4/tcp_early_retrans', '0')
    host!.sysctl.set('net/ipv4/tcp_invalid_ratelimit', '0')
    host!.sysctl.set('net/ipv4/tcp_congestion_control', 'reno')
  })
})
afterAll(() => both.close())

/** Numbers are counted from the first byte of each side. */
const segment = fc.record({
  kind: fc.constant('segment' as const),
  flags: fc.constantFrom('A', 'A', 'A', 'A', 'PA', 'FA', 'FA', 'S', 'SA', 'R', 'RA', '', 'F', 'SF', 'FPA'),
  sequence: fc.constantFrom(0, 0, 0, 1, 2, 3, 4, 5, 7, 9, -1, -2, -100, 100, 64_230, 64_240, 64_241, 70_000, 1_000_000),
  ack: fc.constantFrom(0, 0, 0, 1, 1, 1, 2, -1, 50, -100_000, 100_000),
  length: fc.constantFrom(0, 0, 0, 1, 2, 3, 5),
})
const action = fc.constantFrom({ kind: 'end' as const }, { kind: 'abort' as const })
const step = fc.oneof({ weight: 9, arbitrary: segment }, { weight: 1, arbitrary: action })
const story = fc.record({
  /** A handshake first, or what comes comes to the request, to the listener, or to the SYN of one that connects. */
  begin: fc.constantFrom('connection', 'connection', 'connection', 'request', 'listener', 'SYN'),
  options: fc.constantFrom('020405b4', '020405b401010402'),
  steps: fc.array(step, { minLength: 1, maxLength: 12, size: 'max' }),
})

interface Said {
  readonly flags: string
  readonly sequence: number
  readonly ack: number
  readonly length: number
  readonly options?: string
}

/** What is said, or what the host does: its application, or somebody who takes its route away. */
type Step = (Said & { readonly kind: 'segment' }) | { readonly kind: 'end' | 'abort' | 'lose the route' }

interface Story {
  readonly begin: 'connection' | 'request' | 'listener' | 'SYN'
  /** Of the SYN. */
  readonly options: string
  readonly steps: readonly Step[]
}

const says = (flags: string, sequence: number, ack: number, length = 0, options = ''): Step => ({
  kind: 'segment',
  flags,
  sequence,
  ack,
  length,
  options,
})
const MSS = '020405b4'
/** The peer's clock, and what it says that it heard of the host's. */
const timestamps = (value: number, echo: number) =>
  `0101080a${[value, echo].map((each) => each.toString(16).padStart(8, '0')).join('')}`

/** What chance seldom comes to. */
const stories: readonly [title: string, story: Story][] = [
  [
    'what remains of a connection answers what comes again, and ends with a reset',
    {
      begin: 'connection',
      options: MSS,
      steps: [
        { kind: 'end' },
        says('A', 0, 1),
        says('FA', 0, 1),
        says('FA', 0, 1),
        says('A', 1, 1),
        says('RA', 1, 1),
        says('A', 1, 1),
      ],
    },
  ],
  [
    'a SYN that comes again is answered again, and a reset ends the request',
    { begin: 'request', options: MSS, steps: [says('S', -1, 0), says('R', 0, 0), says('A', 0, 0)] },
  ],
  [
    'who goes on after the end is reset',
    { begin: 'connection', options: MSS, steps: [says('FA', 0, 0), says('PA', 0, 0, 5), says('A', 1, 0)] },
  ],
  [
    'what is older than what has come is not taken',
    {
      begin: 'connection',
      options: `${MSS}${timestamps(1000, 0)}`,
      steps: [says('PA', 0, 0, 1, timestamps(1001, 0)), says('PA', 1, 0, 1, timestamps(900, 0))],
    },
  ],
  [
    'an echo of a time that has not been is no answer to a SYN',
    { begin: 'SYN', options: MSS, steps: [says('SA', -1, 0, 0, `${MSS}${timestamps(1000, 1)}`)] },
  ],
  [
    'nobody is answered where no route leads',
    {
      begin: 'connection',
      options: MSS,
      steps: [says('PA', 0, 0, 1), { kind: 'lose the route' }, says('PA', 1, 0, 1), says('PA', 1, 0, 1)],
    },
  ],
  [
    'nor is one who begins',
    { begin: 'listener', options: MSS, steps: [{ kind: 'lose the route' }, says('S', -1, 0, 0, MSS)] },
  ],
]

let port = 10_000

test('the same is answered, and the application hears the same', { timeout: 300_000 }, async () => {
  await fc.assert(fc.asyncProperty(story, play), { numRuns: 60, seed: Number(process.env.SEED ?? 9293) })
})

test.each(stories)('%s', (_, told) => play(told))

async function play(told: Story): Promise<void> {
  port++
  const [linux, model] = [new Run(both.linux, port), new Run(both.model, port)]
  for (const run of [linux, model]) told.begin === 'SYN' ? run.connect() : run.listen()
  try {
    const say = async (said: Said) => {
      for (const run of [linux, model]) run.say(said)
      await hear(linux, model, told.begin === 'SYN')
    }
    if (told.begin === 'SYN') await hear(linux, model, told.begin === 'SYN')
    else if (told.begin !== 'listener')
      await say({ flags: 'S', sequence: -1, ack: 0, length: 0, options: told.options })
    if (told.begin === 'connection') {
      await say({ flags: 'A', sequence: 0, ack: 0, length: 0, options: echoOf(told.options) })
      await eventually(() => linux.connection !== undefined, 'Linux accepts')
    }
    // What waits for an answer is said again after a second of Linux's time.
    const steps = told.begin === 'connection' ? told.steps : told.steps.slice(0, 4)
    for (const each of steps) {
      // Two that open at once are not modelled.
      if (each.kind === 'segment')
        await say(told.begin === 'SYN' ? { ...each, flags: each.flags.replace(/^S.*/, 'SA') } : each)
      else {
        for (const run of [linux, model]) run.act(each.kind)
        await hear(linux, model, told.begin === 'SYN')
      }
    }
    await eventually(() => `${linux.calls}` === `${model.calls}`, `${linux.calls} is ${model.calls}`)
  } finally {
    for (const run of [linux, model]) run.close()
  }
}

/** Who offers timestamps says them from then on. */
const echoOf = (options: string) => (options.slice(MSS.length).startsWith('0101080a') ? timestamps(1000, 0) : '')

/** Both have answered, and the same. Linux takes its time to acknowledge a FIN, 40 ms. */
async function hear(linux: Run, model: Run, isOpening: boolean): Promise<void> {
  const heard = { linux: [] as string[], model: [] as string[] }
  for (let attempt = 0; attempt < 4; attempt++) {
    const more = await both.take()
    heard.linux.push(...linux.read(more.linux))
    heard.model.push(...model.read(more.model))
    if ((attempt > 0 || !isOpening) && heard.linux.length >= heard.model.length) break
    // A SYN goes out again two milliseconds after an answer that was none.
    model.passMilliseconds(3)
  }
  assert.deepEqual(heard.model, heard.linux)
}

/** One kernel's side of a story. */
class Run {
  readonly calls: string[] = []
  connection: TcpConnection | undefined = undefined
  readonly #rig: Rig
  readonly #port: number
  /** Initial sequence number of the host, once it is known. */
  #iss = 0
  #listener: { close(): void } | undefined = undefined
  #lost: Route | undefined = undefined

  constructor(rig: Rig, own: number) {
    this.#rig = rig
    this.#port = own
  }

  listen(): void {
    this.#listener = this.#rig.host!.sockets.listenTcp({ address: HOST, port: SERVER }, (connection) => {
      this.connection = connection
      this.calls.push('accepted')
      return this.#events
    })
  }

  connect(): void {
    const to = { address: PEER, port: this.#port, sourcePort: SERVER }
    this.connection = this.#rig.host!.sockets.connectTcp(to, this.#events)
  }

  /** Of the model's time; Linux's passes. */
  passMilliseconds(count: number): void {
    const { host } = this.#rig
    if (host instanceof ModelKernel) host.model.advance(count * 1000)
  }

  get #events(): TcpEvents {
    return {
      established: () => this.calls.push('established'),
      data: (_, bytes) => this.calls.push(...Array.from(bytes, String)),
      end: () => this.calls.push('end'),
      closed: (_, errno) => this.calls.push(`closed ${errno}`),
    }
  }

  act(kind: 'end' | 'abort' | 'lose the route'): void {
    if (kind !== 'lose the route') this.connection?.[kind]()
    else {
      const { routes } = this.#rig.host!
      this.#lost = routes.list().find(({ destination }) => destination === ROUTE)
      routes.delete(this.#lost!)
    }
  }

  close(): void {
    if (this.#lost) this.#rig.host!.routes.add(this.#lost)
    this.connection?.abort()
    this.#listener?.close()
  }

  say({ flags, sequence, ack, length, options = '' }: Said): void {
    const start = FIRST + 1 + sequence
    const bytes = encodeTcp(
      {
        sourcePort: this.#port,
        destinationPort: SERVER,
        sequence: start >>> 0,
        acknowledgment: flags.includes('A') ? (this.#iss + 1 + ack) >>> 0 : 0,
        flags: Object.entries(LETTERS).reduce((bits, [letter, bit]) => bits | (flags.includes(letter) ? bit : 0), 0),
        window: 1000,
        urgentPointer: 0,
        options: decodeOptions('TCP', fromHex(options), 20),
        payload: Uint8Array.from({ length }, (_, i) => start + i),
      },
      { source: PEER, destination: HOST },
    )
    const packet = encodeIpv4({
      tos: 0,
      identification: 7,
      dontFragment: true,
      moreFragments: false,
      fragmentOffset: 0,
      ttl: 64,
      protocol: IpProtocol.tcp,
      source: PEER,
      destination: HOST,
      options: [],
      payload: bytes,
    })
    this.#rig.peer!.packets.send(
      'e0',
      encodeEthernet({ destination: HOST_MAC, source: PEER_MAC, tags: [], etherType: EtherType.ipv4, payload: packet }),
    )
  }

  /** What the host said to this port, out of the rows of all captures. */
  read(rows: readonly string[]): string[] {
    return rows.flatMap((row) => {
      const [at, type, hex] = row.split(' ')
      if (at !== 'peer:e0' || type === 'outgoing') return []
      const ethernet = decodeEthernet(fromHex(hex!))
      if (ethernet.etherType !== EtherType.ipv4) return []
      const { payload, identification, dontFragment, tos, ttl } = decodeIpv4(ethernet.payload)
      const tcp = decodeTcp(payload)
      if (tcp.destinationPort !== this.#port) return []
      const flags = Object.entries(LETTERS)
        .filter(([, bit]) => tcp.flags & bit)
        .map(([letter]) => letter)
        .join('')
      // A new connection begins somewhere else; one that follows upon another right behind it.
      if (tcp.flags & TcpFlag.syn && Math.abs((tcp.sequence - this.#iss) | 0) > 100_000) this.#iss = tcp.sequence
      const isOurs = tcp.sequence !== 0 && this.#iss !== 0
      const sequence = isOurs ? (tcp.sequence - this.#iss) | 0 : tcp.sequence
      const written = Buffer.from(payload.subarray(20, payload.length - tcp.payload.length)).toString('hex')
      // A SYN of our own has a timestamp, which is random.
      const options = written.replace(/(080a)[0-9a-f]{8}/, '$1')
      const ip = `id ${identification === 0 ? 0 : 'n'}${dontFragment ? ' DF' : ''} tos ${tos} ttl ${ttl}`
      return `${flags} seq ${sequence} ack ${tcp.acknowledgment} win ${tcp.window} ${options} ${tcp.payload.length}, ${ip}`
    })
  }
}

const LETTERS = { F: TcpFlag.fin, S: TcpFlag.syn, R: TcpFlag.rst, P: TcpFlag.psh, A: TcpFlag.ack }
