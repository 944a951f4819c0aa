/** Connections of a namespace: `conntrack`. */

import type { Conntrack, ConntrackEntry } from '../../kernel/conntrack.ts'
import { KernelError } from '../../kernel/errors.ts'
import type { Namespace } from '../namespace.ts'

export class ModelConntrack implements Conntrack {
  readonly #namespace: Namespace

  constructor(namespace: Namespace) {
    this.#namespace = namespace
  }

  list(filter: Parameters<Conntrack['list']>[0] = {}): ConntrackEntry[] {
    return this.#namespace.conntrack.list(filter)
  }

  flush(): void {
    this.#namespace.conntrack.flush()
  }

  delete(entry: Parameters<Conntrack['delete']>[0]): void {
    const { source, destination } = entry.original
    if (!this.#namespace.conntrack.delete(entry)) {
      throw new KernelError('ENOENT', `delete the connection from "${source}" to "${destination}"`)
    }
  }
}
