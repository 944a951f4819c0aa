/**
 * What happened on sessions, as MRT has it: BGP4MP, RFC 6396 §4.4; path identifiers: RFC 8050 §3.
 *
 *   | peer AS (2, 4) | local AS (2, 4) | interface index (2) | AFI (2) | peer address | local address | what happened |
 *
 *   …_STATE_CHANGE:  | old state (2) | new state (2) |
 *   …_MESSAGE:       | the message, with its marker |       _LOCAL: we have sent it
 */
import { formatIp, parseIp, unspecified } from '../../address/ip.ts'
import { AS_TRANS } from '../attribute/as-path.ts'
import { Afi } from '../family.ts'
import { STATES, type State } from '../fsm.ts'
import { joined, ofU16, ofU32 } from '../octets.ts'
import { Cursor } from './cursor.ts'
import { Bgp4mpSubtype } from './record.ts'

export interface Bgp4mp {
  readonly peerAs: number
  readonly localAs: number
  readonly peerAddress: string
  /** All zero, where it is not known. */
  readonly localAddress: string
  readonly what: StateChange | Message
}

export interface StateChange extends Kind {
  readonly kind: 'state'
  readonly from: State
  readonly to: State
}

export interface Message extends Kind {
  readonly kind: 'message'
  readonly octets: Uint8Array
}

/** What the subtype says. */
interface Kind {
  readonly kind: 'state' | 'message'
  /** AS numbers have four octets, those in the message too. */
  readonly as4: boolean
  /** We have sent it. */
  readonly local: boolean
  /** Prefixes in it have path identifiers. */
  readonly addPath: boolean
}

const kind = (subtype: number, kind: Kind['kind'], as4: boolean, local = false, addPath = false) => ({
  subtype,
  kind,
  as4,
  local,
  addPath,
})

const KINDS: readonly (Kind & { readonly subtype: number })[] = [
  kind(Bgp4mpSubtype.stateChange, 'state', false),
  kind(Bgp4mpSubtype.stateChangeAs4, 'state', true),
  kind(Bgp4mpSubtype.message, 'message', false),
  kind(Bgp4mpSubtype.messageAs4, 'message', true),
  kind(Bgp4mpSubtype.messageLocal, 'message', false, true),
  kind(Bgp4mpSubtype.messageAs4Local, 'message', true, true),
  kind(Bgp4mpSubtype.messageAddPath, 'message', false, false, true),
  kind(Bgp4mpSubtype.messageAs4AddPath, 'message', true, false, true),
  kind(Bgp4mpSubtype.messageLocalAddPath, 'message', false, true, true),
  kind(Bgp4mpSubtype.messageAs4LocalAddPath, 'message', true, true, true),
]

/** Of states: §4.4.1. */
const FIRST_STATE = 1

/** Throws RangeError for a kind that there is none of. */
export function bgp4mpSubtype({ what }: Bgp4mp): number {
  const found = KINDS.find(
    (each) =>
      each.kind === what.kind && each.as4 === what.as4 && each.local === what.local && each.addPath === what.addPath,
  )
  if (!found) throw new RangeError(`Cannot encode as MRT: a ${what.kind} has no such subtype`)
  return found.subtype
}

export function encodeBgp4mp({ peerAs, localAs, peerAddress, localAddress, what }: Bgp4mp): Uint8Array {
  const peer = parseIp(peerAddress)
  const local = parseIp(localAddress)
  const afi = peer.length === 4 ? Afi.ipv4 : Afi.ipv6
  const numbers = [peerAs, localAs].map((as) => (what.as4 ? ofU32(as) : ofU16(as > 0xffff ? AS_TRANS : as)))
  const happened =
    what.kind === 'message'
      ? what.octets
      : joined([what.from, what.to].map((state) => ofU16(STATES.indexOf(state) + FIRST_STATE)))
  return joined([...numbers, ofU16(0), ofU16(afi), peer, local, happened])
}

/** undefined for a subtype that is none. Throws DecodeError. */
export function decodeBgp4mp(subtype: number, body: Uint8Array): Bgp4mp | undefined {
  const found = KINDS.find((each) => each.subtype === subtype)
  if (!found) return undefined
  const { kind, as4, local, addPath } = found
  const cursor = new Cursor(body)
  const as = () => (as4 ? cursor.u32() : cursor.u16())
  const [peerAs, localAs] = [as(), as()]
  cursor.u16()
  const family = cursor.u16() === Afi.ipv6 ? 'ipv6' : 'ipv4'
  const [peerAddress, localAddress] = [cursor.address(family), cursor.address(family)]
  const ends = { peerAs, localAs, peerAddress, localAddress }
  if (kind === 'message') return { ...ends, what: { kind, as4, local, addPath, octets: cursor.rest() } }
  return { ...ends, what: { kind, as4, local, addPath, from: stateOf(cursor), to: stateOf(cursor) } }
}

function stateOf(cursor: Cursor): State {
  const number = cursor.u16()
  return STATES[number - FIRST_STATE] ?? cursor.fail(`there is no state ${number}`)
}

/** Of the same family, for one that is not known yet. */
export function noAddress(peerAddress: string): string {
  return formatIp(unspecified(parseIp(peerAddress).length === 4 ? 'ipv4' : 'ipv6'))
}
