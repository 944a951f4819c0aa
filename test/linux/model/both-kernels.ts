/** The same namespaces in Linux and in the model, the same calls to both, and what captures in both saw. */

import assert from 'node:assert/strict'
import type { CapturedPacket, LiveKernel } from '../../../src/kernel/live.ts'
import { liveLinux } from '../../../src/linux/live.ts'
import { createModel, type ModelKernel } from '../../../src/model/create.ts'
import { eventually } from '../../contract/kernel/case.ts'

/** The namespaces of one kernel, by name. */
export type Rig = Readonly<Record<string, LiveKernel>>

const ARP = 0x0806
const IPV4 = 0x0800
const ICMP = 1
const IGMP = 2
/** An EtherType for frames that say: all before this has been seen. */
const MARKER = 0x88b5

let rigs = 0

export class BothKernels {
  readonly #linux = liveLinux()
  readonly #model: ModelKernel = createModel()
  readonly #names: readonly string[]
  readonly #prefix = `rig-${process.pid}-${++rigs}`
  readonly linux: Rig
  readonly model: Rig
  readonly #seen = new Map<Rig, { stamp: bigint; text: string }[]>()
  #marks = 0

  /** IPv6 is off in them, and lo is up. */
  constructor(...names: string[]) {
    this.#names = names
    this.linux = this.#rig(this.#linux)
    this.model = this.#rig(this.#model)
  }

  #rig(kernel: LiveKernel): Rig {
    const seen: { stamp: bigint; text: string }[] = []
    const rig = Object.fromEntries(
      this.#names.map((name) => {
        const inside = kernel.enter(kernel.namespaces.add(`${this.#prefix}-${name}`))!
        for (const which of ['all', 'default']) inside.sysctl.set(`net/ipv6/conf/${which}/disable_ipv6`, '1')
        inside.links.set('lo', { up: true })
        inside.packets.capture({}, (packet) => {
          if (packet.link !== 'lo' && !isNoise(packet)) seen.push({ stamp: packet.time, text: describe(name, packet) })
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

  /** What both saw since the last call, device by device in the order of time. Throws at the first row that differs. */
  async compare(): Promise<void> {
    const { linux, model } = await this.take()
    const at = linux.findIndex((row, i) => row !== model[i])
    if (at < 0 && linux.length === model.length) return
    const from = at < 0 ? linux.length : at
    assert.fail(
      `Linux saw\n  ${linux.slice(from, from + 3).join('\n  ')}\nthe model\n  ${model.slice(from, from + 3).join('\n  ')}`,
    )
  }

  /** What was seen since the last call, in the order of captures' times, at each device by itself. */
  async take(): Promise<{ linux: string[]; model: string[] }> {
    await this.#settled()
    return { linux: this.#sorted(this.linux), model: this.#sorted(this.model) }
  }

  #sorted(rig: Rig): string[] {
    const rows = this.#seen.get(rig)!.splice(0)
    return rows
      .sort((a, b) => Number(a.stamp - b.stamp))
      .map(({ text }) => text)
      .filter((text) => !text.includes(MARKER_TEXT))
      .sort((a, b) => compareDevices(a, b))
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

const MARKER_TEXT = '88b5'
const SHOWN = 64

/** Long frames are filled with zeros here: their length tells all. */
function describe(name: string, { link, packetType, bytes }: CapturedPacket): string {
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

/** UDP 4000 → 4001 with one byte and no checksum. */
export function ipv4Frame(frame: { to: string; from: string; source: string; destination: string }): Uint8Array {
  const { to, from, source, destination } = frame
  const header = fromHex(`4500001d0001000040110000${address(source)}${address(destination)}`)
  let sum = 0
  for (let at = 0; at < header.length; at += 2) sum += (header[at]! << 8) | header[at + 1]!
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  header.set([(~sum >>> 8) & 0xff, ~sum & 0xff], 10)
  return fromHex(`${to}${from}0800${Buffer.from(header).toString('hex')}0fa00fa10009000078`)
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
