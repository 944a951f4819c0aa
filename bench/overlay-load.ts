/** Measures the way between two places of test/linux/udp/network.ts by load.ts and ping(8). */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { run } from '../test/support/command.ts'
import type { Running } from './overlay-variants.ts'
import { median } from './statistics.ts'

export interface Way {
  /** Namespaces. */
  readonly from: string
  readonly to: string
  /** Of the far end. */
  readonly address: string
}

/** All of them NaN where they could not be measured. */
export interface Figures {
  /** Mb/s of payload. */
  readonly tcp1: number
  readonly tcp4: number
  /** Thousands of small packets a second that arrived. */
  readonly flood: number
  /** Thousands of small packets a second of which all but one in a hundred arrive; NaN where it was not measured. */
  readonly rate: number
  /** Round trip, µs. */
  readonly ping: number
  /** Seconds of CPU of both daemons for a GB of TCP. */
  readonly cpuPerGigabyte: number
  /** Microseconds of CPU of both daemons for a small packet that arrived. */
  readonly cpuPerPacket: number
}

export const noFigures: Figures = {
  tcp1: Number.NaN,
  tcp4: Number.NaN,
  flood: Number.NaN,
  rate: Number.NaN,
  ping: Number.NaN,
  cpuPerGigabyte: Number.NaN,
  cpuPerPacket: Number.NaN,
}

const LOAD = join(import.meta.dirname, 'load.ts')
const PAYLOAD = 64
const GIGABYTE = 1e9
const TCP_PORT = 7200
const UDP_PORT = 7300
/** Seconds that a sink waits for what is still on the way. */
const LONGER = 0.5
/** Answers of ping(8), 2 ms apart. */
const PINGS = 300
/** Each halves what the highest rate may be, on a scale of factors: to a twentieth. */
const STEPS = 6
/** Seconds of each. */
const STEP = 1

/** `seconds` of each load; with `searches`, the highest rate too. */
export async function measure(way: Way, running: Running, seconds: number, searches: boolean): Promise<Figures> {
  await transfer(way, 1, 0.3) // what is run often is compiled, and the way is known
  const [tcp, tcpCpu] = await withCpu(running, () => transfer(way, 1, seconds))
  const tcp4 = await transfer(way, 4, seconds)
  const [flood, floodCpu] = await withCpu(running, () => flooded(way, seconds))
  return {
    tcp1: (tcp.bytes * 8) / tcp.seconds / 1e6,
    tcp4: (tcp4.bytes * 8) / tcp4.seconds / 1e6,
    flood: flood.packets / flood.seconds / 1e3,
    rate: searches ? await highestRate(way) : Number.NaN,
    ping: ping(way), // last: by now what handles packets that come alone is compiled, too
    cpuPerGigabyte: tcpCpu / (tcp.bytes / GIGABYTE),
    cpuPerPacket: (floodCpu / flood.packets) * 1e6,
  }
}

async function withCpu<T>(running: Running, load: () => Promise<T>): Promise<[T, number]> {
  const before = running.cpu()
  const result = await load()
  return [result, running.cpu() - before]
}

interface Sunk {
  readonly bytes: number
  readonly packets: number
  readonly seconds: number
  /** Packets that the source says it sent. */
  readonly sent: number
}

/** All bytes of the streams, and the time of the longest. */
async function transfer(way: Way, streams: number, seconds: number): Promise<Sunk> {
  const all = await Promise.all(Array.from({ length: streams }, (_, i) => carry(way, 'tcp', TCP_PORT + i, seconds)))
  return {
    bytes: all.reduce((sum, { bytes }) => sum + bytes, 0),
    packets: 0,
    sent: 0,
    seconds: Math.max(...all.map((each) => each.seconds)),
  }
}

/** By halves, from the slowest that is thought of to the fastest; thousands a second. */
async function highestRate(way: Way): Promise<number> {
  let [good, bad, highest] = [5, 500, 0]
  for (let step = 0; step < STEPS; step++) {
    const rate = Math.sqrt(good * bad)
    const { packets, sent, seconds: passed } = await carry(way, 'udp', UDP_PORT, STEP, PAYLOAD, rate * 1000)
    if (packets < 0.99 * sent) bad = rate
    else {
      good = rate
      // The source may be slower than it is told to be.
      highest = Math.max(highest, packets / passed / 1000)
    }
  }
  return highest
}

/** For so many seconds: one stream, or small packets as fast as they go. */
export async function load(way: Way, protocol: 'tcp' | 'udp', seconds: number): Promise<void> {
  await (protocol === 'tcp' ? transfer(way, 1, seconds) : flooded(way, seconds))
}

const flooded = (way: Way, seconds: number) => carry(way, 'udp', UDP_PORT, seconds, PAYLOAD)

/** From one load.ts to another; answers what the sink says. `words` are the source's alone. */
async function carry(way: Way, protocol: string, port: number, seconds: number, ...words: number[]): Promise<Sunk> {
  const start = (namespace: string, mode: string, ...rest: number[]) => {
    const load = [process.execPath, LOAD, `${protocol}-${mode}`, way.address, ...[port, ...rest].map(String)]
    return spawn('ip', ['netns', 'exec', namespace, ...load], { stdio: ['ignore', 'pipe', 'inherit'] })
  }
  const sink = start(way.to, 'sink', seconds + LONGER)
  const lines = createInterface({ input: sink.stdout })[Symbol.asyncIterator]()
  if ((await lines.next()).value !== 'ready') throw new Error(`Cannot receive at ${way.address}, port ${port}`)
  const source = start(way.from, 'source', seconds, ...words)
  const sent = text(source.stdout)
  const { value } = await lines.next()
  if (typeof value !== 'string') throw new Error(`Cannot say what arrived at ${way.address}, port ${port}`)
  const { packets = 0 } = JSON.parse((await sent) || '{}') as { readonly packets?: number }
  return { ...JSON.parse(value), sent: packets } as Sunk
}

/** Median round trip, µs: a few are the scheduler's, and much longer. */
function ping({ from, address }: Way): number {
  const answers = run('ip', 'netns', 'exec', from, 'ping', '-i', '0.002', '-c', `${PINGS}`, address)
  const times = [...answers.matchAll(/time=([\d.]+) ms/g)].map(([, time]) => Number(time) * 1000)
  if (times.length === 0) throw new Error(`Cannot ping ${address} from ${from}`)
  return median(times)
}
