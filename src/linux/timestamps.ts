/**
 * The kernel gives packets their times only while a socket wants them, and begins a while after the first does (a work item:
 * net_enable_timestamp, net/core/dev.c); until then a packet's time is that at which it is read. Who compares times or
 * orders keeps them on.
 */
import { sys } from '#sys'
import { succeed } from './errno.ts'

const AF_INET = 2
const SOCK_DGRAM = 2
const SOCK_CLOEXEC = 0o2000000
const SOL_SOCKET = 1
const SO_TIMESTAMPNS = 35

let isKept = false

/** For the life of the process. True when they were not kept before: give the kernel a moment. */
export function keepTimestamps(): boolean {
  if (isKept) return false
  const call = 'keep timestamps on'
  const socket = succeed(sys.socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), call)
  succeed(sys.setsockopt(socket, SOL_SOCKET, SO_TIMESTAMPNS, new Uint8Array(Int32Array.of(1).buffer)), call)
  isKept = true
  return true
}

const CLOCK_REALTIME = 0
const CLOCK_MONOTONIC = 1
const LOOKS = 10

/** Nanoseconds from CLOCK_MONOTONIC, which tracing counts by, to CLOCK_REALTIME, by which packets have their times. */
export function realtimeOffset(): bigint {
  const looks = Array.from({ length: LOOKS }, () => {
    const before = sys.clock(CLOCK_MONOTONIC)
    const realtime = sys.clock(CLOCK_REALTIME)
    const after = sys.clock(CLOCK_MONOTONIC)
    return { width: after - before, offset: realtime - (before + after) / 2n }
  })
  return looks.reduce((best, look) => (look.width < best.width ? look : best)).offset
}
