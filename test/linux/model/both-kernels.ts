/** The same namespaces in Linux and in the model, the same calls to both, and what captures in both saw. */

import assert from 'node:assert/strict'
import type { CapturedPacket, LiveKernel } from '../../../src/kernel/live.ts'
import { liveLinux } from '../../../src/linux/live.ts'
import type { ModelKernel } from '../../../src/model/create.ts'
import { eventually } from '../../contract/kernel/case.ts'
import { followedModel } from '../../support/followed-model.ts'

/** The namespaces of one kernel, by name. */
export type Rig = Readonly<Record<string, LiveKernel>>

const ARP = 0x0806
const IPV4 = 0x0800
const ICMP = 1
const IGMP = 2
/** An EtherType for frames that say: all before this has been seen. */
const MARKER = 0x88b5

interface Row {
  readonly name: string
  readonly packet: CapturedPacket
}

export type Mask = (bytes: Uint8Array, packet: CapturedPacket) => Uint8Array

let rigs = 0

export class BothKernels {
  readonly #linux = liveLinux()
  readonly #model: ModelKernel = followedModel()
  readonly #names: readonly string[]
  readonly #prefix = `rig-${process.pid}-${++rigs}`
  readonly linux: Rig
  readonly model: Rig
  readonly #seen = new Map<Rig, Row[]>()
  #marks = 0

  /** IPv6 is off in them, and lo is up. */
  constructor(...names: string[]) {
    this.#names = names
    this.linux = this.#rig(this.#linux)
    this.model = this.#rig(this.#model)
  }

  #rig(kernel: LiveKernel): Rig {
    const seen: Row[] = []
    const rig = Object.fromEntries(
      this.#names.map((name) => {
        const inside = kernel.enter(kernel.namespaces.add(`${this.#prefix}-${name}`))!
        for (const which of ['all', 'default']) inside.sysctl.set(`net/ipv6/conf/${which}/disable_ipv6`, '1')
        inside.links.set('lo', { up: true })
        inside.packets.capture({}, (packet) => {
          if (packet.link !== 'lo' && !isNoise(packet)) seen.push({ name, packet })
        })
        return [name, inside]
      }),
    )
    this.#seen.set(rig, seen)
    return rig
  }

  /** Does the same in both. */
  each(body: (rig: Rig) => void): void {
    body(this.linux)
    body(this.model)
  }

  /** As each, but answers the errno where a kernel refuses. */
  outcomes(body: (rig: Rig) => void): [linux: string, model: string] {
    const outcome = (rig: Rig) => {
      try {
        body(rig)
        return 'done'
      } catch (error) {
        return (error as { errno?: string }).errno ?? `${error}`
      }
    }
    return [outcome(this.linux), outcome(this.model)]
  }

  /** A veth pair, `ns:name` and `ns:name`, up at both ends and seen to be. */
  async pair(one: string, mac: string, other: string, otherMac: string): Promise<void> {
    const [ns = '', name = ''] = one.split(':')
    const [there = '', peer = ''] = other.split(':')
    this.each((rig) => {
      const namespace = rig[there]!
      rig[ns]!.links.add({ kind: 'veth', name, mac, peer: { name: peer, namespace, mac: otherMac } })
      rig[ns]!.links.set(name, { up: true })
      namespace.links.set(peer, { up: true })
    })
    await this.isUp(one)
    await this.isUp(other)
  }

  /** Linux finds a carrier a little later. */
  async isUp(device: string): Promise<void> {
    const [ns = '', name = ''] = device.split(':')
    await eventually(() => this.linux[ns]!.links.get(name)?.operState === 'up', `${device} is up`)
  }

  /** Puts a frame on `ns:device`; both may refuse it alike. */
  send(at: string, frame: Uint8Array): void {
    const [ns = '', link = ''] = at.split(':')
    const [linux, model] = this.outcomes((rig) => rig[ns]!.packets.send(link, frame))
    // The veth itself has dropped it, of which the model tells the sender nothing.
    if (linux === 'ENOBUFS') return
    assert.equal(model, linux, `sending ${frame.length} bytes on ${at}`)
  }

  /**
   * What both saw since the last call, device by device in the order of time. Throws at the first row that differs. `mask` takes
   * out of a frame what may.
   */
  async compare(mask: Mask = (bytes) => bytes): Promise<void> {
    const { linux, model } = await this.take(mask)
    const at = linux.findIndex((row, i) => row !== model[i])
    if (at < 0 && linux.length === model.length) return
    const from = at < 0 ? linux.length : at
    assert.fail(
      `Linux saw\n  ${linux.slice(from, from + 3).join('\n  ')}\nthe model\n  ${model.slice(from, from + 3).join('\n  ')}`,
    )
  }

  /** What was seen since the last call, in the order of captures' times, at each device by itself. */
  async take(mask: Mask = (bytes) => bytes): Promise<{ linux: string[]; model: string[] }> {
    await this.#settled()
    return { linux: this.#sorted(this.linux, mask), model: this.#sorted(this.model, mask) }
  }

  #sorted(rig: Rig, mask: Mask): string[] {
    return this.#seen
      .get(rig)!
      .splice(0)
      .sort((a, b) => Number(a.packet.time - b.packet.time))
      .map(({ name, packet }) => describe(name, packet, mask(packet.bytes, packet)))
      .sort(compareDevices)
  }

  /** Sends a frame out of every namespace's lo, and waits until the captures have it: all before it has been seen. */
  async #settled(): Promise<void> {
    const seen = this.#seen.get(this.linux)!
    const mark = ++this.#marks
    const frame = Uint8Array.from({ length: 60 }, () => 0)
    frame.set([MARKER >> 8, MARKER & 0xff, mark >> 8, mark & 0xff], 12)
    const text = Buffer.from(frame).toString('hex')
    let marked = 0
    const captures = this.#names.map((name) =>
      this.linux[name]!.packets.capture({ link: 'lo' }, ({ bytes, packetType }) => {
        if (packetType === 'outgoing' && Buffer.from(bytes).toString('hex') === text) marked++
      }),
    )
    for (const name of this.#names) this.linux[name]!.packets.send('lo', frame)
    let before = -1
    await eventually(() => {
      const quiet = marked === this.#names.length && seen.length === before
      before = seen.length
      return quiet
    }, 'captures have come to an end')
    for (const capture of captures) capture.close()
  }

  close(): void {
    for (const name of this.#names) {
      this.linux[name]!.close()
      this.#linux.namespaces.delete(`${this.#prefix}-${name}`)
    }
    this.#linux.close()
  }
}

