/** Addresses that are answered for, though they are not ours: `ip neigh add proxy`. Source: pneigh_*, net/core/neighbour.c. */
import { KernelError } from '../../kernel/errors.ts'
import type { Device } from '../device/device.ts'
import type { NeighbourKey } from '../neighbour.ts'

/** struct pneigh_entry. */
export interface ProxiedAddress {
  readonly device: Device
  readonly key: NeighbourKey
  router: boolean
  protocol: number
}

/** Told of what comes and goes: pconstructor and pdestructor of struct neigh_table. */
export interface ProxyListener {
  proxyAdded?(device: Device, key: NeighbourKey): void
  proxyDeleted?(device: Device, key: NeighbourKey): void
}

export class ProxiedAddresses {
  readonly #entries: ProxiedAddress[] = []
  readonly #listener: ProxyListener

  constructor(listener: ProxyListener) {
    this.#listener = listener
  }

  get(device: Device, key: NeighbourKey): ProxiedAddress | undefined {
    return this.#entries.find((entry) => entry.device === device && entry.key === key)
  }

  list(device?: Device): ProxiedAddress[] {
    return this.#entries.filter((entry) => !device || entry.device === device)
  }

  /** Adding one twice is no error: pneigh_create finds the first. */
  add(device: Device, key: NeighbourKey, { router = false, protocol = 0 } = {}): void {
    let entry = this.get(device, key)
    if (!entry) {
      entry = { device, key, router, protocol }
      this.#entries.push(entry)
      this.#listener.proxyAdded?.(device, key)
    }
    entry.router = router
    if (protocol !== 0) entry.protocol = protocol
  }

  /** KernelError ENOENT. */
  delete(device: Device, key: NeighbourKey): void {
    const entry = this.get(device, key)
    if (!entry) throw new KernelError('ENOENT', 'delete proxy neighbour')
    this.#entries.splice(this.#entries.indexOf(entry), 1)
    this.#listener.proxyDeleted?.(device, key)
  }

  /** pneigh_ifdown. */
  forget(device: Device): void {
    for (const entry of this.list(device)) this.delete(device, entry.key)
  }
}
