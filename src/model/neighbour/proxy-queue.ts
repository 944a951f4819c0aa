/**
 * Questions that a proxy does not answer at once, so that those may answer first who have the address: pneigh_enqueue and
 * neigh_proxy_process, net/core/neighbour.c.
 */
import type { Timer } from '../clock.ts'
import type { Device } from '../device/device.ts'
import type { Namespace } from '../namespace.ts'
import { drop, note } from '../observer.ts'
import type { Packet } from '../packet.ts'

/** Settings count hundredths of a second. */
const HUNDREDTH = 10_000

export interface ProxyDelay {
  /** Of net/ipv4/neigh and net/ipv6/neigh. */
  readonly proxy_delay: number
  readonly proxy_qlen: number
}

/** `kernel`: the function that the kernel's trace names where too many wait, since pneigh_enqueue is none of its own there. */
export interface Asker {
  readonly stage: 'arp' | 'nd'
  readonly kernel: string
}

export class ProxyQueue {
  readonly #namespace: Namespace
  readonly #waiting = new Map<Packet, Timer>()

  constructor(namespace: Namespace) {
    this.#namespace = namespace
  }

  enqueue(packet: Packet, { proxy_delay, proxy_qlen }: ProxyDelay, { stage, kernel }: Asker, answer: () => void): void {
    const { device } = packet
    const { clock, random } = this.#namespace.model
    const length = this.#lengthAt(device)
    if (length > proxy_qlen) {
      drop(packet, 'NOT_SPECIFIED', kernel, { own: 'OVL_PROXY_QUEUE', what: `${length} questions wait already` })
      return
    }
    if (packet.journey) note(packet, device, stage, 'answered later, as a proxy', { kernel: 'pneigh_enqueue' })
    const timer = clock.after(random.below('proxyDelay', proxy_delay * HUNDREDTH), () => {
      this.#waiting.delete(packet)
      answer()
    })
    this.#waiting.set(packet, timer)
  }

  /** pneigh_queue_purge: with a device that goes down all questions of its namespace are gone. */
  purge(): void {
    for (const [packet, timer] of this.#waiting) {
      this.#namespace.model.clock.cancel(timer)
      drop(packet, 'NOT_SPECIFIED', 'pneigh_queue_purge', {
        own: 'OVL_LINK_DOWN',
        what: 'a link of this host went down before it was answered',
      })
    }
    this.#waiting.clear()
  }

  #lengthAt(device: Device): number {
    let length = 0
    for (const packet of this.#waiting.keys()) if (packet.device === device) length++
    return length
  }
}
