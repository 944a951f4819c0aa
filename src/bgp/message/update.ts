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

const NONE: readonly never[] = []

/** `message` has passed checkHeader. Throws BgpError 3/1, 3/2, 3/9, 3/10, and what RFC 7606 §5.2 leaves no other answer to. */
export function decodeUpdate(message: Uint8Array, session: Receiving): Update {
  const fields = findFields(message)
  const mp = findMpNlri(message, fields)
  const withdrawn = readWithdrawn(message, fields, mp, session)
  const reaches = readReaches(message, fields, mp, session)
  const passedOver = [mp.reach, mp.unreach].flatMap((each) => (each && !each.family ? [unkept(each)] : []))
  if (reaches.length === 0) {
    const damage = checkedAlone(message, fields, mp, session)
    return { withdrawn, announced: NONE, endOfRib: endOfRib(fields, mp), damage, passedOver }
  }

  const announced: Announcement[] = []
  const damage = [...mp.damage]
  for (const { family, prefixes, pathIds, announces } of reaches) {
    const { attributesAt, attributesEnd } = fields
    const decoded = session.attributes.decode(message, attributesAt, attributesEnd, mp.gaps, announces)
    damage.push(...decoded.damage)
    if (decoded.attributes) announced.push({ family, prefixes, pathIds, attributes: decoded.attributes })
  }
  if (!damage.some(isWithdraw)) return { withdrawn, announced, endOfRib: undefined, damage, passedOver }
  // "as though all contained routes had been withdrawn": RFC 7606 §2.
  for (const { family, prefixes, pathIds } of reaches) withdrawn.push({ family, prefixes, pathIds })
  return { withdrawn, announced: NONE, endOfRib: undefined, damage, passedOver }
}

/** Where the fields stand. NLRI is what is behind the attributes. */
interface Fields {
  readonly withdrawnAt: number
  readonly withdrawnEnd: number
  readonly attributesAt: number
  readonly attributesEnd: number
}

function findFields(message: Uint8Array): Fields {
  const withdrawnAt = HEADER_LENGTH + 2
  const withdrawnEnd = withdrawnAt + u16(message, HEADER_LENGTH)
  const attributesAt = withdrawnEnd + 2
  if (attributesAt > message.length) throw badList('the withdrawn routes run past the message')
  const attributesEnd = attributesAt + u16(message, withdrawnEnd)
  if (attributesEnd > message.length) throw badList('the path attributes run past the message')
  return { withdrawnAt, withdrawnEnd, attributesAt, attributesEnd }
}

interface FoundMpNlri {
  readonly reach: MpNlri | undefined
  readonly unreach: MpNlri | undefined
  /** Where they stand among the attributes. */
  readonly gaps: readonly AttributeSpan[]
  readonly damage: readonly Damage[]
}

/** Throws BgpError 3/1 when one of the two is there twice, or cut off. */
function findMpNlri(message: Uint8Array, { attributesAt, attributesEnd }: Fields): FoundMpNlri {
  const found: [reach: MpNlri | undefined, unreach: MpNlri | undefined] = [undefined, undefined]
  const gaps: AttributeSpan[] = []
  const damage: Damage[] = []
  for (let at = attributesAt; at < attributesEnd; ) {
    const span = readAttribute(message, at, attributesEnd)
    const code = span?.code ?? (at + 1 < attributesEnd ? message[at + 1]! : 0)
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

function readWithdrawn(message: Uint8Array, fields: Fields, { unreach }: FoundMpNlri, session: Receiving): Routes[] {
  const { withdrawnAt, withdrawnEnd } = fields
  const routes: Routes[] = []
  if (withdrawnEnd > withdrawnAt) routes.push(readRoutes('ipv4', message, withdrawnAt, withdrawnEnd, session))
  if (unreach?.family && unreach.to > unreach.from) {
    routes.push(readRoutes(unreach.family, message, unreach.from, unreach.to, session))
  }
  return routes
}

/** Prefixes that the message announces, and where it says how they are reached. */
interface Reach extends Routes {
  readonly announces: 'nlri' | Uint8Array
}

function readReaches(message: Uint8Array, fields: Fields, { reach }: FoundMpNlri, session: Receiving): Reach[] {
  const reaches: Reach[] = []
  if (reach?.family && reach.to > reach.from) {
    const routes = readRoutes(reach.family, message, reach.from, reach.to, session)
    reaches.push({ ...routes, announces: reach.nextHop })
  }
  if (message.length > fields.attributesEnd) {
    const routes = readRoutes('ipv4', message, fields.attributesEnd, message.length, session)
    reaches.push({ ...routes, announces: 'nlri' })
  }
  return reaches
}

function readRoutes(family: Family, message: Uint8Array, from: number, to: number, session: Receiving): Routes {
  const { prefixes, pathIds } = decodeNlri(family, message, from, to, session.addPath[family])
  return { family, prefixes, pathIds }
}

/**
 * RFC 7606 §5.2: where no prefix is announced, "we cannot be confident that the NLRI have been successfully parsed", and an
 * error that would withdraw them ends the session. MP_UNREACH_NLRI may be alone.
 */
function checkedAlone(message: Uint8Array, fields: Fields, mp: FoundMpNlri, session: Receiving): readonly Damage[] {
  // Prefixes of a family that is not kept are announced all the same.
  if ((mp.reach && !mp.reach.family) || (!mp.reach && !hasOthers(fields, mp))) return mp.damage
  const { attributesAt, attributesEnd } = fields
  const decoded = session.attributes.decode(message, attributesAt, attributesEnd, mp.gaps, 'nothing')
  const damage = [...mp.damage, ...decoded.damage]
  const severe = damage.find(isWithdraw)
  if (severe) throw severe.error
  return damage
}

/** RFC 4724 §2: a message without routes and without attributes, but for an MP_UNREACH_NLRI that names the family. */
function endOfRib(fields: Fields, mp: FoundMpNlri): Family | undefined {
  const isEmpty = fields.withdrawnEnd === fields.withdrawnAt && !hasOthers(fields, mp) && !mp.reach
  if (!isEmpty || mp.damage.length > 0) return undefined
  if (!mp.unreach) return 'ipv4'
  return mp.unreach.to === mp.unreach.from ? mp.unreach.family : undefined
}

/** Whether there are attributes but the two of RFC 4760. */
function hasOthers({ attributesAt, attributesEnd }: Fields, { gaps }: FoundMpNlri): boolean {
  return attributesEnd - attributesAt > gaps.reduce((octets, { at, to }) => octets + to - at, 0)
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
