/** TUN and TAP devices that a program has open: /dev/net/tun. Source: tun_set_iff, drivers/net/tun.c. */
import { KernelError } from '../../kernel/errors.ts'
import type { Tun as TunHandle, Tuns } from '../../kernel/live.ts'
import { Tun } from '../device/tun.ts'
import type { Namespace } from '../namespace.ts'
import { freeName } from './link-name.ts'
import { newTun } from './new-link.ts'
import { unregisterDevices } from './register.ts'

export class ModelTuns implements Tuns {
  readonly #namespace: Namespace

  constructor(namespace: Namespace) {
    this.#namespace = namespace
  }

  open(name: string, mode: 'tun' | 'tap', onPacket: (packet: Uint8Array) => void): TunHandle {
    const call = `open ${mode} device "${name}"`
    const there = this.#namespace.devices.get(name)
    if (there && !(there instanceof Tun && there.mode === mode)) throw new KernelError('EINVAL', call)
    const tun = there ?? newTun(this.#namespace, { mode }, freeName(this.#namespace, name, call))
    const queue = tun.open(onPacket)
    let open = true
    this.#namespace.model.settle()
    return {
      name: tun.name,
      write: (packet) => queue.write(packet),
      close: () => {
        if (!open) return
        open = false
        queue.close()
        if (!tun.persistent) unregisterDevices([tun])
        tun.namespace.model.settle()
      },
    }
  }
}
