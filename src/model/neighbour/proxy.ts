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

export class ProxiedAddresses {
  readonly #entries: ProxiedAddress[] = []

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
    }
    entry.router = router
    if (protocol !== 0) entry.protocol = protocol
  }

  /** KernelError ENOENT. */
  delete(device: Device, key: NeighbourKey): void {
    const entry = this.get(device, key)
    if (!entry) throw new KernelError('ENOENT', 'delete proxy neighbour')
    this.#entries.splice(this.#entries.indexOf(entry), 1)
  }

  /** pneigh_ifdown. */
  forget(device: Device): void {
    for (const entry of this.list(device)) this.delete(device, entry.key)
  }
}
