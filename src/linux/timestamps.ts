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
