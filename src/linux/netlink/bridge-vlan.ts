/**
 * VLANs of a bridge's ports and of the bridge itself: `bridge vlan`. Source: linux/if_bridge.h.
 *
 * They are set by RTM_SETLINK of family AF_BRIDGE, in the order that the kernel has had since 3.9, and listed by RTM_GETVLAN
 * (5.6), which unlike a listing of links lists one link's alone, and which a kernel without VLAN filtering refuses.
 */
import type { BridgeVlan, BridgeVlans } from '../../kernel/link.ts'
import { DecodeError } from '../../wire/errors.ts'
import { LITTLE_ENDIAN } from '../byte-order.ts'
import { Attributes, decodeAttributes } from './attribute.ts'
import { AF_BRIDGE } from './family.ts'
import { requireLinkIndex } from './link-index.ts'
import { MessageWriter } from './message.ts'
import type { NetlinkSocket } from './socket.ts'

const RTM_SETLINK = 19
const RTM_DELLINK = 17
const RTM_GETVLAN = 114

const IFLA_AF_SPEC = 26
const IFLA_BRIDGE_FLAGS = 0
const IFLA_BRIDGE_VLAN_INFO = 2
/** The change is for the device itself and not for the bridge that it is a port of. */
const BRIDGE_FLAGS_SELF = 2
const BRIDGE_VLAN_INFO_PVID = 2
const BRIDGE_VLAN_INFO_UNTAGGED = 4
const BRIDGE_VLAN_INFO_RANGE_BEGIN = 8
const BRIDGE_VLAN_INFO_RANGE_END = 16

/** struct br_vlan_msg: family (1), padding (3), index (4). */
const BR_VLAN_MSG_SIZE = 8
const BRIDGE_VLANDB_ENTRY = 1
const BRIDGE_VLANDB_ENTRY_INFO = 1
const BRIDGE_VLANDB_ENTRY_RANGE = 2

export function encodeBridgeVlan(
  operation: 'add' | 'delete',
  index: number,
  vlan: Pick<BridgeVlan, 'id' | 'end'> & Partial<BridgeVlan>,
  self: boolean,
): Uint8Array {
  const writer = new MessageWriter().message(operation === 'add' ? RTM_SETLINK : RTM_DELLINK, 0)
  writer.u8(AF_BRIDGE).u8(0).u16(0).u32(index).u32(0).u32(0) // struct ifinfomsg
  const flags = (vlan.pvid ? BRIDGE_VLAN_INFO_PVID : 0) | (vlan.untagged ? BRIDGE_VLAN_INFO_UNTAGGED : 0)
  const info = (id: number, more: number) =>
    writer.attributeOf(IFLA_BRIDGE_VLAN_INFO, () => writer.u16(flags | more).u16(id)) // struct bridge_vlan_info
  writer.nested(IFLA_AF_SPEC, () => {
    if (self) writer.attributeU16(IFLA_BRIDGE_FLAGS, BRIDGE_FLAGS_SELF)
    if (vlan.end === vlan.id) {
      info(vlan.id, 0)
    } else {
      info(vlan.id, BRIDGE_VLAN_INFO_RANGE_BEGIN)
      info(vlan.end, BRIDGE_VLAN_INFO_RANGE_END)
    }
  })
  return writer.finish()
}

export function encodeListBridgeVlans(index: number): Uint8Array {
  return new MessageWriter().message(RTM_GETVLAN, 0).u8(AF_BRIDGE).u8(0).u16(0).u32(index).finish()
}

/** The payload of an RTM_NEWVLAN. */
export function decodeBridgeVlans(payload: Uint8Array): BridgeVlan[] {
  if (payload.length < BR_VLAN_MSG_SIZE) throw new DecodeError('br_vlan_msg', payload.length, 'it is cut off')
  return decodeAttributes(payload, BR_VLAN_MSG_SIZE)
    .filter(({ type }) => type === BRIDGE_VLANDB_ENTRY)
    .map(({ value }) => {
      const entry = new Attributes(value)
      const info = entry.bytes(BRIDGE_VLANDB_ENTRY_INFO)
      if (!info || info.length < 4) throw new DecodeError('bridge_vlan_info', 0, 'it is cut off')
      const view = new DataView(info.buffer, info.byteOffset, info.length)
      const flags = view.getUint16(0, LITTLE_ENDIAN)
      const id = view.getUint16(2, LITTLE_ENDIAN)
      return {
        id,
        end: entry.u16(BRIDGE_VLANDB_ENTRY_RANGE) ?? id,
        pvid: (flags & BRIDGE_VLAN_INFO_PVID) !== 0,
        untagged: (flags & BRIDGE_VLAN_INFO_UNTAGGED) !== 0,
      }
    })
}

export class LinuxBridgeVlans implements BridgeVlans {
  readonly #socket: () => NetlinkSocket

  constructor(socket: () => NetlinkSocket) {
    this.#socket = socket
  }

  list(link: string): BridgeVlan[] {
    const call = `list VLANs of "${link}"`
    const socket = this.#socket()
    const index = requireLinkIndex(socket.descriptor, link, call)
    return socket.dump(call, encodeListBridgeVlans(index), ({ payload }) => decodeBridgeVlans(payload)).flat()
  }

  add(link: string, vlan: BridgeVlan, options?: { readonly self?: boolean }): void {
    this.#change('add', link, vlan, options)
  }

  delete(link: string, vlan: Pick<BridgeVlan, 'id' | 'end'>, options?: { readonly self?: boolean }): void {
    this.#change('delete', link, vlan, options)
  }

  #change(
    operation: 'add' | 'delete',
    link: string,
    vlan: Pick<BridgeVlan, 'id' | 'end'>,
    { self = false }: { readonly self?: boolean } = {},
  ): void {
    const call = `${operation} VLAN ${vlan.id === vlan.end ? vlan.id : `${vlan.id}-${vlan.end}`} of "${link}"`
    const socket = this.#socket()
    const index = requireLinkIndex(socket.descriptor, link, call)
    socket.request(call, encodeBridgeVlan(operation, index, vlan, self))
  }
}
