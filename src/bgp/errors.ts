/**
 * What ends a session: the code and subcode of the NOTIFICATION that says so, and its data. RFC 4271 §4.5 and §6, IANA "BGP
 * Error (Notification) Codes" and the registries of subcodes.
 *
 * Decoders throw nothing else. RFC 7606 took most errors of an UPDATE out of this list: see message/update.ts.
 */

export const ErrorCode = {
  messageHeader: 1,
  openMessage: 2,
  updateMessage: 3,
  holdTimerExpired: 4,
  finiteStateMachine: 5,
  cease: 6,
  /** RFC 7313 §5. */
  routeRefreshMessage: 7,
  /** RFC 9687. */
  sendHoldTimerExpired: 8,
} as const

/** Of every code, where nothing more is said. */
export const UNSPECIFIC = 0

export const HeaderError = { connectionNotSynchronized: 1, badMessageLength: 2, badMessageType: 3 } as const

export const OpenError = {
  unsupportedVersionNumber: 1,
  badPeerAs: 2,
  badBgpIdentifier: 3,
  unsupportedOptionalParameter: 4,
  unacceptableHoldTime: 6,
  /** RFC 5492 §5: the data are the capabilities that are wanted. */
  unsupportedCapability: 7,
  /** RFC 9234 §4.2. */
  roleMismatch: 11,
} as const

export const UpdateError = {
  malformedAttributeList: 1,
  unrecognizedWellKnownAttribute: 2,
  missingWellKnownAttribute: 3,
  attributeFlags: 4,
  attributeLength: 5,
  invalidOrigin: 6,
  invalidNextHop: 8,
  optionalAttribute: 9,
  invalidNetworkField: 10,
  malformedAsPath: 11,
} as const

/** RFC 6608. */
export const FsmError = { inOpenSent: 1, inOpenConfirm: 2, inEstablished: 3 } as const

/** RFC 4486; 9: RFC 8538; 10: RFC 9384. */
export const CeaseError = {
  maximumNumberOfPrefixesReached: 1,
  administrativeShutdown: 2,
  peerDeconfigured: 3,
  administrativeReset: 4,
  connectionRejected: 5,
  otherConfigurationChange: 6,
  connectionCollisionResolution: 7,
  outOfResources: 8,
  hardReset: 9,
  bfdDown: 10,
} as const

export const RouteRefreshError = { invalidMessageLength: 1 } as const

const NAMES: Readonly<Record<number, readonly [name: string, subcodes: Readonly<Record<number, string>>]>> = {
  1: ['Message Header Error', { 1: 'Connection Not Synchronized', 2: 'Bad Message Length', 3: 'Bad Message Type' }],
  2: [
    'OPEN Message Error',
    {
      1: 'Unsupported Version Number',
      2: 'Bad Peer AS',
      3: 'Bad BGP Identifier',
      4: 'Unsupported Optional Parameter',
      5: 'Authentication Failure',
      6: 'Unacceptable Hold Time',
      7: 'Unsupported Capability',
      11: 'Role Mismatch',
    },
  ],
  3: [
    'UPDATE Message Error',
    {
      1: 'Malformed Attribute List',
      2: 'Unrecognized Well-known Attribute',
      3: 'Missing Well-known Attribute',
      4: 'Attribute Flags Error',
      5: 'Attribute Length Error',
      6: 'Invalid ORIGIN Attribute',
      7: 'AS Routing Loop',
      8: 'Invalid NEXT_HOP Attribute',
      9: 'Optional Attribute Error',
      10: 'Invalid Network Field',
      11: 'Malformed AS_PATH',
    },
  ],
  4: ['Hold Timer Expired', {}],
  5: [
    'Finite State Machine Error',
    {
      1: 'Unexpected Message in OpenSent',
      2: 'Unexpected Message in OpenConfirm',
      3: 'Unexpected Message in Established',
    },
  ],
  6: [
    'Cease',
    {
      1: 'Maximum Number of Prefixes Reached',
      2: 'Administrative Shutdown',
      3: 'Peer De-configured',
      4: 'Administrative Reset',
      5: 'Connection Rejected',
      6: 'Other Configuration Change',
      7: 'Connection Collision Resolution',
      8: 'Out of Resources',
      9: 'Hard Reset',
      10: 'BFD Down',
    },
  ],
  7: ['ROUTE-REFRESH Message Error', { 1: 'Invalid Message Length' }],
  8: ['Send Hold Timer Expired', {}],
}

/** `6/2 Cease: Administrative Shutdown`; numbers alone where there is no name. */
export function formatErrorCode(code: number, subcode: number): string {
  const [name, subcodes] = NAMES[code] ?? []
  const detail = subcodes?.[subcode]
  return [`${code}/${subcode}`, name && (detail ? `${name}: ${detail}` : name)].filter(Boolean).join(' ')
}

const NO_DATA = new Uint8Array(0)

export class BgpError extends Error {
  override name = 'BgpError'
  readonly code: number
  readonly subcode: number
  readonly data: Uint8Array
  /** The message without the name of the error. */
  readonly reason: string

  constructor(code: number, subcode: number, reason: string, data: Uint8Array = NO_DATA) {
    super(`${formatErrorCode(code, subcode)}: ${reason}`)
    this.code = code
    this.subcode = subcode
    this.data = data
    this.reason = reason
  }
}

/** An error of §6.3. `data` is the attribute with its type and length, where the error is one of an attribute. */
export function updateError(subcode: number, reason: string, data?: Uint8Array): BgpError {
  return new BgpError(ErrorCode.updateMessage, subcode, reason, data)
}
