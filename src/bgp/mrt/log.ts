/**
 * What happens on all sessions, written down as it happens: BGP4MP_ET records of messages in both directions and of changes of
 * state. RFC 6396 §4.4. Each says how its message is to be read: with AS numbers of four octets, with path identifiers (RFC 8050).
 */
import type { Clock } from '../../store/clock.ts'
import type { State } from '../fsm.ts'
import { MessageType, messageType } from '../message/header.ts'
import type { ObservedSession, Observer } from '../observer.ts'
import { type Bgp4mp, bgp4mpSubtype, encodeBgp4mp, noAddress } from './bgp4mp.ts'
import { encodeRecord, MrtType } from './record.ts'

export class MrtLog implements Observer {
  readonly #clock: Clock
  readonly #write: (record: Uint8Array) => void

  /** The clock's time is what records say; `write` is called for each, and takes it at once or drops it. */
  constructor(clock: Clock, write: (record: Uint8Array) => void) {
    this.#clock = clock
    this.#write = write
  }

  received(session: ObservedSession, octets: Uint8Array): void {
    this.#message(session, octets, false)
  }

  sent(session: ObservedSession, octets: Uint8Array): void {
    this.#message(session, octets, true)
  }

  changed(session: ObservedSession, from: State, to: State): void {
    this.#record(session, { kind: 'state', as4: true, local: false, addPath: false, from, to })
  }

  #message(session: ObservedSession, octets: Uint8Array, local: boolean): void {
    const { negotiated } = session
    const isUpdate = messageType(octets) === MessageType.update
    // An OPEN has both forms of its AS number; only in UPDATEs the session decides.
    const as4 = !isUpdate || (negotiated?.as4 ?? true)
    const withIds = negotiated && (local ? negotiated.addPathSent : negotiated.addPathReceived)
    const addPath = isUpdate && withIds !== undefined && (withIds.ipv4 || withIds.ipv6)
    this.#record(session, { kind: 'message', as4, local, addPath, octets })
  }

  #record({ settings, ends, negotiated }: ObservedSession, what: Bgp4mp['what']): void {
    const peerAddress = settings.address
    const record: Bgp4mp = {
      peerAs: negotiated?.peerAs ?? settings.remoteAs ?? 0,
      localAs: settings.localAs,
      peerAddress,
      localAddress: ends.local?.address ?? settings.localAddress ?? noAddress(peerAddress),
      what,
    }
    const subtype = bgp4mpSubtype(record)
    this.#write(encodeRecord({ time: this.#clock.now(), type: MrtType.bgp4mpEt, subtype, body: encodeBgp4mp(record) }))
  }
}
