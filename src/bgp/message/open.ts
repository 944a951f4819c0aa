/**
 * OPEN: RFC 4271 §4.2; capabilities: RFC 5492 §4; parameters of more than 255 octets: RFC 9072 §2.
 *
 *   | version (1) | my AS (2) | hold time (2) | BGP identifier (4) | parameters length (1) | parameters |
 *   parameter: | type (1) | length (1) | value |
 *
 *   | … | 255 (1) | 255 (1) | parameters length (2) | parameters |     where these have lengths of two octets
 *
 * What depends on the peer that was expected (its AS, our own identifier, capabilities that are required) is not known here.
 */
import { layout, u16 as layoutU16, u32 as layoutU32, u8 } from '../../wire/layout.ts'
import { AS_TRANS } from '../attribute/as-path.ts'
import type { BgpId } from '../bgp-id.ts'
import { type Capability, capability, decodeCapabilities, encodeCapability } from '../capability/capabilities.ts'
import { BgpError, ErrorCode, OpenError, UNSPECIFIC } from '../errors.ts'
import { joined, ofU16, u16 } from '../octets.ts'
import { encodeMessage, HEADER_LENGTH, MessageType } from './header.ts'

export interface Open {
  /** All four octets: of the capability where there is one, else of the field. */
  readonly as: number
  /** Seconds; 0: no timer, never 1 or 2. */
  readonly holdTime: number
  /** Not 0. */
  readonly id: BgpId
  /** In the order of the message. */
  readonly capabilities: readonly Capability[]
}

const VERSION = 4
const MIN_HOLD_TIME = 3
const CAPABILITIES = 2
const EXTENDED = 255

const fixed = layout('OPEN', { version: u8, as: layoutU16, holdTime: layoutU16, id: layoutU32, parametersLength: u8 })

/** `message` has passed checkHeader. Throws BgpError 2/0 to 2/6, checked in the order of RFC 4271 §6.2. */
export function decodeOpen(message: Uint8Array): Open {
  const body = message.subarray(HEADER_LENGTH)
  const { version, as: field, holdTime, id, parametersLength } = fixed.decode(body)
  if (version !== VERSION) {
    throw openError(OpenError.unsupportedVersionNumber, `version ${version}`, ofU16(VERSION))
  }
  const capabilities = decodeParameters(body.subarray(fixed.size), parametersLength)
  const as = capability(capabilities, 'four-octet-as') ?? field
  if (as === 0) throw openError(OpenError.badPeerAs, 'AS 0 is nobody (RFC 7607)')
  if (holdTime > 0 && holdTime < MIN_HOLD_TIME) {
    throw openError(OpenError.unacceptableHoldTime, `hold time ${holdTime} s`)
  }
  if (id === 0) throw openError(OpenError.badBgpIdentifier, 'identifier 0.0.0.0')
  return { as, holdTime, id, capabilities }
}

/** `bytes` is all behind the octet that says how long the parameters are. */
function decodeParameters(bytes: Uint8Array, length: number): Capability[] {
  // "If the one-octet 'Optional Parameters Length' field is non-zero, a BGP speaker MUST use the value of the octet following"
  const extended = length > 0 && bytes[0] === EXTENDED
  if (extended && bytes.length < 3) throw openError(UNSPECIFIC, 'extended parameters without a length')
  const parameters = bytes.subarray(extended ? 3 : 0)
  const said = extended ? u16(bytes, 1) : length
  if (said !== parameters.length) {
    throw openError(UNSPECIFIC, `${parameters.length} octets of parameters, where ${said} are announced`)
  }
  const capabilities: Capability[] = []
  const head = extended ? 3 : 2
  for (let at = 0; at < parameters.length; ) {
    if (at + head > parameters.length) throw openError(UNSPECIFIC, 'a parameter without a length')
    const end = at + head + (extended ? u16(parameters, at + 1) : parameters[at + 1]!)
    if (end > parameters.length) throw openError(UNSPECIFIC, `parameter ${parameters[at]} runs past the message`)
    if (parameters[at] !== CAPABILITIES) {
      throw openError(OpenError.unsupportedOptionalParameter, `parameter ${parameters[at]}`)
    }
    capabilities.push(...decodeCapabilities(parameters.subarray(at + head, end)))
    at = end
  }
  return capabilities
}

/**
 * All capabilities in one parameter, as RFC 5492 §4 wants; in RFC 9072's form when that is necessary and no sooner. The
 * capability of four-octet AS numbers is the caller's to list.
 */
export function encodeOpen({ as, holdTime, id, capabilities }: Open): Uint8Array {
  const list = joined(capabilities.map(encodeCapability))
  const extended = list.length + 2 > 255
  const parameter = extended
    ? [Uint8Array.of(CAPABILITIES), ofU16(list.length), list]
    : [Uint8Array.of(CAPABILITIES, list.length), list]
  const parameters = list.length > 0 ? joined(parameter) : list
  const body = fixed.encode({
    version: VERSION,
    as: as > 0xffff ? AS_TRANS : as,
    holdTime,
    id,
    parametersLength: extended ? EXTENDED : parameters.length,
  })
  const extension = extended ? [Uint8Array.of(EXTENDED), ofU16(parameters.length)] : []
  return encodeMessage(MessageType.open, joined([body, ...extension, parameters]))
}

function openError(subcode: number, reason: string, data?: Uint8Array): BgpError {
  return new BgpError(ErrorCode.openMessage, subcode, reason, data)
}
