/**
 * Permanent neighbours as numbers, until somebody asks for them: a node of a large cluster has one for each other node, and
 * speaks with few.
 */
import type { Device } from '../device/device.ts'
import { macHead, macTail } from '../device/ethernet.ts'
import { PackedTable } from '../packed-table.ts'

/** A record: the address, the MAC's last four bytes, and its first two with the protocol before them. */
const WIDTH = 3
const PROTOCOL_AT = 16
const USED = 1 << 24

export class SleepingNeighbours {
  readonly #byDevice = new Map<Device, PackedTable>()

  /** Nobody has this address yet. */
  add(device: Device, address: number, mac: Uint8Array, protocol: number): void {
    let table = this.#byDevice.get(device)
    if (!table) {
      table = new PackedTable(WIDTH)
      this.#byDevice.set(device, table)
    }
    table.add([address | 0, macTail(mac), macHead(mac) | ((protocol & 255) << PROTOCOL_AT) | USED])
  }

  /** It sleeps no more. */
  take(device: Device, address: number): { readonly mac: Uint8Array; readonly protocol: number } | undefined {
    const table = this.#byDevice.get(device)
    const place = table?.first(address | 0) ?? -1
    if (table === undefined || place < 0) return undefined
    const tail = table.get(place, 1)
    const bits = table.get(place, 2)
    table.remove(place)
    const mac = Uint8Array.of(bits >>> 8, bits, tail >>> 24, tail >>> 16, tail >>> 8, tail)
    return { mac, protocol: (bits >>> PROTOCOL_AT) & 255 }
  }

  /** Of one device, or of all. */
  list(only?: Device): [device: Device, address: number][] {
    return [...this.#byDevice].flatMap(([device, table]) =>
      only === undefined || only === device
        ? table.places().map((place): [Device, number] => [device, table.get(place, 0)])
        : [],
    )
  }
}
