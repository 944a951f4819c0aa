/** Measures the way between two places of test/linux/udp/network.ts by load.ts and ping(8). */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { run } from '../test/support/command.ts'
import type { Running } from './overlay-variants.ts'

export interface Way {
  /** Namespaces. */
  readonly from: string
  readonly to: string
  /** Of the far end. */
  readonly address: string
}

export interface Figures {
  /** Mb/s of payload. */
  readonly tcp1: number
  readonly tcp4: number
  /** Thousands of small packets a second that arrived. */
  readonly flood: number
  /** Round trip, µs. */
  readonly ping: number
  /** Seconds of CPU of both daemons for a GB of TCP. */
  readonly cpuPerGigabyte: number
  /** Microseconds of CPU of both daemons for a small packet that arrived. */
  readonly cpuPerPacket: number
}

const LOAD = join(import.meta.dirname, 'load.ts')
const PAYLOAD = 64
const GIGABYTE = 1e9
/** Answers of ping(8), 2 ms apart. */
const PINGS = 300

export async function measure(way: Way, running: Running, seconds: number): Promise<Figures> {
  await transfer(way, 1, 0.3) // what is run often is compiled, and the way is known
  const rtt = ping(way)
  const [tcp, tcpCpu] = await withCpu(running, () => transfer(way, 1, seconds))
  const tcp4 = await transfer(way, 4, seconds)
  const [flood, floodCpu] = await withCpu(running, () => flooded(way, seconds))
  return {
    tcp1: (tcp.bytes * 8) / tcp.seconds / 1e6,
    tcp4: (tcp4.bytes * 8) / tcp4.seconds / 1e6,
    flood: flood.packets / flood.seconds / 1e3,
    ping: rtt,
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
}

/** All bytes of the streams, and the time of the longest. */
async function transfer(way: Way, streams: number, seconds: number): Promise<Sunk> {
  const all = await Promise.all(Array.from({ length: streams }, (_, i) => carry(way, 'tcp', 7200 + i, `${seconds}`)))
  return {
    bytes: all.reduce((sum, { bytes }) => sum + bytes, 0),
    packets: 0,
    seconds: Math.max(...all.map((each) => each.seconds)),
  }
}

const flooded = (way: Way, seconds: number) => carry(way, 'udp', 7300, `${seconds}`, `${PAYLOAD}`)

/** From one load.ts to another; answers what the sink says. */
async function carry({ from, to, address }: Way, protocol: string, port: number, ...words: string[]): Promise<Sunk> {
  const start = (namespace: string, mode: string) =>
    spawn(
      'ip',
      ['netns', 'exec', namespace, process.execPath, LOAD, `${protocol}-${mode}`, address, `${port}`, ...words],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    )
  const sink = start(to, 'sink')
  const lines = createInterface({ input: sink.stdout })[Symbol.asyncIterator]()
  if ((await lines.next()).value !== 'ready') throw new Error(`Cannot receive at ${address}, port ${port}`)
  const source = start(from, 'source')
  const ended = once(source, 'exit')
  const { value } = await lines.next()
  await ended
  if (typeof value !== 'string') throw new Error(`Cannot say what arrived at ${address}, port ${port}`)
  return JSON.parse(value) as Sunk
}

/** Average round trip, µs. */
function ping({ from, address }: Way): number {
  const words = ['ping', '-q', '-i', '0.002', '-c', `${PINGS}`, address]
  const [, average] = /= [\d.]+\/([\d.]+)\//.exec(run('ip', 'netns', 'exec', from, ...words)) ?? []
  if (!average) throw new Error(`Cannot ping ${address} from ${from}`)
  return Number(average) * 1000
}
