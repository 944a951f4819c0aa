/**
 * The capabilities of an OPEN: RFC 5492. A list, since a code may occur several times (multiprotocol does, once per family):
 *
 *   | code (1) | length (1) | data |
 *
 * What is not in the table, or does not fit its definition, is kept as `other`: it is ignored, but peers' OPENs are shown.
 */
import { BgpError, ErrorCode, UNSPECIFIC } from '../errors.ts'
import { hex, joined } from '../octets.ts'
import { addPath } from './add-path.ts'
import type { CapabilityCodec } from './capability.ts'
import { extendedMessage } from './extended-message.ts'
import { extendedNextHop } from './extended-next-hop.ts'
import { fourOctetAs } from './four-octet-as.ts'
import { fqdn } from './fqdn.ts'
import { gracefulRestart } from './graceful-restart.ts'
import { longLivedGracefulRestart } from './long-lived-graceful-restart.ts'
import { multiprotocol } from './multiprotocol.ts'
import { role } from './role.ts'
import { ciscoRouteRefresh, enhancedRouteRefresh, routeRefresh } from './route-refresh.ts'
import { softwareVersion } from './software-version.ts'

export const capabilityTable = {
  multiprotocol,
  'route-refresh': routeRefresh,
  'extended-next-hop': extendedNextHop,
  'extended-message': extendedMessage,
  role,
  'graceful-restart': gracefulRestart,
  'four-octet-as': fourOctetAs,
  'add-path': addPath,
  'enhanced-route-refresh': enhancedRouteRefresh,
  'long-lived-graceful-restart': longLivedGracefulRestart,
  fqdn,
  'software-version': softwareVersion,
  'cisco-route-refresh': ciscoRouteRefresh,
} as const

type Table = typeof capabilityTable
export type CapabilityName = keyof Table
export type CapabilityValue<N extends CapabilityName> = Table[N] extends CapabilityCodec<infer T> ? T : never

export interface OtherCapability {
  readonly name: 'other'
  readonly code: number
  readonly data: Uint8Array
}

export type Capability =
  | { readonly [N in CapabilityName]: { readonly name: N; readonly value: CapabilityValue<N> } }[CapabilityName]
  | OtherCapability

const NAME_OF_CODE: ReadonlyMap<number, CapabilityName> = new Map(
  (Object.keys(capabilityTable) as CapabilityName[]).map((name) => [capabilityTable[name].code, name]),
)

/** The data of a capabilities parameter. Throws BgpError 2/0 when a capability does not end within them. */
export function decodeCapabilities(data: Uint8Array): Capability[] {
  const capabilities: Capability[] = []
  for (let at = 0; at < data.length; ) {
    const end = at + 2 + data[at + 1]!
    if (!(end <= data.length)) {
      throw new BgpError(ErrorCode.openMessage, UNSPECIFIC, `capability ${data[at]} runs past its parameter`)
    }
    capabilities.push(decodeCapability(data[at]!, data.subarray(at + 2, end)))
    at = end
  }
  return capabilities
}

function decodeCapability(code: number, data: Uint8Array): Capability {
  const name = NAME_OF_CODE.get(code)
  const value = name && capabilityTable[name].decode(data)
  return value === undefined ? { name: 'other', code, data: data.slice() } : ({ name, value } as Capability)
}

/** With code and length. Throws RangeError for more than 255 octets of data. */
export function encodeCapability(capability: Capability): Uint8Array {
  const { code } = capability.name === 'other' ? capability : capabilityTable[capability.name]
  const data = capability.name === 'other' ? capability.data : codecOf(capability.name).encode(capability.value)
  if (data.length > 255)
    throw new RangeError(`Cannot encode capability ${code}: its ${data.length} octets are too many`)
  return joined([Uint8Array.of(code, data.length), data])
}

/** `graceful-restart 120 s, ipv4 unicast`. */
export function formatCapability(capability: Capability): string {
  if (capability.name === 'other') return `capability ${capability.code} ${hex(capability.data)}`.trimEnd()
  return `${capability.name} ${codecOf(capability.name).show(capability.value)}`.trimEnd()
}

/** The row of a name that goes with its value, which TypeScript cannot follow through a union. */
function codecOf(name: CapabilityName): CapabilityCodec<unknown> {
  return capabilityTable[name] as CapabilityCodec<unknown>
}

/** The value of the first capability of this name. */
export function capability<N extends CapabilityName>(
  list: readonly Capability[],
  name: N,
): CapabilityValue<N> | undefined {
  return allOf(list, name)[0]
}

/** The values of all capabilities of this name. */
export function allOf<N extends CapabilityName>(list: readonly Capability[], name: N): CapabilityValue<N>[] {
  return list.flatMap((each) => (each.name === name ? [each.value as CapabilityValue<N>] : []))
}
