/** Routes as numbers, until somebody asks for them: see fib-table.ts. */
import type { RouteType } from '../../kernel/route.ts'
import type { Device } from '../device/device.ts'
import type { Devices } from '../namespace.ts'
import { PackedTable } from '../packed-table.ts'
import { type FibRoute, newHop, newRoute, RtScope } from './fib-route.ts'

/** A record: the destination, gateway, source, metric, the device's index, and the rest in bits. */
const Column = { destination: 0, gateway: 1, source: 2, metric: 3, device: 4, bits: 5 } as const
const WIDTH = 6

/** Those that have a next hop. */
const TYPES: readonly RouteType[] = ['unicast', 'local', 'broadcast', 'anycast', 'multicast']
const HOP_SCOPES: readonly number[] = [RtScope.universe, RtScope.site, RtScope.link, RtScope.host, RtScope.nowhere]

/** Where in the bits each stands; the highest is always set. */
const TYPE_AT = 6
const HOP_SCOPE_AT = 9
const ONLINK_AT = 12
const SCOPE_AT = 13
const PROTOCOL_AT = 21
const USED = 1 << 29

export class SleepingRoutes {
  readonly #table: number
  readonly #devices: Devices
  /** Undefined while there has been none. */
  #routes: PackedTable | undefined = undefined

  constructor(table: number, devices: Devices) {
    this.#table = table
    this.#devices = devices
  }

  has(destination: number, length: number): boolean {
    return this.#find(destination, length) >= 0
  }

  /** The same as waking it, but it sleeps on. */
  find(destination: number, length: number): FibRoute | undefined {
    const place = this.#find(destination, length)
    return place < 0 ? undefined : this.#route(place)
  }

  wake(destination: number, length: number): FibRoute | undefined {
    const place = this.#find(destination, length)
    if (place < 0) return undefined
    const route = this.#route(place)
    this.#routes!.remove(place)
    return route
  }

  /** Of one device, or all. */
  wakeAll(device?: Device): FibRoute[] {
    const routes = this.#routes
    if (routes === undefined || routes.size === 0) return []
    const woken: FibRoute[] = []
    for (const place of routes.places().reverse()) {
      if (device !== undefined && routes.get(place, Column.device) !== device.index) continue
      woken.push(this.#route(place))
      routes.remove(place)
    }
    return woken
  }

  /** Whether it is one of those that can. */
  take(route: FibRoute): boolean {
    const { destination, length, type, scope, tos, metric, protocol, source, metrics, hops, dead, linkdown } = route
    const [hop] = hops
    if (hop === undefined || hops.length > 1 || tos !== 0 || metrics !== undefined || dead || linkdown) return false
    const { device, gateway, gateway6, weight, onlink } = hop
    const typeNumber = TYPES.indexOf(type)
    const hopScope = HOP_SCOPES.indexOf(hop.scope)
    const isPlain = gateway6 === undefined && weight === 1 && !hop.dead && !hop.linkdown
    if (!isPlain || typeNumber < 0 || hopScope < 0 || this.#devices.at(device.index) !== device) return false
    const bits =
      length |
      (typeNumber << TYPE_AT) |
      (hopScope << HOP_SCOPE_AT) |
      ((onlink ? 1 : 0) << ONLINK_AT) |
      (scope << SCOPE_AT) |
      (protocol << PROTOCOL_AT) |
      USED
    this.#routes ??= new PackedTable(WIDTH)
    this.#routes.add([destination | 0, gateway | 0, source | 0, metric | 0, device.index, bits])
    return true
  }

  #find(destination: number, length: number): number {
    const routes = this.#routes
    if (routes === undefined) return -1
    const key = destination | 0
    let place = routes.first(key)
    while (place >= 0 && (routes.get(place, Column.bits) & 63) !== length) place = routes.next(key, place)
    return place
  }

  #route(place: number): FibRoute {
    const routes = this.#routes!
    const bits = routes.get(place, Column.bits)
    const unsigned = (column: number) => routes.get(place, column) >>> 0
    const hop = newHop(
      { gateway: unsigned(Column.gateway), onlink: ((bits >> ONLINK_AT) & 1) === 1 },
      this.#devices.at(routes.get(place, Column.device))!,
      HOP_SCOPES[(bits >> HOP_SCOPE_AT) & 7]!,
      false,
    )
    return newRoute(
      {
        destination: unsigned(Column.destination),
        length: bits & 63,
        table: this.#table,
        type: TYPES[(bits >> TYPE_AT) & 7]!,
        scope: (bits >> SCOPE_AT) & 255,
        tos: 0,
        metric: unsigned(Column.metric),
        protocol: (bits >> PROTOCOL_AT) & 255,
        source: unsigned(Column.source),
        metrics: undefined,
      },
      [hop],
    )
  }
}
