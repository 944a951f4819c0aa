/**
 * A speaker without sessions: its tables, and peers that octets go to and come from.
 *
 * Peers are scripted (`peer`), or other speakers (`link`). Nothing happens until `settle` is called.
 */
import type { PathAttributes } from '../../../src/bgp/attribute/attributes.ts'
import { AttributeInterner } from '../../../src/bgp/attribute/interner.ts'
import { parseBgpId } from '../../../src/bgp/bgp-id.ts'
import type { Family } from '../../../src/bgp/family.ts'
import { MAX_MESSAGE } from '../../../src/bgp/message/header.ts'
import { encodeAnnouncement, encodeEndOfRib, encodeWithdrawal } from '../../../src/bgp/message/pack.ts'
import { decodeUpdate, type Update } from '../../../src/bgp/message/update.ts'
import { familyOfKey, formatPrefixKey, type Nlri, type PrefixKey, parsePrefixKey } from '../../../src/bgp/nlri.ts'
import type { Filter } from '../../../src/bgp/policy/filter.ts'
import type { AdjIn } from '../../../src/bgp/rib/adj-in.ts'
import type { Member } from '../../../src/bgp/rib/adj-out.ts'
import type { ExportRules } from '../../../src/bgp/rib/export.ts'
import type { ImportRules } from '../../../src/bgp/rib/import.ts'
import type { Resolve } from '../../../src/bgp/rib/next-hops.ts'
import { OWN_ATTRIBUTES } from '../../../src/bgp/rib/own-routes.ts'
import type { RibPeer } from '../../../src/bgp/rib/path.ts'
import { Ribs } from '../../../src/bgp/rib/ribs.ts'

export const FAMILIES = ['ipv4', 'ipv6'] as const

/** A path of one AS, unless said otherwise. */
export function attributes(
  members: Partial<PathAttributes> & { readonly path?: readonly number[] } = {},
): PathAttributes {
  const { path = [], ...others } = members
  const asPath = path.length > 0 ? [{ type: 'sequence' as const, numbers: path }] : []
  return { ...OWN_ATTRIBUTES, nextHop: '10.0.0.99', asPath, ...others }
}

export interface PeerOptions {
  readonly address: string
  readonly as: number
  readonly routerId?: string
  readonly clusterId?: string
  readonly as4?: boolean
  readonly addPathReceived?: boolean
  readonly addPathSent?: boolean
  readonly localAs?: number
  readonly nextHop?: ExportRules['nextHop']
  readonly allowAsIn?: number
  readonly importAll?: boolean
  readonly exportAll?: boolean
  readonly importFilter?: Filter
  readonly exportFilter?: Filter
  readonly communities?: readonly number[]
  readonly extendedNextHop?: boolean
  readonly longLived?: boolean
  readonly endOfRib?: boolean
}

export interface SpeakerOptions {
  readonly as: number
  readonly address?: string
  readonly address6?: string
  readonly routerId?: string
  readonly networks?: readonly string[]
  readonly clusterIds?: readonly string[]
  readonly preferOlder?: boolean
  readonly resolve?: Resolve
}

export class Speaker {
  readonly as: number
  readonly address: string
  readonly routerId: number
  readonly ribs: Ribs
  readonly options: SpeakerOptions
  readonly sessions = new Map<string, Session>()

  constructor(options: SpeakerOptions) {
    this.options = options
    this.as = options.as
    this.address = options.address ?? '10.0.0.1'
    this.routerId = parseBgpId(options.routerId ?? this.address)
    this.ribs = new Ribs({
      routerId: this.routerId,
      as: this.as,
      preferOlder: options.preferOlder ?? false,
      resolve: options.resolve ?? (() => 1),
    })
    this.announce(...(options.networks ?? []))
  }

  get tables() {
    return this.ribs.tables
  }

  get groups() {
    return this.ribs.groups
  }

  announce(...networks: readonly string[]): void {
    for (const text of networks) {
      const key = parsePrefixKey(text)
      this.ribs.own[familyOfKey(key)].announce([key])
    }
  }

