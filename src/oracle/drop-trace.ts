/**
 * Where Linux drops packets, and why: the tracepoint skb:kfree_skb of a tracing instance of our own (Documentation/trace), with
 * the devices that a packet passed before: net:netif_receive_skb and net:net_dev_start_xmit. Root needed.
 *
 * The trace is of the whole machine and knows no namespaces. A drop is ours when the device before it saw the packet at a
 * time at which one of our captures did.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { realtimeOffset } from '../linux/timestamps.ts'
import { openTracefs, type Tracefs } from '../linux/tracefs.ts'
import type { Row } from './walk.ts'

export interface TracedDrop {
  readonly reason: string
  readonly function: string
  /** The row of the walk that saw the packet last. */
  readonly row: Row
}

/** Of everybody: a timer drops in whose turn it comes. */
const DROP = 'skb/kfree_skb'
/** Of ours alone, since a busy machine has many: what a veth receives is worked off by who sent it, or by ksoftirqd. */
const WAYS = ['skb/consume_skb', 'net/netif_receive_skb', 'net/net_dev_start_xmit']
/** Kilobytes for each processor: what some seconds of a busy machine bring. */
const BUFFER = 8192

/** Bytes of its header. */
const ETHERNET = 14

/** In a millisecond. */
const NANOSECONDS = 1e6

/** Milliseconds between what a capture and what the trace say of one frame: taps of one packet share a time. */
const APART = 0.1

interface DeviceEvent {
  /** Milliseconds, as the rows count them. */
  readonly time: number
  readonly device: string
  readonly dir: Row['dir']
  /** Bytes. What is received has lost its Ethernet header by then, where it had one. */
  readonly length: number
}

export class DropTrace {
  readonly #tracefs: Tracefs
  readonly #instance: string

  /** Error when there is no tracefs, and none can be mounted. */
  constructor() {
    this.#tracefs = openTracefs()
    const instances = join(this.#tracefs.path, 'instances')
    removeLeftOvers(instances)
    this.#instance = join(instances, `${prefix()}${process.pid}`)
    mkdirSync(this.#instance)
    this.#write('trace_clock', 'mono')
    this.#write('buffer_size_kb', String(BUFFER))
    const ours = `common_pid == ${process.pid} || comm ~ "ksoftirqd*"`
    for (const event of WAYS) this.#write(`events/${event}/filter`, ours)
    for (const event of [DROP, ...WAYS]) this.#write(`events/${event}/enable`, '1')
  }

  /** Forgets what was traced. */
  clear(): void {
    this.#write('trace', '')
  }

  /** The drops since `clear` of what the rows show, in their order. `start`: when the first row was, nanoseconds. */
  drops(rows: readonly Row[], start: bigint): TracedDrop[] {
    const offset = Number(realtimeOffset() - start) / NANOSECONDS
    return readDrops(readFileSync(join(this.#instance, 'trace'), 'utf8'), rows, offset)
  }

  close(): void {
    for (const event of [DROP, ...WAYS]) this.#write(`events/${event}/enable`, '0')
    rmdirSync(this.#instance)
    this.#tracefs.close()
  }

  #write(file: string, text: string): void {
    writeFileSync(join(this.#instance, file), text)
  }
}

/** Undefined where there is no tracefs for us: in a user namespace one is root, but not over that. */
export function openDropTrace(): DropTrace | undefined {
  try {
    return new DropTrace()
  } catch {
    return undefined
  }
}

/** Of instances whose names end in a process's number: numbers are those of a PID namespace. */
function prefix(): string {
  const [id] = /\d+/.exec(readlinkSync('/proc/self/ns/pid')) ?? []
  return `overlab-${id}-`
}

/** Tracing goes on for a process that was killed. */
function removeLeftOvers(instances: string): void {
  const own = prefix()
  const left = readdirSync(instances).filter(
    (name) => name.startsWith(own) && !existsSync(`/proc/${name.slice(own.length)}`),
  )
  for (const name of left) rmdirSync(join(instances, name))
}

/** `trace`: the file's text. `offset`: milliseconds from its times to those of the rows. */
export function readDrops(trace: string, rows: readonly Row[], offset: number): TracedDrop[] {
  const seen = new Map<string, DeviceEvent>()
  const drops: { readonly reason: string; readonly function: string; readonly before: DeviceEvent }[] = []
  for (const line of trace.split('\n')) {
    const [, seconds, event, rest = ''] = /\s(\d+\.\d+): (\w+): (.*)/.exec(line) ?? []
    const packet = /skbaddr=(\S+)/.exec(rest)?.[1]
    if (seconds === undefined || packet === undefined) continue
    const device = /dev=(\S+)/.exec(rest)?.[1]
    if (device !== undefined) {
      const dir = event === 'netif_receive_skb' ? 'in' : 'out'
      const length = Number(/ len=(\d+)/.exec(rest)?.[1])
      seen.set(packet, { time: Number(seconds) * 1000 + offset, device, dir, length })
      continue
    }
    const before = seen.get(packet)
    // Dropped or consumed, the memory is used again: the next packet there is another.
    seen.delete(packet)
    const [, name, reason] = /location=([\w.]+)\S* reason: (\w+)/.exec(rest) ?? []
    if (before && name !== undefined && reason !== undefined) drops.push({ reason, function: plainName(name), before })
  }
  return drops.flatMap(({ reason, function: name, before }) => {
    const row = nearest(before, rows)
    return row ? [{ reason, function: name, row }] : []
  })
}

/** A part of a function that the compiler has moved is still that function: `ip_rcv_core.part.0`. */
const plainName = (name: string) => name.replace(/\..*$/, '')

/** Devices of several namespaces have one name, and clocks that are set drift from each other: lengths help. */
function nearest({ time, device, dir, length }: DeviceEvent, rows: readonly Row[]): Row | undefined {
  const apart = (row: Row) => Math.abs(time - row.t)
  const isAsLong = ({ len }: Row) => len === length || (dir === 'in' && len === length + ETHERNET)
  return rows
    .filter((row) => deviceOf(row) === device && row.dir === dir && isAsLong(row) && apart(row) < APART)
    .sort((a, b) => apart(a) - apart(b))[0]
}

const deviceOf = ({ at }: Row) => at.slice(at.indexOf(':') + 1)
