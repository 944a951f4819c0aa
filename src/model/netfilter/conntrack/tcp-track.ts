/**
 * What conntrack remembers of a TCP connection: its state, and of each side the edges between which segments are
 * believed. The machine stands in the middle: it sees what was sent, not what arrived.
 *
 * Source: net/netfilter/nf_conntrack_proto_tcp.c and its table tcp_conntracks; the window rules are of Guido van Rooij,
 * "Real Stateful TCP Packet Filtering in IP Filter".
 */

/** TCP_CONNTRACK_*: TCP_CONNTRACK_STATES of src/kernel/conntrack.ts has their names. */
export const TcpState = {
  none: 0,
  synSent: 1,
  synReceived: 2,
  established: 3,
  finWait: 4,
  closeWait: 5,
  lastAck: 6,
  timeWait: 7,
  close: 8,
  synSent2: 9,
  invalid: 10,
  ignore: 11,
} as const

/** What a segment is, by its flags: enum tcp_bit_set. */
export const Segment = { syn: 0, synAck: 1, fin: 2, ack: 3, rst: 4, none: 5 } as const

const CODES = ['NO', 'SS', 'SR', 'ES', 'FW', 'CW', 'LA', 'TW', 'CL', 'S2', 'IV', 'IG']

/** A row for each kind of segment, in Segment's order; a column for each state, from NONE on. */
const ORIGINAL = [
  'SS SS IG IG IG IG IG SS SS S2',
  'IV IV SR IV IV IV IV IV IV SR',
  'IV IV FW FW LA LA LA TW CL IV',
  'ES IV ES ES CW CW TW TW CL IV',
  'IV CL CL CL CL CL CL CL CL CL',
  'IV IV IV IV IV IV IV IV IV IV',
]
const REPLY = [
  'IV S2 IV IV IV IV IV SS IV S2',
  'IV SR IG IG IG IG IG IG IG SR',
  'IV IV FW FW LA LA LA TW CL IV',
  'IV IG SR ES CW CW TW TW CL IG',
  'IV CL CL CL CL CL CL CL CL CL',
  'IV IV IV IV IV IV IV IV IV IV',
]

const transitions = Uint8Array.from(
  [...ORIGINAL, ...REPLY].flatMap((row) => row.split(' ').map((code) => CODES.indexOf(code))),
)

/** The state after a segment; `invalid` and `ignore` are no states. */
export function nextState(direction: 0 | 1, segment: number, state: number): number {
  return transitions[(direction * 6 + segment) * 10 + state]!
}

/** IP_CT_TCP_FLAG_*. */
export const TcpFlag = {
  windowScale: 0x01,
  sackPermitted: 0x02,
  closeInit: 0x04,
  beLiberal: 0x08,
  dataUnacknowledged: 0x10,
  maxAckSet: 0x20,
  challengeAckExpected: 0x40,
  simultaneousOpen: 0x80,
} as const

/** struct ip_ct_tcp_state. Positions are sequence numbers as signed 32-bit numbers. */
export class TcpSide {
  /** Highest end of a segment that it sent. */
  end = 0
  /** Highest sequence number that the other side said it would take. */
  maxEnd = 0
  /** Largest window that it announced. */
  maxWindow = 0
  /** Highest acknowledgement that it sent. */
  maxAck = 0
  scale = 0
  flags = 0

  reset(): void {
    this.end = 0
    this.maxEnd = 0
    this.maxWindow = 0
    this.maxAck = 0
    this.scale = 0
    this.flags &= TcpFlag.beLiberal
  }
}

/** struct ip_ct_tcp: the state, each side, and the last segment. */
export class TcpTrack {
  state: number = TcpState.none
  readonly sides: readonly [TcpSide, TcpSide] = [new TcpSide(), new TcpSide()]
  lastDirection: 0 | 1 = 0
  retransmissions = 0
  lastSegment: number = Segment.none
  lastSequence = 0
  lastAck = 0
  lastEnd = 0
  lastWindow = 0
  lastScale = 0
  lastFlags = 0
}

export function before(a: number, b: number): boolean {
  return ((a - b) | 0) < 0
}

export function after(a: number, b: number): boolean {
  return ((b - a) | 0) < 0
}
