/** What was seen at the watched taps, as rows of a golden walk. */
import { familyOf, formatIp } from '../address/ip.ts'
import type { CapturedPacket, LiveKernel, Subscription } from '../kernel/live.ts'
import { toHex } from '../trace/hex.ts'

export interface Row {
  /** Milliseconds since the first frame. */
  readonly t: number
  /** `namespace:device`. */
  readonly at: string
  readonly dir: 'in' | 'out'
  readonly len: number
  readonly hex: string
  /** Of a golden row: the times allowed, milliseconds behind the frame that caused it. */
  readonly window?: readonly [number, number]
}

export interface Expectation {
  readonly reason?: string
  readonly function?: string
  readonly disposition?: 'delivered' | 'unsupported'
  /** What is not modelled. */
  readonly thing?: string
  readonly at: string
}

export interface Walk {
  readonly id: string
  readonly obs: readonly Row[]
  readonly expect?: Expectation | readonly Expectation[]
  readonly result?: string
}

interface Seen {
  readonly time: bigint
  readonly at: string
  readonly packet: CapturedPacket
}

export interface Recording {
  /** How many frames have been seen. */
  readonly count: number
  /** Nanoseconds since the epoch: when the first frame of `rows` was seen. */
  readonly start: bigint
  /** The frames in the order of their times, without those that a scenario is not about. No more are taken from now on. */
  rows(show: readonly string[]): Row[]
  close(): void
}

/** Captures at `watch` from now on. */
export function record(
  watch: readonly string[],
  kernelOf: (namespace: string) => LiveKernel,
  copied = false,
): Recording {
  const seen: Seen[] = []
  const links = Map.groupBy(watch.map(splitPlace), ([namespace]) => namespace)
  // One for all links of a namespace: each costs the kernel a grace period.
  const captures: Subscription[] = [...links].map(([namespace, places]) => {
    const watched = new Set(places.map(([, link]) => link))
    return kernelOf(namespace).packets.capture({ copied }, (packet) => {
      if (watched.has(packet.link)) seen.push({ time: packet.time, at: `${namespace}:${packet.link}`, packet })
    })
  })
  let start = 0n
  const close = () => {
    for (const capture of captures) capture.close()
  }
  return {
    get count() {
      return seen.length
    },
    get start() {
      return start
    },
    close,
    rows(show) {
      close()
      const kept = seen
        .filter(({ packet }) => !isBackground(packet.bytes, show))
        .sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0))
      start = kept[0]?.time ?? 0n
      return kept.map(({ time, at, packet }) => ({
        t: Number(time - start) / 1e6,
        at,
        dir: packet.packetType === 'outgoing' ? 'out' : 'in',
        len: packet.length,
        hex: toHex(packet.bytes),
      }))
    },
  }
}

/** `n1:flannel.1`: a device's name has no colon. */
export function splitPlace(place: string): [namespace: string, link: string] {
  const colon = place.indexOf(':')
  return [place.slice(0, colon), place.slice(colon + 1)]
}

const ETHER_TYPE = 12
const PAYLOAD = 14

/** What hosts say on their own: ARP and ND that nobody asked to see, router solicitations, listener reports, IGMP. */
export function isBackground(frame: Uint8Array, show: readonly string[]): boolean {
  const etherType = (frame[ETHER_TYPE]! << 8) | frame[ETHER_TYPE + 1]!
  const shown = (...addresses: Uint8Array[]) =>
    addresses.some((address) => show.some((start) => formatIp(address).startsWith(start)))
  if (etherType === 0x0806) return !shown(frame.subarray(28, 32), frame.subarray(38, 42))
  if (etherType === 0x0800) return frame[PAYLOAD + 9] === 2
  if (etherType !== 0x86dd) return false
  return isIpv6Background(frame.subarray(PAYLOAD), shown)
}

function isIpv6Background(packet: Uint8Array, shown: (...addresses: Uint8Array[]) => boolean): boolean {
  const hopByHop = packet[6] === 0
  const next = hopByHop ? packet[40]! : packet[6]!
  const at = hopByHop ? 40 + 8 * (packet[41]! + 1) : 40
  if (next !== 58) return false
  const type = packet[at]!
  if (type === 143 || (type >= 130 && type <= 134) || type === 137) return true
  if (type !== 135 && type !== 136) return false
  const target = packet.subarray(at + 8, at + 24)
  return familyOf(target) === 'ipv6' && !shown(target, packet.subarray(8, 24))
}
