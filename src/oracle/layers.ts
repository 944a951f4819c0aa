/**
 * The headers of a frame, outermost first: what a tunnel carries and what an ICMP error quotes included. As far as they are
 * there: a frame may be cut off, or be no packet at all.
 */
import { arpHeader } from '../wire/arp.ts'
import { EtherType, ethernetHeader, vlanTag } from '../wire/ethernet.ts'
import { icmpHeader } from '../wire/icmp.ts'
import { Icmpv6Type, icmpv6Header } from '../wire/icmpv6.ts'
import { IpProtocol, ipv4Header } from '../wire/ipv4.ts'
import { ExtensionType, extensionLength, fragmentHeader, ipv6Header, isExtension } from '../wire/ipv6.ts'
import type { Fields, Layout } from '../wire/layout.ts'
import { tcpHeader } from '../wire/tcp.ts'
import { udpHeader } from '../wire/udp.ts'
import { VXLAN_PORT, vxlanHeader } from '../wire/vxlan.ts'

export const layouts = {
  ethernet: ethernetHeader,
  vlan: vlanTag,
  arp: arpHeader,
  ipv4: ipv4Header,
  ipv6: ipv6Header,
  fragment: fragmentHeader,
  icmp: icmpHeader,
  icmpv6: icmpv6Header,
  tcp: tcpHeader,
  udp: udpHeader,
  vxlan: vxlanHeader,
} as const satisfies Readonly<Record<string, Layout<Fields>>>

export interface Layer {
  readonly protocol: keyof typeof layouts
  /** Behind a tunnel's header `inner.`, in what an ICMP error quotes `quoted.`. */
  readonly within: string
  readonly isQuoted: boolean
  /** First byte, first byte behind the header with its options, and the end of what it carries. */
  readonly at: number
  readonly behind: number
  readonly end: number
  /** Of a transport: where the addresses stand that its checksum covers. */
  readonly addresses?: readonly [start: number, end: number]
}

/** Linux' default before there was a number for it: flannel uses it, too. */
const VXLAN_PORTS: readonly number[] = [8472, VXLAN_PORT]
const VXLAN_VNI_VALID = 0x08
/** ICMP messages that quote a packet: RFC 792, RFC 1122 §3.2.2. */
const QUOTING: readonly number[] = [3, 4, 5, 11, 12]

export function layersOf(bytes: Uint8Array): Layer[] {
  const reader = new Reader(bytes)
  reader.ethernet(0, bytes.length, '', false)
  return reader.layers
}

export const wordAt = (bytes: Uint8Array, at: number): number => (bytes[at]! << 8) | bytes[at + 1]!

class Reader {
  readonly layers: Layer[] = []
  readonly #bytes: Uint8Array

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  ethernet(at: number, end: number, within: string, isQuoted: boolean): void {
    let behind = this.#add('ethernet', at, end, within, isQuoted)
    if (behind === undefined) return
    let type = wordAt(this.#bytes, behind - 2)
    while (type === EtherType.vlan || type === EtherType.serviceVlan) {
      behind = this.#add('vlan', behind, end, within, isQuoted)
      if (behind === undefined) return
      type = wordAt(this.#bytes, behind - 2)
    }
    if (type === EtherType.ipv4) this.ipv4(behind, end, within, isQuoted)
    else if (type === EtherType.ipv6) this.ipv6(behind, end, within, isQuoted)
    else if (type === EtherType.arp) this.#add('arp', behind, end, within, isQuoted)
  }

  ipv4(at: number, end: number, within: string, isQuoted: boolean): void {
    const { source, totalLength, flagsAndOffset, protocol } = ipv4Header.offsets
    const length = (this.#bytes[at]! & 15) * 4
    const behind = this.#add('ipv4', at, end, within, isQuoted, length)
    if (behind === undefined) return
    const last = Math.min(end, at + wordAt(this.#bytes, at + totalLength))
    if ((wordAt(this.#bytes, at + flagsAndOffset) & 0x1fff) !== 0) return
    this.#transport(this.#bytes[at + protocol]!, behind, last, within, isQuoted, [at + source, at + ipv4Header.size])
  }

  ipv6(at: number, end: number, within: string, isQuoted: boolean): void {
    const { source, payloadLength, nextHeader } = ipv6Header.offsets
    let behind = this.#add('ipv6', at, end, within, isQuoted)
    if (behind === undefined) return
    const last = Math.min(end, behind + wordAt(this.#bytes, at + payloadLength))
    let next = this.#bytes[at + nextHeader]!
    while (isExtension(next)) {
      const start: number = behind
      if (next === ExtensionType.fragment) {
        behind = this.#add('fragment', start, last, within, isQuoted)
        if (behind === undefined) return
        if (wordAt(this.#bytes, start + fragmentHeader.offsets.offsetAndMore) >> 3 !== 0) return
      } else {
        behind = start + extensionLength(next, this.#bytes[start + 1] ?? 0)
        if (behind > last) return
      }
      next = this.#bytes[start]!
    }
    this.#transport(next, behind, last, within, isQuoted, [at + source, at + ipv6Header.size])
  }

  #transport(
    protocol: number,
    at: number,
    end: number,
    within: string,
    isQuoted: boolean,
    addresses: readonly [number, number],
  ): void {
    const bytes = this.#bytes
    if (protocol === IpProtocol.udp) {
      const behind = this.#add('udp', at, end, within, isQuoted, udpHeader.size, addresses)
      if (behind === undefined || !isVxlan(bytes, at, end)) return
      const frame = this.#add('vxlan', behind, end, within, isQuoted)
      if (frame !== undefined) this.ethernet(frame, end, `${within}inner.`, isQuoted)
    } else if (protocol === IpProtocol.tcp) {
      const length = (bytes[at + tcpHeader.offsets.offsetAndFlags]! >> 4) * 4
      this.#add('tcp', at, end, within, isQuoted, length, addresses)
    } else if (protocol === IpProtocol.icmp) {
      const behind = this.#add('icmp', at, end, within, isQuoted)
      if (behind !== undefined && QUOTING.includes(bytes[at]!)) {
        this.ipv4(behind, end, `${within}quoted.`, true)
      }
    } else if (protocol === IpProtocol.icmpv6) {
      const behind = this.#add('icmpv6', at, end, within, isQuoted, icmpv6Header.size, addresses)
      const isError = bytes[at]! < Icmpv6Type.echoRequest
      if (behind !== undefined && isError) this.ipv6(behind + 4, end, `${within}quoted.`, true)
    }
  }

  /** Where it ends; undefined when it is not all there. What is quoted may end within a header. */
  #add(
    protocol: Layer['protocol'],
    at: number,
    end: number,
    within: string,
    isQuoted: boolean,
    length?: number,
    addresses?: readonly [number, number],
  ): number | undefined {
    const { size } = layouts[protocol]
    if (at >= end) return undefined
    const behind = at + Math.max(size, length ?? size)
    this.layers.push({ protocol, within, isQuoted, at, behind, end, ...(addresses && { addresses }) })
    return behind > end ? undefined : behind
  }
}

function isVxlan(bytes: Uint8Array, udp: number, end: number): boolean {
  const header = udp + udpHeader.size
  const inner = vxlanHeader.size + ethernetHeader.size
  if (end - header < inner || (bytes[header]! & VXLAN_VNI_VALID) === 0) return false
  return VXLAN_PORTS.includes(wordAt(bytes, udp + udpHeader.offsets.destinationPort))
}
