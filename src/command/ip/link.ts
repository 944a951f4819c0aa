/** `ip link add`, `set` and `delete`: iplink_modify() in iplink.c of iproute2. */
import { KernelError } from '../../kernel/errors.ts'
import type { Link, LinkChange, Links, NewLink } from '../../kernel/link.ts'
import type { LiveKernel } from '../../kernel/live.ts'
import { type Arguments, abbreviates, readUnsigned, wrong } from '../arguments.ts'
import { Exit } from '../exit.ts'
import { parseIpip } from './ipip.ts'
import { parseBridge, parsePort, parseVxlan } from './link-kind-words.ts'
import { parseLink, type TypedLink } from './link-words.ts'
import { notModelled, requireDevice, type Settings } from './settings.ts'

const MACVLAN_MODES = ['private', 'vepa', 'bridge', 'passthru', 'source'] as const
/** What `ip link help` lists and the kernel interface cannot make. */
const OTHER_KINDS = new Set(
  `amt bareudp bond can dsa erspan geneve gre gretap gtp hsr ip6erspan ip6gre ip6gretap ip6tnl ipoib ipvlan ipvtap
  lowpan macsec macvtap netdevsim nlmon rmnet sit team vcan virt_wifi vrf vti vxcan wwan xfrm wireguard netkit`.split(
    /\s+/,
  ),
)

export function changeLink(settings: Settings, args: Arguments): void {
  const command = args.take()
  if (abbreviates(command, 'add')) addLink(settings, args)
  else if (abbreviates(command, 'set', 'change')) setLink(settings, args)
  else if (abbreviates(command, 'delete')) deleteLink(settings, args)
  else throw notModelled(settings, `link ${command}`)
}

function setLink(settings: Settings, args: Arguments): void {
  const { links } = settings.kernel
  const typed = parseLink(settings, args)
  const { change } = typed
  if (typed.device === undefined) {
    if (change.group === undefined) throw new Exit(255, 'Not enough information: "dev" argument is required.')
    const { group, ...rest } = change
    setGroup(links, group, rest)
    return
  }
  const link = requireDevice(settings, typed.device)
  if (typed.parent !== undefined) throw notModelled(settings, 'link set with "link"')
  if (typed.name !== undefined && typed.name !== link.name) change.name = typed.name
  if (typed.type === 'bridge') change.bridge = parseBridge(settings, args)
  else if (typed.type === 'bridge_slave') change.port = parsePort(settings, args)
  else if (typed.type !== undefined) throw notModelled(settings, `link set type ${typed.type}`)
  if (change.port && link.port === undefined && change.master == null) {
    throw new Exit(2, 'RTNETLINK answers: Operation not supported')
  }
  inNamespace(settings, typed.namespace, (namespace) =>
    links.set(link.name, { ...change, ...(namespace && { namespace }) }),
  )
}

function setGroup(links: Links, group: number, change: LinkChange): void {
  for (const link of links.list()) if (link.group === group) links.set(link.name, change)
}

function deleteLink(settings: Settings, args: Arguments): void {
  const { links } = settings.kernel
  const typed = parseLink(settings, args)
  if (typed.device === undefined) {
    const { group } = typed.change
    if (group === undefined) throw new Exit(255, 'Not enough information: "dev" argument is required.')
    if (group === 0) throw new Exit(2, 'RTNETLINK answers: Operation not permitted')
    if (!links.list().some((link) => link.group === group)) throw new Exit(2, 'RTNETLINK answers: No such device')
    links.deleteGroup(group)
    return
  }
  links.delete(requireDevice(settings, typed.device).name)
}

function addLink(settings: Settings, args: Arguments): void {
  const { links } = settings.kernel
  const typed = parseLink(settings, args)
  const { type, parent } = typed
  if (type === undefined) throw new Exit(1, 'Not enough information: "type" argument is required')
  if (typed.name !== undefined && typed.device !== undefined && typed.name !== typed.device) {
    throw new Exit(255, 'both "name" and "dev" cannot be used when creating devices.')
  }
  if (parent !== undefined) requireDevice(settings, parent)
  const taken = links.list()
  const name = typed.name ?? typed.device ?? freeName(taken, type)
  const { alias, promiscuous, allMulticast, ...birth } = typed.change
  if (promiscuous !== undefined || allMulticast !== undefined) throw notModelled(settings, 'link add with promisc')
  const whole = { ...withoutNull(birth), name, ...(typeof alias === 'string' && { alias }) }
  if (type === 'veth') {
    addVeth(settings, args, typed, { ...whole, kind: 'veth', peer: { name: '' } }, taken)
    return
  }
  const link = kindOf(settings, args, type, whole, parent)
  inNamespace(settings, typed.namespace, (namespace) => {
    if (!namespace) addOrExplain(links, link)
    else if (link.kind === 'macvlan' || link.kind === 'vlan') addOrExplain(links, { ...link, namespace })
    else if (link.kind === 'vxlan') {
      // It keeps sending from here.
      addOrExplain(links, link)
      links.set(name, { namespace })
    } else addOrExplain(namespace.links, link)
  })
}

/** The kernel knows the kind by its driver's name, and says so when there is none. */
function addOrExplain(links: Links, link: NewLink): void {
  try {
    links.add(link)
  } catch (error) {
    const unknown = error instanceof KernelError && error.errno === 'EOPNOTSUPP' && error.explanation === undefined
    throw unknown ? new Exit(2, 'Error: Unknown device type.') : error
  }
}

