/**
 * The data path of the backend udp, in flannel's format: a datagram is one IPv4 packet and nothing else, at one port on
 * all nodes, and its TTL goes down by one at each end.
 *
 *                    transmit.ts                                              receive.ts
 *   TUN ──read──> route, TTL, cut.ts ──> batch.ts ──> sender.ts ~~ UDP ~~> inbox.ts ──> TTL, merge.ts ──writev──> TUN
 *                  │                                                        │
 *                  └─────────────────────── icmp.ts ────────────────────────┘
 *
 * Nearly all of the time goes into the kernel's handling of each piece that crosses a descriptor, so the pieces are
 * made large and few. The TUN device's offloads hand over TCP in pieces of up to 64 kB, which are cut here and leave as
 * trains; trains are received and merged. Between the nodes each packet is a datagram of its own, so flannel is at the
 * other end as well.
 *
 * One thread, which waits in poll(2) and nowhere else. The engine itself calls nobody but `DataPath`: src/cli/udp-worker.ts
 * gives it the kernel's, and its memory: arena.ts.
 */

import { type DataPath, Ready } from '../../kernel/data-path.ts'
import type { Arena } from './arena.ts'
import type { Sum } from './checksum.ts'
import { Counter } from './counters.ts'
import { IcmpSender } from './icmp.ts'
import { type EncodedRoutes, RouteTable, type UdpRoute } from './lookup.ts'
import { Receiver } from './receive.ts'
import { Transmitter } from './transmit.ts'

/** Between two looks at whether there is something else to do: some milliseconds, whatever the load. */
const ROUNDS = 32

export type Command =
  /** From now on these routes and no others. */
  { readonly kind: 'routes'; readonly routes: readonly UdpRoute[] | EncodedRoutes } | { readonly kind: 'stop' }

export interface EngineOptions {
  readonly arena: Arena
  /** Over the arena's bytes. */
  readonly sum: Sum
  readonly path: DataPath
  /** By Counter. */
  readonly counts: Float64Array
  /** Of every node. */
  readonly port: number
  /** Whether the TUN device takes super-packets of UDP. */
  readonly mergesUdp: boolean
  /** Milliseconds, from whenever. */
  readonly clock: () => number
  /** What has been asked for since it was called last; called when `wait` says Ready.control. */
  readonly commands: () => readonly Command[]
}

export class Engine {
  readonly #path: DataPath
  readonly #counts: Float64Array
  readonly #commands: () => readonly Command[]
  readonly #transmitter: Transmitter
  readonly #receiver: Receiver
  #routes = new RouteTable([])
  #isStopped = false

  constructor({ arena, sum, path, counts, port, mergesUdp, clock, commands }: EngineOptions) {
    this.#path = path
    this.#counts = counts
    this.#commands = commands
    const icmp = new IcmpSender(arena, sum, path, counts, clock)
    this.#transmitter = new Transmitter({ arena, sum, path, counts, icmp, port })
    this.#receiver = new Receiver({ arena, sum, path, counts, icmp, mergesUdp })
  }

  /** Comes back when it has been told to stop. Throws when the TUN device is gone. */
  run(): void {
    while (!this.#isStopped) this.turn()
  }

  /** Waits once, and does what there is to do. */
  turn(): void {
    const ready = this.#path.wait(this.#transmitter.blocked)
    this.#counts[Counter.polls]!++
    if (ready & Ready.control) for (const command of this.#commands()) this.#obey(command)
    if (ready & Ready.writable) this.#transmitter.resume()
    let [isTunReady, isSocketReady] = [(ready & Ready.tun) !== 0, (ready & Ready.socket) !== 0]
    for (let round = 0; round < ROUNDS && (isTunReady || isSocketReady) && !this.#isStopped; round++) {
      if (isTunReady) isTunReady = this.#transmitter.drain(this.#routes)
      if (isSocketReady) isSocketReady = this.#receiver.drain(this.#routes)
    }
  }

  #obey(command: Command): void {
    if (command.kind === 'stop') this.#isStopped = true
    else this.#routes = new RouteTable(command.routes)
  }
}
