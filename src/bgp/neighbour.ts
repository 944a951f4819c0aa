/**
 * A neighbour: its session on one side (peer.ts), its routes in the tables on the other (rib/).
 *
 *   peer ── established, update, down … ──> this ──> Adj-RIB-In          what it announces
 *   peer <── send, End-of-RIB, refresh ─── this <── update group         what it is sent
 */
import type { Clock } from '../store/clock.ts'
import type { BfdWatch, StartBfd } from './bfd.ts'
import type { Negotiated } from './capability/negotiation.ts'
import { CeaseError, ErrorCode } from './errors.ts'
import { FAMILIES, type Family } from './family.ts'
import { encodeEndOfRib } from './message/pack.ts'
import type { Update } from './message/update.ts'
import type { Node } from './node.ts'
import type { Peer } from './peer.ts'
import type { DownReason, PeerEvents } from './peer-owner.ts'
import type { PeerStatus } from './peer-status.ts'
import type { AdjIn } from './rib/adj-in.ts'
import type { Member } from './rib/adj-out.ts'
import type { GroupSending } from './rib/batch.ts'
import type { ImportRules } from './rib/import.ts'
import type { RibPeer } from './rib/path.ts'
import type { Ribs } from './rib/ribs.ts'
import { sameRules } from './rib/same-rules.ts'
import { clusterOf, exportRules, importRules, type SpeakerIdentity } from './rules.ts'
import type { NeighbourSettings } from './speaker-settings.ts'

/** Milliseconds from the end of a session to the last packet of its BFD. */
export const BFD_FAREWELL = 100

/** What a neighbour needs of its speaker. */
export interface NeighbourOwner {
  readonly ribs: Ribs
  readonly node: Node
  readonly clock: Clock
  readonly startBfd: StartBfd | undefined
  readonly identity: SpeakerIdentity
  /** The tables have changed, or somebody can be sent something. */
  touched(): void
  /** The session is in another state, or has said that it has sent all. */
  changed(): void
  log(text: string): void
}

export interface NeighbourStatus extends PeerStatus {
  readonly settings: NeighbourSettings
  /** In one line, why there is no session, or with whom there is. */
  readonly description: string
  /** Prefixes that it has announced, and those of them that are not excluded. */
  readonly routes: Readonly<Record<Family, { readonly received: number; readonly accepted: number }>>
  /** Its routes, and ours that it has, are used where there are no others: RFC 8326. */
  readonly drained: boolean
  readonly staleFamilies: readonly Family[]
  /** undefined: without BFD. */
  readonly bfd: BfdWatch['state'] | undefined
}

export class Neighbour implements PeerEvents {
  #settings: NeighbourSettings
  readonly #owner: NeighbourOwner
  readonly #peerOf: () => Peer
  readonly #adjIn: Readonly<Record<Family, AdjIn>>
  readonly #member: Member
  readonly #importRules: Partial<Record<Family, ImportRules>> = {}
  /** Agreed upon, of the last session. */
  #families: readonly Family[] = []
  #hasRoom = true
  #isDrained = false
  #bfd: BfdWatch | undefined
  /** Of a session that is over. */
  #endBfd: () => void = () => {}

