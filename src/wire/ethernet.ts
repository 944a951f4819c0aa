/**
 * Ethernet II frames and their VLAN tags: IEEE 802.3 §3, IEEE 802.1Q §9.
 *
 *   +-------------+--------+ - - - - - - - - - - - - - - +-----------+---------
 *   | destination | source | TPID | PCP DEI VID (per tag) | EtherType | payload
 *   +-------------+--------+ - - - - - - - - - - - - - - +-----------+---------
 *          6           6       2          2                    2
 *
 * The frame check sequence is not here: neither packet sockets nor captures carry it. Padding of short frames stays in
 * the payload, where the next protocol's own length tells it apart.
 */
import { layout, mac, u16 } from './layout.ts'

/** IEEE 802 Numbers, as linux/if_ether.h names them. Values below 1536 are 802.3 lengths. */
export const EtherType = {
  ipv4: 0x0800,
  arp: 0x0806,
  vlan: 0x8100,
  ipv6: 0x86dd,
  /** IEEE 802.1ad: the outer tag of two. */
  serviceVlan: 0x88a8,
} as const

export const BROADCAST_MAC = 'ff:ff:ff:ff:ff:ff'

export interface VlanTag {
  /** TPID: EtherType.vlan or EtherType.serviceVlan. */
  readonly protocol: number
  /** VID, 0 to 4095; 0 means that only the priority counts. */
  readonly vlan: number
  /** PCP, 0 to 7. */
  readonly priority: number
  readonly dropEligible: boolean
}

export interface Ethernet {
  readonly destination: string
  readonly source: string
  /** Outermost first; empty for an untagged frame. */
  readonly tags: readonly VlanTag[]
  readonly etherType: number
  readonly payload: Uint8Array
}

export const ethernetHeader = layout('Ethernet', { destination: mac, source: mac, etherType: u16 })
export const vlanTag = layout('802.1Q', { control: u16, etherType: u16 })

export function decodeEthernet(bytes: Uint8Array): Ethernet {
  const { destination, source, etherType: first } = ethernetHeader.decode(bytes)
  const tags: VlanTag[] = []
  let etherType = first
  let at = ethernetHeader.size
  while (etherType === EtherType.vlan || etherType === EtherType.serviceVlan) {
    const { control, etherType: inner } = vlanTag.decode(bytes.subarray(at))
    tags.push({
      protocol: etherType,
      vlan: control & 0xfff,
      priority: control >> 13,
      dropEligible: (control & 0x1000) !== 0,
    })
    etherType = inner
    at += vlanTag.size
  }
  return { destination, source, tags, etherType, payload: bytes.subarray(at) }
}

export function encodeEthernet({ destination, source, tags, etherType, payload }: Ethernet): Uint8Array {
  const start = ethernetHeader.size + tags.length * vlanTag.size
  const bytes = new Uint8Array(start + payload.length)
  ethernetHeader.encode({ destination, source, etherType: tags[0]?.protocol ?? etherType }, bytes)
  for (const [i, { vlan, priority, dropEligible }] of tags.entries()) {
    if (vlan > 0xfff || priority > 7) throw new RangeError(`Cannot encode VLAN ${vlan} with priority ${priority}`)
    const control = (priority << 13) | (dropEligible ? 0x1000 : 0) | vlan
    const inner = tags[i + 1]?.protocol ?? etherType
    vlanTag.encode({ control, etherType: inner }, bytes.subarray(ethernetHeader.size + i * vlanTag.size))
  }
  bytes.set(payload, start)
  return bytes
}
