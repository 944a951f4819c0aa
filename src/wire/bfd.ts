/**
 * BFD Control packets: RFC 5880 §4.1. They travel in UDP: RFC 5881 §4 (single hop), RFC 5883 §5 (multihop).
 *
 *    0                   1                   2                   3
 *    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |Vers |  Diag   |Sta|P|F|C|A|D|M|  Detect Mult  |    Length     |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                       My Discriminator                        |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                      Your Discriminator                       |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                    Desired Min TX Interval                    |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                   Required Min RX Interval                    |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                 Required Min Echo RX Interval                 |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *
 *   with A, §4.1:   | auth type (1) | auth length (1) | data |
 *
 * Whatever §6.8.6 wants discarded because of the packet alone is a DecodeError here. What depends on the session is not known.
 */
import { DecodeError } from './errors.ts'
import { layout, u8, u32 } from './layout.ts'

export const BFD_SINGLE_HOP_PORT = 3784
export const BFD_MULTIHOP_PORT = 4784

/** By their numbers in the field Sta. */
export const BFD_STATES = ['AdminDown', 'Down', 'Init', 'Up'] as const
export type BfdState = (typeof BFD_STATES)[number]

/** Why the state of the sender changed last: IANA "BFD Diagnostic Codes". */
export const BfdDiagnostic = {
  none: 0,
  controlDetectionTimeExpired: 1,
  echoFunctionFailed: 2,
  neighborSignaledSessionDown: 3,
  forwardingPlaneReset: 4,
  pathDown: 5,
  concatenatedPathDown: 6,
  administrativelyDown: 7,
  reverseConcatenatedPathDown: 8,
} as const

const DIAGNOSTICS = [
  'no diagnostic',
  'control detection time expired',
  'echo function failed',
  'neighbor signaled session down',
  'forwarding plane reset',
  'path down',
  'concatenated path down',
  'administratively down',
  'reverse concatenated path down',
]

export function formatBfdDiagnostic(diagnostic: number): string {
  return DIAGNOSTICS[diagnostic] ?? `diagnostic ${diagnostic}`
}

export interface BfdControl {
  /** BfdDiagnostic, or another number below 32. */
  readonly diagnostic: number
  readonly state: BfdState
  readonly poll: boolean
  readonly final: boolean
  /** The sender's BFD survives what happens to its control plane. */
  readonly controlPlaneIndependent: boolean
  readonly demand: boolean
  readonly detectMultiplier: number
  readonly myDiscriminator: number
  /** 0: not known yet. */
  readonly yourDiscriminator: number
  /** Microseconds, as the other two. */
  readonly desiredMinTx: number
  /** 0: no periodic packets are wanted. */
  readonly requiredMinRx: number
  /** 0: no echo packets are wanted. */
  readonly requiredMinEchoRx: number
  readonly authentication: BfdAuthentication | undefined
}

export interface BfdAuthentication {
  /** IANA "BFD Authentication Types". */
  readonly type: number
  /** What stands behind type and length. */
  readonly data: Uint8Array
}

export const bfdHeader = layout('BFD', {
  versionAndDiagnostic: u8,
  stateAndFlags: u8,
  detectMultiplier: u8,
  length: u8,
  myDiscriminator: u32,
  yourDiscriminator: u32,
  desiredMinTx: u32,
  requiredMinRx: u32,
  requiredMinEchoRx: u32,
})

const VERSION = 1
const DIAGNOSTIC_BITS = 5
const STATE_SHIFT = 6
const FLAG = {
  poll: 0x20,
  final: 0x10,
  controlPlaneIndependent: 0x08,
  authentication: 0x04,
  demand: 0x02,
  multipoint: 0x01,
}
/** Type and length of the authentication section. */
const AUTHENTICATION_HEADER = 2

