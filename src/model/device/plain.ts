/**
 * Devices that lead nowhere. A dummy's frames are gone once captures have seen them: drivers/net/dummy.c. An ifb passes on only
 * what traffic control redirected to it, which is not modelled: drivers/net/ifb.c.
 */
import { KernelError } from '../../kernel/errors.ts'
import type { Namespace } from '../namespace.ts'
import { drop } from '../observer.ts'
import type { Packet } from '../packet.ts'
import { Device, type DeviceOptions } from './device.ts'

export class Dummy extends Device {
  constructor(namespace: Namespace, options: Omit<DeviceOptions, 'kind'>) {
    super(namespace, { ...options, kind: 'dummy' })
    this.noArp = true
    this.minMtu = 0
    this.maxMtu = 0
  }

  override send(packet: Packet): void {
    drop(packet, 'NOT_SPECIFIED', 'dummy_xmit', { own: 'OVL_DUMMY', what: `${this.name} is a dummy: it leads nowhere` })
  }
}

export class Ifb extends Device {
  protected override readonly defaultQdisc = 'pfifo_fast'

  constructor(namespace: Namespace, options: Omit<DeviceOptions, 'kind'>) {
    super(namespace, { txQueueLength: 32, ...options, kind: 'ifb' })
    this.noArp = true
    this.minMtu = 0
    this.maxMtu = 0
  }

  override setMac(): void {
    throw new KernelError('EOPNOTSUPP', `set the address of "${this.name}"`)
  }

  override send(packet: Packet): void {
    this.statistics.rxDropped++
    drop(packet, 'NOT_SPECIFIED', 'ifb_xmit', { own: 'OVL_IFB', what: `${this.name} takes redirected frames only` })
  }
}
