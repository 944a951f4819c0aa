/**
 * Features of links, as `ethtool -K` switches them: generic netlink, linux/genetlink.h, linux/ethtool_netlink.h.
 *
 *   +---------------+---------------+-------------------------------+
 *   |    command    |    version    |           reserved            |   struct genlmsghdr, then attributes
 *   +---------------+---------------+-------------------------------+
 */
import { KernelError } from '../../kernel/errors.ts'
import type { Namespace } from '../netns.ts'
import { Attributes } from './attribute.ts'
import { MessageWriter } from './message.ts'
import { NETLINK_GENERIC, NetlinkSocket, openNetlink } from './socket.ts'

const GENL_HEADER_SIZE = 4
const GENL_ID_CTRL = 16
const CTRL_CMD_GETFAMILY = 3
const CTRL_ATTR_FAMILY_ID = 1
const CTRL_ATTR_FAMILY_NAME = 2

const ETHTOOL_MSG_FEATURES_SET = 12
const ETHTOOL_A_FEATURES_HEADER = 1
const ETHTOOL_A_FEATURES_WANTED = 3
const ETHTOOL_A_HEADER_DEV_NAME = 2
const ETHTOOL_A_HEADER_FLAGS = 3
const ETHTOOL_FLAG_OMIT_REPLY = 2
const ETHTOOL_A_BITSET_BITS = 3
const ETHTOOL_A_BITSET_BITS_BIT = 1
const ETHTOOL_A_BITSET_BIT_NAME = 2

/**
 * `ethtool -K LINK tx off rx off tso off gso off gro off`: every checksum and every length is then that of the wire. That of
 * AccECN (6.18) is left out: kernels before do not know the name, and only who asks for AccECN is given it.
 */
const OFFLOADS = [
  'rx-checksum',
  'tx-checksum-ipv4',
  'tx-checksum-ip-generic',
  'tx-checksum-ipv6',
  'tx-checksum-sctp',
  'tx-tcp-segmentation',
  'tx-tcp-ecn-segmentation',
  'tx-tcp-mangleid-segmentation',
  'tx-tcp6-segmentation',
  'tx-generic-segmentation',
  'rx-gro',
]

/** What a link has none of stays as it is. KernelError ENODEV when there is no such link. */
export function disableOffloads(namespace: Namespace, links: readonly string[]): void {
  const socket = new NetlinkSocket(namespace.inside(() => openNetlink(NETLINK_GENERIC)))
  try {
    const family = familyId(socket, 'ethtool')
    for (const link of links) {
      socket.request(`switch off the offloads of link "${link}"`, encodeDisable(family, link, OFFLOADS))
    }
  } finally {
    socket.close()
  }
}

/** A bit that is named without a value is to be 0. */
export function encodeDisable(family: number, link: string, features: readonly string[]): Uint8Array {
  const writer = new MessageWriter().message(family, 0).u8(ETHTOOL_MSG_FEATURES_SET).u8(1).u16(0)
  writer.nested(ETHTOOL_A_FEATURES_HEADER, () => {
    writer.attributeText(ETHTOOL_A_HEADER_DEV_NAME, link)
    writer.attributeU32(ETHTOOL_A_HEADER_FLAGS, ETHTOOL_FLAG_OMIT_REPLY)
  })
  writer.nested(ETHTOOL_A_FEATURES_WANTED, () => {
    writer.nested(ETHTOOL_A_BITSET_BITS, () => {
      for (const feature of features) {
        writer.nested(ETHTOOL_A_BITSET_BITS_BIT, () => writer.attributeText(ETHTOOL_A_BITSET_BIT_NAME, feature))
      }
    })
  })
  return writer.finish()
}

/** Families get their numbers when the kernel starts, or loads them. */
function familyId(socket: NetlinkSocket, name: string): number {
  const call = `find the netlink family "${name}"`
  const message = new MessageWriter().message(GENL_ID_CTRL, 0).u8(CTRL_CMD_GETFAMILY).u8(1).u16(0)
  message.attributeText(CTRL_ATTR_FAMILY_NAME, name)
  const id = socket.get(call, message.finish(), ({ payload }) =>
    new Attributes(payload, GENL_HEADER_SIZE).u16(CTRL_ATTR_FAMILY_ID),
  )
  if (id === undefined) throw new KernelError('ENOENT', call, 'the kernel does not say its number')
  return id
}