  /** `peer`: its sessions, which begin after this. */
  constructor(settings: NeighbourSettings, owner: NeighbourOwner, peer: () => Peer) {
    this.#settings = settings
    this.#owner = owner
    this.#peerOf = peer
    this.#adjIn = { ipv4: owner.ribs.adjIn('ipv4'), ipv6: owner.ribs.adjIn('ipv6') }
    this.#member = {
      address: settings.session.address,
      send: (messages) => {
        this.#hasRoom = this.peer.send(messages)
      },
      isReady: () => this.#hasRoom,
    }
  }

  get peer(): Peer {
    return this.#peerOf()
  }

  get address(): string {
    return this.#settings.session.address
  }

  get settings(): NeighbourSettings {
    return this.#settings
  }

  get status(): NeighbourStatus {
    const routes = ({ received, accepted }: AdjIn) => ({ received, accepted })
    return {
      ...this.peer.status,
      settings: this.#settings,
      description: this.peer.describe(),
      routes: { ipv4: routes(this.#adjIn.ipv4), ipv6: routes(this.#adjIn.ipv6) },
      drained: this.#isDrained,
      staleFamilies: this.peer.kept,
      bfd: this.#bfd?.state,
    }
  }

  /** What it has announced of the family. */
  received(family: Family): ReturnType<AdjIn['routes']> {
    return this.#adjIn[family].routes()
  }

  /** Other settings, of which those of the session are the same. What follows from them is sent in the next round. */
  revise(settings: NeighbourSettings): void {
    const { bfd } = this.#settings
    this.#settings = settings
    this.reviseRules()
    if (JSON.stringify(bfd) !== JSON.stringify(settings.bfd)) this.#reviseBfd()
    this.#checkLimits()
  }

  /** RFC 8326: before an end that is planned, so that packets go other ways when it comes; or not any more. */
  drain(isDrained: boolean): void {
    this.#isDrained = isDrained
    this.reviseRules()
    this.#owner.changed()
  }

  /** What the rules follow from may be another: addresses of the node, other neighbours. */
  reviseRules(): void {
    const { negotiated } = this.peer.status
    if (!negotiated) return
    const { identity, ribs } = this.#owner
    const local = this.#localAddress()
    for (const family of negotiated.families) {
      const rules = importRules(identity, this.#settings, family, this.#isDrained)
      const before = this.#importRules[family]
      this.#importRules[family] = rules
      if (!before || !sameRules(before, rules)) this.#adjIn[family].setRules(rules)
      ribs.groups[family].setRules(
        this.address,
        exportRules(identity, this.#settings, family, negotiated, local, this.#isDrained),
      )
    }
    this.#owner.touched()
  }

  /** A neighbour on the link cannot be there when the link is down. RFC 4271 leaves it open; who waits loses packets. */
  checkLink(): void {
    const { negotiated } = this.peer.status
    const { multihop } = this.#settings.session
    if (!negotiated || negotiated.internal || multihop !== undefined) return
    const why = this.#owner.node.whyUnreachable(this.address)
    if (why !== undefined) this.peer.unreachable(why)
  }

  /** It is none any more. */
  close(): void {
    this.#closeBfd()
    for (const family of FAMILIES) this.#forget(family)
    this.#owner.touched()
  }

  // What the session tells

  established(negotiated: Negotiated): void {
    const { ribs, identity } = this.#owner
    const { as4, longestSent: longest, addPathSent } = negotiated
    const local = this.#localAddress()
    const peer = this.#ribPeer(negotiated)
    this.#hasRoom = true
    this.#families = negotiated.families
    for (const family of negotiated.families) {
      const accepted = importRules(identity, this.#settings, family, this.#isDrained)
      this.#importRules[family] = accepted
      this.#adjIn[family].open(peer, accepted)
      const rules = exportRules(identity, this.#settings, family, negotiated, local, this.#isDrained)
      const sending: GroupSending = { as4, longest, addPath: addPathSent[family] }
      ribs.groups[family].join(this.#member, rules, sending, encodeEndOfRib(family))
    }
    this.#watchBfd()
    this.#owner.touched()
  }

  /** Routes of a family that was not agreed upon are nobody's: RFC 4760 §8. */
  update({ withdrawn, announced, damage }: Update): void {
    for (const routes of withdrawn) this.#adjIn[routes.family].withdraw(routes)
    for (const routes of announced)
      if (this.#families.includes(routes.family)) this.#adjIn[routes.family].announce(routes)
    for (const { error, handling } of damage)
      this.log(`${this.address}: damaged UPDATE (${handling}): ${error.message}`)
    if (this.#settings.maxPrefixes !== undefined) this.#checkLimits()
    this.#owner.touched()
  }

  endOfRib(): void {
    this.#owner.changed()
  }

  /** RFC 2918 §4, and between markers where the peer knows them: RFC 7313 §4. */
  refresh(family: Family): void {
    const last = this.peer.beginRefresh(family)
    this.#owner.ribs.groups[family].of(this.address)?.refresh(this.address, last)
    this.#owner.touched()
  }

  refreshing(family: Family): void {
    this.#adjIn[family].refreshBegins()
  }

  sweep(family: Family): void {
    this.#adjIn[family].sweep()
    this.#owner.touched()
  }

  longLived(family: Family): void {
    this.#adjIn[family].keepLongLived()
    this.#owner.touched()
  }

  down({ keepRoutes }: DownReason): void {
    this.#closeBfd()
    for (const family of FAMILIES) {
      if (keepRoutes.includes(family)) {
        this.#owner.ribs.groups[family].leave(this.address)
        this.#adjIn[family].keep()
      } else this.#forget(family)
    }
    this.#owner.touched()
  }

  writable(): void {
    this.#hasRoom = true
    this.#owner.touched()
  }

  changed(): void {
    this.#owner.changed()
  }

  log(text: string): void {
    this.#owner.log(text)
  }

  #forget(family: Family): void {
    this.#owner.ribs.groups[family].leave(this.address)
    this.#adjIn[family].clear()
  }

  #ribPeer({ peerId, peerAs, internal }: Negotiated): RibPeer {
    return {
      address: this.address,
      routerId: peerId,
      as: peerAs,
      kind: internal ? 'internal' : 'external',
      clusterId: internal ? clusterOf(this.#settings, this.#owner.identity.routerId) : undefined,
    }
  }

  /** An address that the session cannot have told is said by nobody. */
  #localAddress() {
    const { localAddress } = this.peer.status
    if (localAddress === undefined) return { ipv4: undefined, ipv6: undefined, linkLocal: undefined }
    return this.#owner.node.localAddress(localAddress, this.address)
  }

  #checkLimits(): void {
    const { maxPrefixes } = this.#settings
    if (maxPrefixes === undefined) return
    for (const family of FAMILIES) {
      if (this.#adjIn[family].accepted <= maxPrefixes) continue
      this.peer.tooManyPrefixes(family, maxPrefixes)
      return
    }
  }

  /** The peer hears from BGP first why it is over: of two daemons that hear it at once, one may be quicker. */
  #closeBfd(): void {
    const watch = this.#bfd
    if (!watch) return
    this.#bfd = undefined
    const cancel = this.#owner.clock.after(BFD_FAREWELL, () => this.#endBfd())
    this.#endBfd = () => {
      cancel()
      watch.close()
      this.#endBfd = () => {}
    }
  }

  /** RFC 5882 §10.2: for as long as there is a session. Whoever has no BFD is not missed. */
  #watchBfd(): void {
    this.#closeBfd()
    this.#endBfd()
    const { startBfd } = this.#owner
    const { bfd, session } = this.#settings
    if (!startBfd || !bfd) return
    const { address: remote, multihop } = session
    const local = this.peer.status.localAddress ?? session.localAddress
    const events = {
      up: () => this.log(`${remote}: BFD is up`),
      down: (why: string) => this.#bfdDown(why),
    }
    this.#bfd = startBfd({ local, remote, multihop: multihop !== undefined }, bfd, events)
  }

  /** Some neighbours take a session that is closed for one that is broken, so it stays where it can. */
  #reviseBfd(): void {
    const { bfd } = this.#settings
    if (!this.peer.established) return
    if (this.#bfd && bfd) this.#bfd.change(bfd)
    else if (bfd) this.#watchBfd()
    else this.#closeBfd()
  }

  /** RFC 5882 §4.3, RFC 9384. The way there is broken, so nothing is kept. */
  #bfdDown(why: string): void {
    if (!this.#bfd) return
    this.log(`${this.address}: BFD is down: ${why}`)
    this.peer.fail({ code: ErrorCode.cease, subcode: CeaseError.bfdDown, data: new Uint8Array(0) })
  }
}
