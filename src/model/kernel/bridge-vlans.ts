/** VLANs of bridges are not modelled: answers are those of a kernel without VLAN filtering. */
import { KernelError } from '../../kernel/errors.ts'
import type { BridgeVlan, BridgeVlans } from '../../kernel/link.ts'
import type { Namespace } from '../namespace.ts'
import { requireDevice } from './require.ts'

export class ModelBridgeVlans implements BridgeVlans {
  readonly #namespace: Namespace

  constructor(namespace: Namespace) {
    this.#namespace = namespace
  }

  list(link: string): BridgeVlan[] {
    return this.#refuse(link, `list VLANs of "${link}"`)
  }

  add(link: string): void {
    this.#refuse(link, `add VLANs to "${link}"`)
  }

  /** It is in none. */
  delete(link: string): void {
    requireDevice(this.#namespace, link, `delete VLANs from "${link}"`)
  }

  #refuse(link: string, call: string): never {
    requireDevice(this.#namespace, link, call)
    throw new KernelError('EOPNOTSUPP', call, 'not modelled: VLAN filtering')
  }
}
