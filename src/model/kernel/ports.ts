/** What a bridge knows of the link: its port, if it is one. */
import { BridgePort } from '../device/bridge-port.ts'
import type { Device } from '../device/device.ts'

export function portOf(device: Device): BridgePort | undefined {
  return device.bridgePort instanceof BridgePort ? device.bridgePort : undefined
}
