/**
 * What changes in a namespace, by whomever: notifications of rtnetlink(7) and nfnetlink.
 *
 * The kernel tells a link's index, the interface its name. So names are learnt when the watch begins and from every message
 * about a link, and an address or route that goes because its link goes can still name it. Who listens too slowly is told
 * that something was lost (ENOBUFS), and must look for himself.
 */
import { sys } from '#sys'
import type { Change, Subscription } from '../kernel/live.ts'
import {
  decodeLinkName,
  decodeNftablesChange,
  decodeRouteChange,
  type LinkNames,
  NFTABLES_GROUP,
  ROUTE_GROUPS,
} from './change.ts'
import { receiveDatagrams } from './datagrams.ts'
import { joinGroups } from './netlink/groups.ts'
import { decodeMessages, MessageWriter, type NetlinkMessage } from './netlink/message.ts'
import { NETLINK_NETFILTER, NETLINK_ROUTE, NetlinkSocket, openNetlink } from './netlink/socket.ts'
import type { Namespace } from './netns.ts'
import { reactor } from './reactor.ts'
import { leaveOutRoutesOf } from './route-filter.ts'

type Subject = Change['subject']
type OnChange = (change: Change | 'lost') => void

const CALL = 'watch for changes'
const RTM_GETLINK = 18
const IFINFOMSG_SIZE = 16
const ENOBUFS = 105

/** `ownPort`: the port of a netlink socket whose changes of routes are not told. */
export function watch(
  namespace: Namespace,
  subjects: readonly Subject[],
  onChange: OnChange,
  ownPort?: number,
): Subscription {
  const closers: (() => void)[] = []
  const close = () => {
    for (const closer of closers.splice(0)) closer()
  }
  try {
    const groups = subjects.reduce((bits, subject) => bits | (subject === 'nftables' ? 0 : ROUTE_GROUPS[subject]), 0)
    if (groups !== 0) {
      const names: LinkNames = new Map()
      const decode = (message: NetlinkMessage) => decodeRouteChange(message, names)
      // Links always: that is where names come from.
      closers.push(
        listen(namespace, NETLINK_ROUTE, groups | ROUTE_GROUPS.link, decode, wanted(subjects, onChange), ownPort),
      )
      learnNames(namespace, names)
    }
    if (subjects.includes('nftables')) {
      closers.push(listen(namespace, NETLINK_NETFILTER, NFTABLES_GROUP, decodeNftablesChange, onChange))
    }
  } catch (error) {
    close()
    throw error
  }
  return { close }
}

function wanted(subjects: readonly Subject[], onChange: OnChange): OnChange {
  return (change) => {
    if (change === 'lost' || subjects.includes(change.subject)) onChange(change)
  }
}

/** Answers how to end it. */
function listen(
  namespace: Namespace,
  protocol: number,
  groups: number,
  decode: (message: NetlinkMessage) => Change | undefined,
  onChange: OnChange,
  ownPort?: number,
): () => void {
  const socket = namespace.inside(() => openNetlink(protocol))
  let open = true
  let remove = () => {}
  const close = () => {
    open = false
    remove()
    sys.close(socket)
  }
  try {
    if (ownPort !== undefined) leaveOutRoutesOf(ownPort, socket, CALL)
    joinGroups(socket, groups, CALL)
    remove = reactor.add(socket, () => {
      const datagrams = receiveDatagrams(socket)
      const changes: (Change | 'lost' | undefined)[] =
        typeof datagrams === 'number'
          ? [datagrams === -ENOBUFS ? 'lost' : undefined]
          : datagrams.flatMap(({ bytes }) => decodeMessages(bytes).map(decode))
      for (const change of changes) if (change && open) onChange(change)
    })
  } catch (error) {
    close()
    throw error
  }
  return close
}

/** Behind the binding, so that no link is missed; what a notification told meanwhile is the same. */
function learnNames(namespace: Namespace, names: LinkNames): void {
  const socket = new NetlinkSocket(namespace.inside(() => openNetlink(NETLINK_ROUTE)))
  try {
    const query = new MessageWriter().message(RTM_GETLINK, 0).bytes(new Uint8Array(IFINFOMSG_SIZE)).finish()
    for (const { index, name } of socket.dump('list links', query, ({ payload }) => decodeLinkName(payload))) {
      names.set(index, name)
    }
  } finally {
    socket.close()
  }
}
