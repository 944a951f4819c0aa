/**
 * UPDATE: RFC 4271 §4.3; other families than IPv4: RFC 4760; path identifiers: RFC 7911.
 *
 *   | withdrawn routes length (2) | withdrawn routes | total path attribute length (2) | path attributes | NLRI |
 *
 * Errors are handled as RFC 7606 wants, and the handling is part of what is decoded: routes whose attributes are damaged stand
 * among the withdrawn ones, attributes that were dropped are not there, and `damage` says why. A BgpError means that the
 * session must end: the prefixes themselves cannot be relied upon.
 */
import { OPTIONAL_NON_TRANSITIVE, OPTIONAL_TRANSITIVE } from '../attribute/attribute.ts'
import { attributeName, type PathAttributes } from '../attribute/attributes.ts'
import { type AttributeSpan, type Damage, readAttribute } from '../attribute/decode.ts'
import type { AttributeInterner } from '../attribute/interner.ts'
import { decodeMpNlri, MP_REACH_NLRI, MP_UNREACH_NLRI, type MpNlri } from '../attribute/mp-nlri.ts'
import { UpdateError, updateError } from '../errors.ts'
import type { AfiSafi, Family } from '../family.ts'
import { decodeNlri, type Nlri } from '../nlri.ts'
import { u16 } from '../octets.ts'
import { HEADER_LENGTH } from './header.ts'

export interface Routes extends Nlri {
  readonly family: Family
}

/** Prefixes that are reached in the same way. */
export interface Announcement extends Routes {
  readonly attributes: PathAttributes
}

export interface Update {
  /** To be applied first: a prefix that is also announced is announced (RFC 4271 §4.3). */
  readonly withdrawn: readonly Routes[]
  readonly announced: readonly Announcement[]
  /** The message says that all routes of this family have been sent: RFC 4724 §2. */
  readonly endOfRib: Family | undefined
  readonly damage: readonly Damage[]
  /** Families whose routes are not kept here, and were passed over. */
  readonly passedOver: readonly AfiSafi[]
}

/** How a session's messages are to be read. */
export interface Receiving {
  readonly attributes: AttributeInterner
  /** Families whose prefixes come with path identifiers. */
  readonly addPath: Readonly<Record<Family, boolean>>
}

/** Prefixes that the message announces, and where it says how they are reached. */
interface Reach extends Routes {
  readonly announces: 'nlri' | Uint8Array
}

const NONE: readonly never[] = []

/** `message` has passed checkHeader. Throws BgpError 3/1, 3/2, 3/9, 3/10, and what RFC 7606 §5.2 leaves no other answer to. */
export function decodeUpdate(message: Uint8Array, session: Receiving): Update {
  const withdrawnAt = HEADER_LENGTH + 2
  const withdrawnEnd = withdrawnAt + u16(message, HEADER_LENGTH)
  const attributesAt = withdrawnEnd + 2
  if (attributesAt > message.length) throw badList('the withdrawn routes run past the message')
  const attributesEnd = attributesAt + u16(message, withdrawnEnd)
  if (attributesEnd > message.length) throw badList('the path attributes run past the message')

  const routes = (family: Family, from: number, to: number): Routes => {
    const { prefixes, pathIds } = decodeNlri(family, message, from, to, session.addPath[family])
    return { family, prefixes, pathIds }
  }
  const { reach, unreach, gaps, damage } = findMpNlri(message, attributesAt, attributesEnd)
  const withdrawn: Routes[] = []
  if (withdrawnEnd > withdrawnAt) withdrawn.push(routes('ipv4', withdrawnAt, withdrawnEnd))
  if (unreach?.family && unreach.to > unreach.from) withdrawn.push(routes(unreach.family, unreach.from, unreach.to))
  const reaches: Reach[] = []
  if (reach?.family && reach.to > reach.from) {
    reaches.push({ ...routes(reach.family, reach.from, reach.to), announces: reach.nextHop })
  }
  if (message.length > attributesEnd) {
    reaches.push({ ...routes('ipv4', attributesEnd, message.length), announces: 'nlri' })
  }

  const announced: Announcement[] = []
  for (const { family, prefixes, pathIds, announces } of reaches) {
    const decoded = session.attributes.decode(message, attributesAt, attributesEnd, gaps, announces)
    damage.push(...decoded.damage)
    if (decoded.attributes) announced.push({ family, prefixes, pathIds, attributes: decoded.attributes })
  }
  const passedOver = [reach, unreach].flatMap((each) => (each && !each.family ? [unkept(each)] : []))
  if (damage.some(isWithdraw)) {
    // "as though all contained routes had been withdrawn": RFC 7606 §2.
    const all = [...withdrawn, ...reaches.map(({ announces: _, ...each }) => each)]
    return { withdrawn: all, announced: NONE, endOfRib: undefined, damage, passedOver }
  }
  const others = attributesEnd - attributesAt > gaps.reduce((octets, gap) => octets + gap.to - gap.at, 0)
  if (others && reaches.length === 0 && (!reach || reach.family)) {
    damage.push(...checkedAlone(message, attributesAt, attributesEnd, gaps, session))
  }
  const isEnd = !others && !reach && reaches.length === 0 && withdrawn.length === 0
  const endOfRib = isEnd ? (unreach ? unreach.family : 'ipv4') : undefined
  return { withdrawn, announced, endOfRib, damage, passedOver }
}

