/** Losses by a rule. */
import { hostOf } from '../../address/prefix.ts'
import { IpProtocol } from '../../wire/ipv4.ts'
import { type Headers, insideVxlan, readHeaders } from '../summary.ts'
import { type Explainer, type Loss, madeBy, ownerOfAddress, type World } from './loss.ts'

interface Rule {
  readonly family: string
  readonly table: string
  readonly chain: string
  /** Undefined: the chain's policy. */
  readonly handle: bigint | undefined
}

/** `rule ip filter FORWARD handle 7`, `chain ip filter FORWARD policy drop`. */
function parseRef(ref: string | undefined): Rule | undefined {
  const [kind, family, table, chain, word, value] = ref?.split(' ') ?? []
  if (!family || !table || !chain || (kind !== 'rule' && kind !== 'chain')) return undefined
  return { family, table, chain, handle: word === 'handle' ? BigInt(value!) : undefined }
}

/** iptables-nft's tables, with the chains that it makes. */
const IPTABLES_TABLES: readonly string[] = ['filter', 'nat', 'mangle', 'raw', 'security']

export const droppedByRule: Explainer = (loss, world) => {
  const rule = parseRef(loss.ref)
  const { place, before, client } = loss
  const headers = readHeaders(loss.frame, loss.network)
  if (!rule || !headers) return undefined
  const said = wordsOf(rule, loss)
  const owner = madeBy(world, place.name, loss.ref!)
  const accept = { node: place.name, run: acceptOf(rule, loss) }
  if (before?.reason === 'PKT_TOO_BIG') {
    const told = readHeaders(before.frame, before.network)
    const mtu = mtuOf(loss)
    return {
      why: `${told?.length} B with DF do not fit ${mtu} at ${before.place.name}, and ${place.name} never hears of it: the 3/4 is dropped by ${said}${owner}. The connection hangs for ever.`,
      fixes: [...(mtu ? [{ node: client.name, run: `ip link set ${loss.device} mtu ${mtu}` }] : []), accept],
    }
  }
  const tunnel = insideVxlan(loss.frame, headers) === undefined ? '' : ', before decapsulation'
  const what = `${said} of ${place.name} drops ${headers.source} → ${headers.destination}${portOf(headers)}${tunnel}${owner}`
  const turned = tunnel === '' ? turnedSource(loss, headers, world) : undefined
  if (turned) {
    return {
      why: `${what}. ${turned.from} became ${headers.source} at ${turned.node}: a rule there masquerades what goes from pod to pod.`,
      fixes: [
        {
          node: turned.node,
          run: `iptables -t nat -I POSTROUTING 1 -s ${turned.from}/32 -d ${headers.destination}/32 -j RETURN`,
        },
      ],
    }
  }
  if (asksInvalid(rule, place)) {
    return {
      why: `${what}: to conntrack of ${place.name} it is INVALID, of a connection that it has seen one half of or none; the other packets went another way, or were not tracked.`,
      fixes: [accept],
    }
  }
  const none = rule.handle === undefined ? ': no rule of the chain accepts it' : ''
  return { why: `${what}${none}.`, fixes: [accept] }
}

/** The client's own address, where a node on the way has put its own in place of it, for a packet to a pod. */
function turnedSource({ client, path }: Loss, { source, destination }: Headers, world: World) {
  const owner = ownerOfAddress(source, world)
  if (!owner || owner.name === client.name || path[0] !== client.name || !path.includes(owner.name)) return undefined
  if (!ownerOfAddress(destination, world)) return undefined
  const from = client.kernel.addresses.list().find(({ link, prefix }) => link !== 'lo' && !prefix.includes(':'))
  return from && { from: hostOf(from.prefix), node: owner.name }
}

/** Whether the rule is about packets that conntrack cannot place. */
function asksInvalid({ family, table, chain, handle }: Rule, { kernel }: Loss['place']): boolean {
  const rules = kernel.nftables.rules({ family: family as 'ip', table, name: chain })
  const expressions = rules.find((rule) => rule.handle === handle)?.expressions ?? []
  const states = expressions.some((each) => each.type === 'ct' && each.key === 'state')
  return expressions.some((each) => {
    if (each.type === 'bitwise') return states && each.mask[0] === CT_STATE_INVALID
    if (each.type !== 'xt match' || (each.match !== 'conntrack' && each.match !== 'state')) return false
    return each.states?.invert === false && each.states.value.includes('INVALID')
  })
}

/** The MTU that an ICMP 3/4 tells of: RFC 1191 §4. */
function mtuOf({ frame, network }: Loss): number | undefined {
  const at = readHeaders(frame, network)?.transport
  return at === undefined ? undefined : (frame[at + 6]! << 8) | frame[at + 7]!
}

/** `rule 3 of chain FORWARD (table ip filter, handle 7)`. */
function wordsOf({ family, table, chain, handle }: Rule, { place }: Loss): string {
  if (handle === undefined) return `the policy DROP of chain ${chain} (table ${family} ${table})`
  const rules = place.kernel.nftables.rules({ family: family as 'ip', table, name: chain })
  const number = rules.findIndex((rule) => rule.handle === handle) + 1
  return `rule ${number} of chain ${chain} (table ${family} ${table}, handle ${handle})`
}

const portOf = ({ destinationPort }: Headers) => (destinationPort === undefined ? '' : ` port ${destinationPort}`)

/** A rule before it that lets this packet through: by the port that was asked for, also where it is the answer that is lost. */
function acceptOf({ family, table, chain }: Rule, { frame, network, path, client }: Loss): string {
  const { source, destination, protocol, sourcePort, destinationPort, transport } = readHeaders(frame, network)!
  const name = NAMES[protocol]
  const isAnswer = path[0] !== client.name && sourcePort !== undefined
  const [end, port] = isAnswer ? (['s', sourcePort] as const) : (['d', destinationPort] as const)
  if (family === 'ip' && IPTABLES_TABLES.includes(table)) {
    const ports = port === undefined ? '' : ` --${end}port ${port}`
    const type =
      name === 'icmp' && transport !== undefined ? ` --icmp-type ${frame[transport]}/${frame[transport + 1]}` : ''
    const proto = name ? ` -p ${name}${ports}${type}` : ''
    return `iptables${table === 'filter' ? '' : ` -t ${table}`} -I ${chain} 1 -s ${source}/32 -d ${destination}/32${proto} -j ACCEPT`
  }
  const ports = port === undefined || !name ? '' : ` ${name} ${end}port ${port}`
  const proto = ports || (name ? ` meta l4proto ${name}` : '')
  const ip = source.includes(':') ? 'ip6' : 'ip'
  return `nft insert rule ${family} ${table} ${chain} ${ip} saddr ${source} ${ip} daddr ${destination}${proto} accept`
}

/** NF_CT_STATE_INVALID_BIT, linux/netfilter/nf_conntrack_common.h. */
const CT_STATE_INVALID = 1

const NAMES: Readonly<Record<number, string>> = {
  [IpProtocol.tcp]: 'tcp',
  [IpProtocol.udp]: 'udp',
  [IpProtocol.icmp]: 'icmp',
  [IpProtocol.icmpv6]: 'ipv6-icmp',
}
