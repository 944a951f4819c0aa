/**
 * Groups that a device listens to, and what multicast routers are told of them: MLDv2, RFC 3810; net/ipv6/mcast.c. Every
 * change is reported twice, the second time within a second.
 */
import { setU16 } from '../bytes.ts'
import { MILLISECOND, type Timer } from '../clock.ts'
import type { Device } from '../device/device.ts'
import { ALL_MLD_ROUTERS, ALL_NODES, ANY, isMulticast, keyOf, NODE_LOCAL_ALL_NODES, sameAddress } from './address.ts'
import type { Ipv6Group } from './device.ts'
import { sendOnLink } from './link-send.ts'
import { linkLocalOf } from './select-address.ts'

const REPORT = 143
const RECORD = 20
const RecordType = { toInclude: 3, toExclude: 4 } as const
/** MLD_QRV_DEFAULT: how often a change is told. */
const ROBUSTNESS = 2
/** Two ticks of 4 ms, before the first. */
const FIRST_WAIT = 8 * MILLISECOND
/** Hop-by-hop options: router alert for MLD (RFC 2711), and two bytes of padding. */
const ROUTER_ALERT = Uint8Array.of(58, 0, 5, 2, 0, 0, 1, 0)

/** ipv6_chk_mcast_addr */
export function listensTo({ ipv6 }: Device, bytes: Uint8Array, at: number): boolean {
  if (!isMulticast(bytes, at)) return false
  const key = keyOf(bytes.subarray(at, at + 16))
  return ipv6.groups.some(({ address, users }) => users > 0 && keyOf(address) === key)
}

/** ipv6_dev_mc_inc */
export function joinGroup(device: Device, address: Uint8Array): void {
  const { groups } = device.ipv6
  const known = groups.find((group) => sameAddress(group.address, address))
  if (known && known.users > 0) {
    known.users++
    return
  }
  if (known) groups.splice(groups.indexOf(known), 1)
  const group: Ipv6Group = { address, users: 1, reports: 0 }
  groups.push(group)
  if (device.ipv6.ready || device.up) groupChanged(device, group)
}

/** ipv6_dev_mc_dec */
export function leaveGroup(device: Device, address: Uint8Array): void {
  const group = device.ipv6.groups.find((each) => each.users > 0 && sameAddress(each.address, address))
  if (!group) return
  group.users--
  if (group.users > 0) return
  if (isReported(group)) groupChanged(device, group)
  else device.ipv6.groups.splice(device.ipv6.groups.indexOf(group), 1)
}

/** is_in, add_grec: nobody is told of all nodes, or of what does not leave the node. */
const isReported = ({ address }: Ipv6Group) => !sameAddress(address, ALL_NODES) && (address[1]! & 15) > 1

/** igmp6_group_added and igmp6_group_dropped. */
function groupChanged(device: Device, group: Ipv6Group): void {
  if (!isReported(group) || device.kind === 'loopback') return
  group.reports = ROBUSTNESS
  const { changeReports } = device.ipv6
  const { clock } = device.namespace.model
  changeReports.left = ROBUSTNESS
  if (changeReports.timer?.pending) clock.cancel(changeReports.timer)
  changeReports.timer = clock.after(FIRST_WAIT, () => reportChanges(device))
}

/** mld_ifc_work */
function reportChanges(device: Device): void {
  const { ipv6, namespace } = device
  if (!device.up) return
  const changed = ipv6.groups.filter(({ reports }) => reports > 0)
  for (const group of changed) group.reports--
  // What is left comes before what is listened to.
  const left = changed.filter(({ users }) => users === 0)
  const heard = changed.filter(({ users }) => users > 0)
  send(device, [...left, ...heard])
  ipv6.groups = ipv6.groups.filter(({ users, reports }) => users > 0 || reports > 0)
  ipv6.changeReports.left--
  if (ipv6.changeReports.left > 0) ipv6.changeReports.timer = later(device, () => reportChanges(device))
  namespace.model.settle()
}

/** ipv6_mc_dad_complete: there is an address to speak from at last. */
export function reportAll(device: Device): void {
  const { firstReports } = device.ipv6
  device.namespace.model.clock.cancel(firstReports.timer)
  firstReports.left = ROBUSTNESS
  reportFirst(device)
}

function reportFirst(device: Device): void {
  const { firstReports, groups } = device.ipv6
  if (!device.up) return
  send(
    device,
    groups.filter((group) => group.users > 0 && isReported(group)),
  )
  firstReports.left--
  if (firstReports.left > 0) firstReports.timer = later(device, () => reportFirst(device))
  device.namespace.model.settle()
}

function later(device: Device, run: () => void): Timer {
  const { clock, random } = device.namespace.model
  const interval = device.ipv6.conf.mldv2_unsolicited_report_interval * MILLISECOND
  return clock.after(FIRST_WAIT + random.below('mldReport', interval), run)
}

function send(device: Device, groups: readonly Ipv6Group[]): void {
  if (groups.length === 0) return
  const icmp = new Uint8Array(8 + RECORD * groups.length)
  icmp[0] = REPORT
  setU16(icmp, 6, groups.length)
  for (const [i, { address, users }] of groups.entries()) {
    const at = 8 + RECORD * i
    icmp[at] = users > 0 ? RecordType.toExclude : RecordType.toInclude
    icmp.set(address, at + 4)
  }
  sendOnLink(device, {
    source: linkLocalOf(device) ?? ANY,
    destination: ALL_MLD_ROUTERS,
    hopLimit: 1,
    extension: ROUTER_ALERT,
    icmp,
  })
}

/** ipv6_mc_init_dev, as ipv6_add_dev does it. */
export function joinAllNodes(device: Device): void {
  joinGroup(device, NODE_LOCAL_ALL_NODES)
  joinGroup(device, ALL_NODES)
}

/** ipv6_mc_up */
export function startReports(device: Device): void {
  for (const group of device.ipv6.groups) if (group.users > 0) groupChanged(device, group)
}

/** ipv6_mc_down */
export function stopReports({ ipv6, namespace }: Device): void {
  const { clock } = namespace.model
  clock.cancel(ipv6.changeReports.timer)
  clock.cancel(ipv6.firstReports.timer)
  for (const group of ipv6.groups) group.reports = 0
  ipv6.groups = ipv6.groups.filter(({ users }) => users > 0)
}