interface FoundMpNlri {
  readonly reach: MpNlri | undefined
  readonly unreach: MpNlri | undefined
  /** Where they stand among the attributes. */
  readonly gaps: readonly AttributeSpan[]
  readonly damage: Damage[]
}

/** Throws BgpError 3/1 when one of the two is there twice, or cut off. */
function findMpNlri(message: Uint8Array, from: number, to: number): FoundMpNlri {
  const found: [reach: MpNlri | undefined, unreach: MpNlri | undefined] = [undefined, undefined]
  const gaps: AttributeSpan[] = []
  const damage: Damage[] = []
  for (let at = from; at < to; ) {
    const span = readAttribute(message, at, to)
    const code = span?.code ?? (at + 1 < to ? message[at + 1]! : 0)
    if (code === MP_REACH_NLRI || code === MP_UNREACH_NLRI) {
      if (!span) throw badList(`${attributeName(code)} runs past the attributes`)
      const which = code === MP_REACH_NLRI ? 0 : 1
      if (found[which]) throw badList(`${attributeName(code)} twice`)
      found[which] = decodeMpNlri(message, at, span.from, span.to)
      gaps.push(span)
      if ((span.flags & OPTIONAL_TRANSITIVE) !== OPTIONAL_NON_TRANSITIVE) damage.push(wrongFlags(message, span))
    }
    if (!span) break
    at = span.to
  }
  return { reach: found[0], unreach: found[1], gaps, damage }
}

/**
 * RFC 7606 §5.2: where no prefix is announced, "we cannot be confident that the NLRI have been successfully parsed", and an
 * error that would withdraw them ends the session.
 */
function checkedAlone(
  message: Uint8Array,
  from: number,
  to: number,
  gaps: readonly AttributeSpan[],
  session: Receiving,
): readonly Damage[] {
  const { damage } = session.attributes.decode(message, from, to, gaps, 'nothing')
  const severe = damage.find(isWithdraw)
  if (severe) throw severe.error
  return damage
}

function isWithdraw({ handling }: Damage): boolean {
  return handling === 'treat-as-withdraw'
}

function unkept({ afi, safi }: MpNlri): AfiSafi {
  return { afi, safi }
}

function wrongFlags(message: Uint8Array, { code, flags, at, to }: AttributeSpan): Damage {
  const reason = `${attributeName(code)} with flags 0x${flags.toString(16)}`
  const error = updateError(UpdateError.attributeFlags, reason, message.slice(at, to))
  return { attribute: code, handling: 'treat-as-withdraw', error }
}

function badList(reason: string): Error {
  return updateError(UpdateError.malformedAttributeList, reason)
}