  withdraw(...networks: readonly string[]): void {
    for (const text of networks) {
      const key = parsePrefixKey(text)
      this.ribs.own[familyOfKey(key)].withdraw([key])
    }
  }

  session(options: PeerOptions, send: (message: Uint8Array) => void): Session {
    const known = this.sessions.get(options.address)
    const session = new Session(this, options, send, known)
    this.sessions.set(options.address, session)
    return session
  }

  peer(options: PeerOptions): ScriptedPeer {
    return new ScriptedPeer(this, options)
  }

  /** Sends all that is to be sent. */
  settle(): void {
    while (this.ribs.settle());
  }

  best(prefix: string) {
    const key = parsePrefixKey(prefix)
    return this.tables[familyOfKey(key)].best(key)
  }
}

/** The speaker's end of a session. */
export class Session {
  readonly adjIn: Record<Family, AdjIn>
  readonly member: Member & { ready: boolean }
  readonly peer: RibPeer
  readonly importRules: ImportRules
  readonly exportRules: ExportRules
  readonly #speaker: Speaker
  readonly #interner: AttributeInterner
  readonly #options: PeerOptions

  constructor(
    speaker: Speaker,
    options: PeerOptions,
    send: (message: Uint8Array) => void,
    before: Session | undefined,
  ) {
    this.#speaker = speaker
    this.#options = options
    const internal = options.as === (options.localAs ?? speaker.as)
    const as4 = options.as4 ?? true
    const clusterId = options.clusterId === undefined ? undefined : parseBgpId(options.clusterId)
    this.#interner = new AttributeInterner({ internal, as4, asSets: 'accept' })
    this.peer = {
      address: options.address,
      routerId: parseBgpId(options.routerId ?? options.address),
      as: options.as,
      kind: internal ? 'internal' : 'external',
      clusterId,
    }
    this.importRules = {
      ownAs: [speaker.as, options.localAs ?? speaker.as],
      allowAsIn: options.allowAsIn ?? 0,
      routerId: speaker.routerId,
      clusterIds: (speaker.options.clusterIds ?? []).map(parseBgpId),
      importAll: options.importAll ?? true,
      drained: false,
      filter: options.importFilter,
    }
    this.exportRules = {
      kind: internal ? 'internal' : 'external',
      clusterId,
      localAs: options.localAs ?? speaker.as,
      nextHop: options.nextHop ?? 'auto',
      localAddress: { ipv4: speaker.address, ipv6: speaker.options.address6 ?? 'fd00:10::1', linkLocal: undefined },
      extendedNextHop: options.extendedNextHop ?? false,
      exportAll: options.exportAll ?? true,
      communities: options.communities ?? [],
      filter: options.exportFilter,
      longLived: options.longLived ?? false,
      drained: false,
      priorityAsLocalPref: false,
    }
    const { ribs } = speaker
    this.adjIn = before?.adjIn ?? { ipv4: ribs.adjIn('ipv4'), ipv6: ribs.adjIn('ipv6') }
    this.member = {
      address: options.address,
      ready: true,
      send: (messages) => messages.forEach(send),
      isReady() {
        return this.ready
      },
    }
    const sending = { as4, longest: MAX_MESSAGE, addPath: options.addPathSent ?? false }
    for (const family of FAMILIES) {
      this.adjIn[family].open(this.peer, this.importRules)
      const last = options.endOfRib ? encodeEndOfRib(family) : undefined
      speaker.groups[family].join(this.member, this.exportRules, sending, last)
    }
  }

