/** Names of links, as whoever calls the kernel has them. */
import { KernelError } from '../../kernel/errors.ts'
import type { Device } from '../device/device.ts'
import type { Namespace } from '../namespace.ts'

/** The device, or KernelError ENODEV. `call` completes "Cannot …". */
export function requireDevice(namespace: Namespace, name: string, call: string): Device {
  const device = namespace.devices.get(name)
  if (!device) throw new KernelError('ENODEV', call, `there is no link "${name}"`)
  return device
}