/** What follows the length is left out. */
export function decodeBfd(bytes: Uint8Array): BfdControl {
  const header = bfdHeader.decode(bytes)
  const { offsets } = bfdHeader
  const { detectMultiplier, length, myDiscriminator, yourDiscriminator } = header
  const { desiredMinTx, requiredMinRx, requiredMinEchoRx } = header
  const version = header.versionAndDiagnostic >> DIAGNOSTIC_BITS
  const state = BFD_STATES[header.stateAndFlags >> STATE_SHIFT]!
  const has = (flag: number) => (header.stateAndFlags & flag) !== 0
  if (version !== VERSION) {
    throw new DecodeError('BFD', offsets.versionAndDiagnostic, `version ${version} is not ${VERSION}`)
  }
  const shortest = bfdHeader.size + (has(FLAG.authentication) ? AUTHENTICATION_HEADER : 0)
  if (length < shortest) throw new DecodeError('BFD', offsets.length, `length ${length} is less than ${shortest}`)
  if (length > bytes.length) {
    throw new DecodeError('BFD', offsets.length, `length ${length} does not fit in ${bytes.length} bytes`)
  }
  if (detectMultiplier === 0) throw new DecodeError('BFD', offsets.detectMultiplier, 'the detect multiplier is 0')
  if (has(FLAG.multipoint)) throw new DecodeError('BFD', offsets.stateAndFlags, 'the multipoint bit is set')
  if (myDiscriminator === 0) throw new DecodeError('BFD', offsets.myDiscriminator, "the sender's discriminator is 0")
  if (yourDiscriminator === 0 && state !== 'Down' && state !== 'AdminDown') {
    throw new DecodeError('BFD', offsets.yourDiscriminator, `the receiver's discriminator is 0 in state ${state}`)
  }
  return {
    diagnostic: header.versionAndDiagnostic & (2 ** DIAGNOSTIC_BITS - 1),
    state,
    poll: has(FLAG.poll),
    final: has(FLAG.final),
    controlPlaneIndependent: has(FLAG.controlPlaneIndependent),
    demand: has(FLAG.demand),
    detectMultiplier,
    myDiscriminator,
    yourDiscriminator,
    desiredMinTx,
    requiredMinRx,
    requiredMinEchoRx,
    authentication: has(FLAG.authentication) ? decodeAuthentication(bytes.subarray(0, length)) : undefined,
  }
}

function decodeAuthentication(bytes: Uint8Array): BfdAuthentication {
  const at = bfdHeader.size
  const [type, length] = [bytes[at]!, bytes[at + 1]!]
  if (length < AUTHENTICATION_HEADER || at + length > bytes.length) {
    throw new DecodeError('BFD', at + 1, `authentication of ${length} bytes does not fit in the packet`)
  }
  return { type, data: bytes.slice(at + AUTHENTICATION_HEADER, at + length) }
}

export function encodeBfd(packet: BfdControl): Uint8Array {
  const { diagnostic, state, authentication, ...values } = packet
  if (diagnostic >= 2 ** DIAGNOSTIC_BITS) {
    throw new RangeError(`Cannot encode ${diagnostic}: a diagnostic has ${DIAGNOSTIC_BITS} bits`)
  }
  const flags =
    (packet.poll ? FLAG.poll : 0) |
    (packet.final ? FLAG.final : 0) |
    (packet.controlPlaneIndependent ? FLAG.controlPlaneIndependent : 0) |
    (authentication ? FLAG.authentication : 0) |
    (packet.demand ? FLAG.demand : 0)
  const length = bfdHeader.size + (authentication ? AUTHENTICATION_HEADER + authentication.data.length : 0)
  const bytes = new Uint8Array(length)
  bfdHeader.encode(
    {
      ...values,
      versionAndDiagnostic: (VERSION << DIAGNOSTIC_BITS) | diagnostic,
      stateAndFlags: (BFD_STATES.indexOf(state) << STATE_SHIFT) | flags,
      length,
    },
    bytes,
  )
  if (authentication) {
    const { type, data } = authentication
    bytes.set([type, AUTHENTICATION_HEADER + data.length, ...data], bfdHeader.size)
  }
  return bytes
}