  receive(message: Uint8Array): void {
    const addPath = this.#options.addPathReceived ?? false
    const update = decodeUpdate(message, { attributes: this.#interner, addPath: { ipv4: addPath, ipv6: addPath } })
    for (const routes of update.withdrawn) this.adjIn[routes.family].withdraw(routes)
    for (const routes of update.announced) this.adjIn[routes.family].announce(routes)
    if (update.endOfRib) this.adjIn[update.endOfRib].sweep()
  }

  /** The session is down; with `keep` the peer's routes stay as stale. */
  down(keep = false): void {
    for (const family of FAMILIES) {
      this.#speaker.groups[family].leave(this.member.address)
      if (keep) this.adjIn[family].keep()
      else this.adjIn[family].clear()
    }
  }
}

/** A peer that says what it is told to, and remembers what it hears. */
export class ScriptedPeer {
  readonly session: Session
  /** By prefix; with path identifiers by `10.0.0.0/8 1`. */
  readonly rib = new Map<string, PathAttributes>()
  readonly updates: Update[] = []
  readonly messages: Uint8Array[] = []
  readonly #options: PeerOptions
  readonly #interner: AttributeInterner

  constructor(speaker: Speaker, options: PeerOptions) {
    this.#options = options
    const internal = options.as === (options.localAs ?? speaker.as)
    this.#interner = new AttributeInterner({ internal, as4: options.as4 ?? true, asSets: 'accept' })
    this.session = speaker.session(options, (message) => this.#hear(message))
  }

  announce(prefixes: readonly string[], route: PathAttributes, pathId?: number): void {
    this.#eachFamily(
      prefixes,
      (routes) => {
        const sending = { as4: this.#options.as4 ?? true, longest: MAX_MESSAGE }
        return encodeAnnouncement({ ...routes, attributes: route }, sending)!
      },
      pathId,
    )
  }

  withdraw(prefixes: readonly string[], pathId?: number): void {
    this.#eachFamily(prefixes, (routes) => encodeWithdrawal(routes, { longest: MAX_MESSAGE }), pathId)
  }

  endOfRib(family: Family = 'ipv4'): void {
    this.session.receive(encodeEndOfRib(family))
  }

  #eachFamily(
    prefixes: readonly string[],
    encode: (routes: { family: Family; prefixes: PrefixKey[]; pathIds: number[] | undefined }) => Uint8Array[],
    pathId: number | undefined,
  ): void {
    const keys = prefixes.map(parsePrefixKey)
    for (const family of FAMILIES) {
      const mine = keys.filter((key) => familyOfKey(key) === family)
      if (mine.length === 0) continue
      const pathIds = pathId === undefined ? undefined : mine.map(() => pathId)
      for (const message of encode({ family, prefixes: mine, pathIds })) this.session.receive(message)
    }
  }

  #hear(message: Uint8Array): void {
    this.messages.push(message)
    const addPath = this.#options.addPathSent ?? false
    const update = decodeUpdate(message, { attributes: this.#interner, addPath: { ipv4: addPath, ipv6: addPath } })
    this.updates.push(update)
    for (const routes of update.withdrawn) for (const name of namesOf(routes)) this.rib.delete(name)
    for (const routes of update.announced) for (const name of namesOf(routes)) this.rib.set(name, routes.attributes)
  }
}

/** `10.0.0.0/8`, with its path identifier where there is one. */
function namesOf({ prefixes, pathIds }: Nlri): string[] {
  return prefixes.map((key, i) => (pathIds ? `${formatPrefixKey(key)} ${pathIds[i]}` : formatPrefixKey(key)))
}

/** A session between two speakers: each with what it has configured of the other. */
export function link(
  a: Speaker,
  ofB: Omit<PeerOptions, 'address' | 'as'>,
  b: Speaker,
  ofA: Omit<PeerOptions, 'address' | 'as'>,
) {
  const toB: Uint8Array[] = []
  const toA: Uint8Array[] = []
  const atA = a.session({ ...ofB, address: b.address, as: b.as }, (message) => toB.push(message))
  const atB = b.session({ ...ofA, address: a.address, as: a.as }, (message) => toA.push(message))
  const carry = (): boolean => {
    const some = toA.length + toB.length > 0
    for (const message of toB.splice(0)) atB.receive(message)
    for (const message of toA.splice(0)) atA.receive(message)
    return some
  }
  return { atA, atB, carry }
}

/** Until nobody has anything to say any more. */
export function settleAll(speakers: readonly Speaker[], links: readonly { carry(): boolean }[]): void {
  for (let some = true; some; ) {
    for (const speaker of speakers) speaker.settle()
    some = links.map(({ carry }) => carry()).includes(true)
  }
}
