/**
 * What a file per path attribute provides; attributes.ts has the table. RFC 4271 §4.3:
 *
 *   | O T P E . . . . | type code (1) | length (1, with E 2) | value |
 */

/** First octet of an attribute. */
export const Flag = {
  optional: 0x80,
  transitive: 0x40,
  /** A speaker on the way did not know the attribute. */
  partial: 0x20,
  extendedLength: 0x10,
} as const

export const WELL_KNOWN = Flag.transitive
export const OPTIONAL_TRANSITIVE = Flag.optional | Flag.transitive
export const OPTIONAL_NON_TRANSITIVE = Flag.optional

/** What a speaker does about an error: RFC 7606 §2. A session reset is a BgpError. */
export type Handling = 'treat-as-withdraw' | 'attribute discard'

/** What the meaning of an attribute depends on: the kind of session. */
export interface SessionKind {
  /** The peer is of our AS. */
  readonly internal: boolean
  /** Both speak four-octet AS numbers, RFC 6793. */
  readonly as4: boolean
  /** RFC 9774 deprecates AS_SET: whether a route with one is withdrawn. */
  readonly asSets: 'accept' | 'withdraw'
}

export interface AttributeCodec<T> {
  /** IANA "BGP Path Attributes". */
  readonly code: number
  /** As the RFC writes it. */
  readonly name: string
  /** Optional and Transitive as they must be. */
  readonly flags: number
  /** What is done about a damaged value. */
  readonly damaged: Handling
  /** Sessions from which the attribute is discarded, whatever is in it. */
  unwanted?(session: SessionKind): boolean
  /** Throws BgpError of code 3 for a damaged value. Copies what it keeps. */
  decode(value: Uint8Array, session: SessionKind): T
  encode(value: T, session: { readonly as4: boolean }): Uint8Array
  show(value: T): string
}

/** LOCAL_PREF, ORIGINATOR_ID and CLUSTER_LIST mean nothing outside their AS: RFC 7606 §7.5, §7.9, §7.10. */
export const fromOutside = ({ internal }: SessionKind): boolean => !internal