const SHOWN = 120

/** Long frames are filled with zeros here: their length tells all. */
function describe(name: string, { link, packetType }: CapturedPacket, bytes: Uint8Array): string {
  return `${name}:${link} ${packetType} ${Buffer.from(bytes.subarray(0, SHOWN)).toString('hex')} ${bytes.length}`
}

function compareDevices(a: string, b: string): number {
  const [one, other] = [a.split(' ')[0]!, b.split(' ')[0]!]
  return one < other ? -1 : one > other ? 1 : 0
}

/** What a bridge says of itself to multicast routers, and errors, whose numbers are drawn, are not what is compared here. */
function isNoise({ bytes }: CapturedPacket): boolean {
  return ((bytes[12]! << 8) | bytes[13]!) === IPV4 && (bytes[23] === IGMP || bytes[23] === ICMP)
}

export function fromHex(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex.replace(/[: ]/g, ''), 'hex'))
}

export interface ArpFrame {
  readonly to: string
  readonly from: string
  readonly operation: number
  readonly senderMac: string
  readonly sender: string
  readonly targetMac: string
  readonly target: string
}

export interface Ipv4Frame {
  readonly to: string
  readonly from: string
  readonly source: string
  readonly destination: string
  readonly tos?: number
  /** Bytes of data. */
  readonly size?: number
  readonly ports?: readonly [source: number, destination: number]
  readonly payload?: Uint8Array
  /** Of UDP; 0 is sent where it is left out. */
  readonly checksum?: boolean
}

/** A UDP datagram, 4000 → 4001 with one byte where nothing else is said. */
export function ipv4Frame(frame: Ipv4Frame): Uint8Array {
  const { tos = 0, size = 1, ports = [4000, 4001], payload = new Uint8Array(size), checksum = false } = frame
  const udp = fromHex(`${[...ports, 8 + payload.length, 0].map(hex16).join('')}`)
  const segment = Uint8Array.from([...udp, ...payload])
  const addresses = fromHex(`${address(frame.source)}${address(frame.destination)}`)
  if (checksum) segment.set(checksumOf(Uint8Array.from([...addresses, 0, 17, 0, 0, ...segment, 0]), segment.length), 6)
  const header = fromHex(`45${hex16(tos).slice(2)}${hex16(20 + segment.length)}0001000040110000`)
  const start = Uint8Array.from([...header, ...addresses])
  start.set(checksumOf(start, 0), 10)
  return Uint8Array.from([...fromHex(`${frame.to}${frame.from}0800`), ...start, ...segment])
}

const hex16 = (value: number) => value.toString(16).padStart(4, '0')

/** Of an even number of bytes, or one more that is 0; `initial` is added. */
function checksumOf(bytes: Uint8Array, initial: number): Uint8Array {
  let sum = initial
  for (let at = 0; at + 1 < bytes.length; at += 2) sum += (bytes[at]! << 8) | bytes[at + 1]!
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return Uint8Array.of((~sum >>> 8) & 0xff, ~sum & 0xff)
}

const address = (text: string) =>
  text
    .split('.')
    .map((part) => Number(part).toString(16).padStart(2, '0'))
    .join('')

export function arpFrame({ to, from, operation, senderMac, sender, targetMac, target }: ArpFrame): Uint8Array {
  const type = ARP.toString(16).padStart(4, '0')
  return fromHex(
    `${to}${from}${type}00010800060400${'0'}${operation}${senderMac}${address(sender)}${targetMac}${address(target)}`,
  )
}