type Birth = Pick<NewLink, 'name'>

function kindOf(settings: Settings, args: Arguments, type: string, birth: Birth, parent: string | undefined): NewLink {
  const under = () => {
    if (parent === undefined) throw new Exit(2, 'RTNETLINK answers: Invalid argument')
    return parent
  }
  switch (type) {
    case 'bridge': {
      const bridge = parseBridge(settings, args)
      return { ...birth, kind: 'bridge', ...(Object.keys(bridge).length > 0 && { bridge }) }
    }
    case 'vxlan':
      return { ...birth, kind: 'vxlan', vxlan: parseVxlan(settings, args) }
    case 'ipip':
      return { ...birth, kind: 'ipip', ipip: parseIpip(settings, args) }
    case 'ifb':
    case 'dummy':
      return { ...birth, kind: type }
    case 'macvlan': {
      if (!args.more) return { ...birth, kind: 'macvlan', parent: under() }
      if (!args.takesBegun('mode')) throw notModelled(settings, `macvlan with "${args.next}"`)
      const text = args.take()
      const mode = MACVLAN_MODES.find((each) => each === text)
      if (!mode) {
        throw new Exit(
          1,
          `Error: argument of "mode" must be "private", "vepa", "bridge", "passthru" or "source", not "${text}"`,
        )
      }
      return { ...birth, kind: 'macvlan', parent: under(), macvlan: { mode } }
    }
    case 'vlan': {
      if (!args.takesBegun('id')) throw notModelled(settings, `vlan with "${args.next}"`)
      const text = args.take()
      const id = readUnsigned(text, 0xffff)
      if (id === undefined) throw wrong(text, 'id is invalid')
      return { ...birth, kind: 'vlan', parent: under(), vlan: { id } }
    }
    case 'tun':
    case 'tap':
      throw new Exit(2, 'RTNETLINK answers: Operation not supported')
    default:
      if (!OTHER_KINDS.has(type)) throw new Exit(2, 'Error: Unknown device type.')
      throw notModelled(settings, `link add type ${type}`)
  }
}

/**
 * A pair of which either end may be told another namespace. The kernel interface gives the second its namespace; so the
 * one that is born elsewhere is made the second.
 */
function addVeth(
  settings: Settings,
  args: Arguments,
  typed: TypedLink,
  first: Extract<NewLink, { kind: 'veth' }>,
  taken: readonly Link[],
): void {
  const { links } = settings.kernel
  if (args.more && !args.takes('peer')) throw new Exit(1, 'Usage: ip link <options> type veth [peer <options>]')
  const peer = parseLink(settings, args)
  const { mac, mtu, txQueueLength, ...rest } = peer.change
  const unfit = Object.keys(rest)[0]
  if (unfit !== undefined) throw notModelled(settings, `veth peer with "${unfit}"`)
  const name = peer.name ?? peer.device ?? freeName(taken, 'veth', first.name)
  const second = {
    name,
    ...(mac !== undefined && { mac }),
    ...(mtu !== undefined && { mtu }),
    ...(txQueueLength !== undefined && { txQueueLength }),
  }
  if (typed.namespace === undefined) {
    inNamespace(settings, peer.namespace, (namespace) => {
      addOrExplain(links, { ...first, peer: { ...second, ...(namespace && { namespace }) } })
    })
    return
  }
  if (peer.namespace !== undefined) throw notModelled(settings, 'veth with both ends in other namespaces')
  const { kind, peer: _, name: firstName, mac: firstMac, mtu: firstMtu, txQueueLength: firstLength, ...more } = first
  if (Object.keys(more).length > 0)
    throw notModelled(settings, `veth in another namespace with "${Object.keys(more)[0]}"`)
  inNamespace(settings, typed.namespace, (namespace) => {
    const there = {
      name: firstName,
      ...(firstMac !== undefined && { mac: firstMac }),
      ...(firstMtu !== undefined && { mtu: firstMtu }),
      ...(firstLength !== undefined && { txQueueLength: firstLength }),
    }
    addOrExplain(links, { ...second, kind, peer: { ...there, ...(namespace && { namespace }) } })
  })
}

function withoutNull<T extends { master?: string | null }>(birth: T): Omit<T, 'master'> & { master?: string } {
  const { master, ...rest } = birth
  return { ...rest, ...(typeof master === 'string' && { master }) }
}

/** `bridge0`: the kernel takes the first number that is free. */
function freeName(taken: readonly Link[], kind: string, ...others: readonly string[]): string {
  const names = new Set([...taken.map(({ name }) => name), ...others])
  for (let number = 0; ; number++) if (!names.has(`${kind}${number}`)) return `${kind}${number}`
}

/** Enters the namespace for the call, where one is named. */
function inNamespace(
  settings: Settings,
  name: string | undefined,
  call: (namespace: LiveKernel | undefined) => void,
): void {
  if (name === undefined) {
    call(undefined)
    return
  }
  if (/^[0-9]+$/.test(name)) throw notModelled(settings, 'netns of a process')
  const namespace = settings.kernel.enter(name.includes('/') ? name : `/run/netns/${name}`)
  if (!namespace) throw wrong(name, 'Invalid "netns" value\n')
  try {
    call(namespace)
  } finally {
    namespace.close()
  }
}
