/** MRT files as rows for people and programs: plain values, one per record, and of tables one per route. */
import { formatAttributes, type PathAttributes } from '../attribute/attributes.ts'
import { AttributeInterner } from '../attribute/interner.ts'
import { formatBgpId } from '../bgp-id.ts'
import { BgpError } from '../errors.ts'
import type { Family } from '../family.ts'
import { checkHeader, MAX_EXTENDED_MESSAGE, MessageType, messageType } from '../message/header.ts'
import { decodeNotification, formatNotification } from '../message/notification.ts'
import { decodeUpdate, type Routes } from '../message/update.ts'
import { formatPrefixKey } from '../nlri.ts'
import { type Bgp4mp, decodeBgp4mp, type Message } from './bgp4mp.ts'
import { decodeRecords, type MrtRecord, MrtType, TableDumpSubtype } from './record.ts'
import { decodePeerIndexTable, decodeRib, decodeRibAttributes, type PeerIndexTable } from './table-dump.ts'

/** `time`: milliseconds since the epoch. */
export type MrtRow =
  | {
      readonly kind: 'table'
      readonly time: number
      readonly collector: string
      readonly view: string
      readonly peers: readonly PeerRow[]
    }
  | RouteRow
  | { readonly kind: 'state'; readonly time: number; readonly peer: string; readonly from: string; readonly to: string }
  | MessageRow
  /** One that is not read here. */
  | {
      readonly kind: 'other'
      readonly time: number
      readonly type: number
      readonly subtype: number
      readonly octets: number
    }

export interface PeerRow {
  readonly address: string
  readonly id: string
  readonly as: number
}

export interface RouteRow {
  readonly kind: 'route'
  readonly time: number
  readonly prefix: string
  /** undefined: the table of peers does not have it. */
  readonly peer: PeerRow | undefined
  readonly since: number
  readonly pathId: number | undefined
  /** `NAME value`; undefined: they are damaged. */
  readonly attributes: readonly string[] | undefined
}

export interface MessageRow {
  readonly kind: 'message'
  readonly time: number
  readonly peer: string
  readonly peerAs: number
  readonly direction: 'received' | 'sent'
  readonly type: string
  readonly withdrawn: readonly string[]
  readonly announced: readonly string[]
  readonly attributes: readonly string[]
  /** A NOTIFICATION in words, the End-of-RIB, or what is wrong with the message. */
  readonly text: string | undefined
}

const SECOND = 1000

/** Throws DecodeError where the file is damaged, behind all rows before it. */
export function* mrtRows(bytes: Uint8Array): Generator<MrtRow> {
  let table: PeerIndexTable | undefined
  for (const record of decodeRecords(bytes)) {
    if (record.type === MrtType.tableDumpV2 && record.subtype === TableDumpSubtype.peerIndexTable) {
      table = decodePeerIndexTable(record.body)
      yield tableRow(record, table)
    } else yield* rowsOf(record, table)
  }
}

function* rowsOf(record: MrtRecord, table: PeerIndexTable | undefined): Generator<MrtRow> {
  const { type, subtype, body } = record
  const rib = type === MrtType.tableDumpV2 ? decodeRib(subtype, body) : undefined
  const happened = type === MrtType.bgp4mp || type === MrtType.bgp4mpEt ? decodeBgp4mp(subtype, body) : undefined
  if (rib) {
    for (const { peer, since, pathId, attributes } of rib.entries) {
      const known = table?.peers[peer]
      yield {
        kind: 'route',
        time: record.time,
        prefix: formatPrefixKey(rib.prefix),
        peer: known && { address: known.address, id: formatBgpId(known.id), as: known.as },
        since: since * SECOND,
        pathId,
        attributes: linesOf(decodeRibAttributes(attributes)),
      }
    }
  } else if (happened) yield happenedRow(record, happened)
  else yield { kind: 'other', time: record.time, type, subtype, octets: body.length }
}

function tableRow(record: MrtRecord, { collectorId, view, peers }: PeerIndexTable): MrtRow {
  const rows = peers.map(({ address, id, as }) => ({ address, id: formatBgpId(id), as }))
  return { kind: 'table', time: record.time, collector: formatBgpId(collectorId), view, peers: rows }
}

function happenedRow(record: MrtRecord, { peerAddress, peerAs, what }: Bgp4mp): MrtRow {
  const { time } = record
  if (what.kind === 'state') return { kind: 'state', time, peer: peerAddress, from: what.from, to: what.to }
  return {
    kind: 'message',
    time,
    peer: peerAddress,
    peerAs,
    direction: what.local ? 'sent' : 'received',
    ...messageOf(what),
  }
}

type MessageParts = Pick<MessageRow, 'type' | 'withdrawn' | 'announced' | 'attributes' | 'text'>

const TYPES: Readonly<Record<number, string>> = {
  [MessageType.open]: 'OPEN',
  [MessageType.update]: 'UPDATE',
  [MessageType.notification]: 'NOTIFICATION',
  [MessageType.keepalive]: 'KEEPALIVE',
  [MessageType.routeRefresh]: 'ROUTE-REFRESH',
  [MessageType.ciscoRouteRefresh]: 'ROUTE-REFRESH',
}

function messageOf(message: Message): MessageParts {
  const { octets } = message
  const empty = { withdrawn: [], announced: [], attributes: [] }
  try {
    const length = octets.length < 19 ? -1 : checkHeader(octets, 0, MAX_EXTENDED_MESSAGE)
    if (length !== octets.length) return { type: 'damaged', ...empty, text: `${octets.length} octets are no message` }
    const number = messageType(octets)
    const type = TYPES[number]!
    if (number === MessageType.update) return { type, ...updateOf(message) }
    const text = number === MessageType.notification ? formatNotification(decodeNotification(octets)) : undefined
    return { type, ...empty, text }
  } catch (error) {
    if (!(error instanceof BgpError)) throw error
    return { type: 'damaged', ...empty, text: error.message }
  }
}

/** As they would be read on an iBGP session: nothing is taken out. */
const INTERNERS = [true, false].map((as4) => new AttributeInterner({ internal: true, as4, asSets: 'accept' }))

function updateOf({ octets, as4, addPath }: Message): Omit<MessageParts, 'type'> {
  const attributes = INTERNERS[as4 ? 0 : 1]!
  const update = decodeUpdate(octets, { attributes, addPath: { ipv4: addPath, ipv6: addPath } })
  const [damage] = update.damage
  return {
    withdrawn: update.withdrawn.flatMap(prefixesOf),
    announced: update.announced.flatMap(prefixesOf),
    attributes: linesOf(update.announced[0]?.attributes) ?? [],
    text: damage?.error.message ?? endOf(update.endOfRib),
  }
}

function endOf(family: Family | undefined): string | undefined {
  return family && `End-of-RIB ${family}`
}

function prefixesOf({ prefixes, pathIds }: Routes): readonly string[] {
  return prefixes.map((key, i) => (pathIds ? `${formatPrefixKey(key)} path ${pathIds[i]}` : formatPrefixKey(key)))
}

function linesOf(attributes: PathAttributes | undefined): readonly string[] | undefined {
  return attributes && formatAttributes(attributes)
}
