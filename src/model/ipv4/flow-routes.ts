/**
 * Routes that flows were given, for as long as nothing changes that they depend on: Fib.generation counts what does. One
 * packet of a flow is like the next, and what the lookup, the check of its source and the settings say of the first they say of
 * all. A flow that falls into another's slot takes it.
 */
import type { Device } from '../device/device.ts'
import type { Ipv4Route } from './route.ts'

const SLOTS = 256

interface FlowRoute {
  readonly device: Device
  /** Signed. */
  readonly source: number
  readonly destination: number
  readonly tos: number
  readonly generation: number
  readonly route: Ipv4Route
}

export class FlowRoutes {
  /** Empty until the first flow comes: most namespaces never see one. */
  #slots: (FlowRoute | undefined)[] = []

  find(device: Device, source: number, destination: number, tos: number, generation: number): Ipv4Route | undefined {
    const flow = this.#slots[slotOf(source, destination)]
    if (
      flow !== undefined &&
      flow.destination === destination &&
      flow.source === source &&
      flow.generation === generation &&
      flow.device === device &&
      flow.tos === tos
    ) {
      return flow.route
    }
    return undefined
  }

  set(device: Device, source: number, destination: number, tos: number, generation: number, route: Ipv4Route): void {
    if (this.#slots.length === 0) this.#slots = new Array(SLOTS).fill(undefined)
    this.#slots[slotOf(source, destination)] = { device, source, destination, tos, generation, route }
  }
}

function slotOf(source: number, destination: number): number {
  return Math.imul(source ^ Math.imul(destination, 0x9e3779b1), 0x85ebca6b) >>> 24
}
