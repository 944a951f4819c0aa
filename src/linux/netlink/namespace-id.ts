/** What this namespace calls another: `ip netns list-id`. Source: linux/net_namespace.h. */
import { LITTLE_ENDIAN } from '../byte-order.ts'
import { Namespace, namespacePathOf, namespaces } from '../netns.ts'
import { Attributes } from './attribute.ts'
import { MessageWriter } from './message.ts'
import type { NetlinkSocket } from './socket.ts'

const RTM_GETNSID = 90
/** struct rtgenmsg: family (1), padded. */
const RTGENMSG_SIZE = 4
const NETNSA_NSID = 1
const NETNSA_FD = 3

/** The named namespace that has this number here; undefined when none of the names has. */
export function findNamespaceName(socket: NetlinkSocket, id: number): string | undefined {
  return namespaces.list().find((name) => {
    const namespace = open(namespacePathOf(name))
    if (!namespace) return false
    try {
      const message = new MessageWriter().message(RTM_GETNSID, 0).u32(0).attributeU32(NETNSA_FD, namespace.descriptor)
      return socket.get('number a namespace', message.finish(), ({ payload }) => idOf(payload)) === id
    } finally {
      namespace.close()
    }
  })
}

/** A name may go while we look, and a file there need not be a namespace. */
function open(path: string): Namespace | undefined {
  try {
    return Namespace.open(path)
  } catch {
    return undefined
  }
}

/** Negative for one that has no number. */
function idOf(payload: Uint8Array): number {
  const value = new Attributes(payload, RTGENMSG_SIZE).bytes(NETNSA_NSID)
  return value ? new DataView(value.buffer, value.byteOffset, 4).getInt32(0, LITTLE_ENDIAN) : -1
}
