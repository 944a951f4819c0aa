/** Losses by a rule. */
import { IpProtocol } from '../../wire/ipv4.ts'
import { couldMatch } from '../could-match.ts'
import { type Headers, insideVxlan, readHeaders } from '../summary.ts'
import { covers, type Explainer, type Fix, type Loss, madeBy, type World } from './loss.ts'
import { turnedSource } from './turned.ts'

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
  const accept = acceptsOf(rule, loss, headers, world)
  if (before?.reason === 'PKT_TOO_BIG') {
    const told = readHeaders(before.frame, before.network)
    const mtu = mtuOf(loss)
    return {
      why: `${told?.length} B with DF do not fit ${mtu} at ${before.place.name}, and ${place.name} never hears of it: the 3/4 is dropped by ${said}${owner}. The connection hangs for ever.`,
      fixes: [...(mtu ? [{ node: client.name, run: `ip link set ${loss.device} mtu ${mtu}` }] : []), ...accept],
    }
  }
  const tunnel = insideVxlan(loss.frame, headers) === undefined ? '' : ', before decapsulation'
  const what = `${said} of ${place.name} drops ${headers.source} → ${headers.destination}${portOf(headers)}${tunnel}${owner}`
  const turned = tunnel === '' ? turnedSource(loss, headers, world) : undefined
  if (turned) return { why: `${what}. ${turned.why}`, fixes: turned.fixes }
  if (asksInvalid(rule, place)) {
    return {
      why: `${what}: to conntrack of ${place.name} it is INVALID, of a connection that it has seen one half of or none; the other packets went another way, or were not tracked.`,
      fixes: accept,
    }
  }
  if (rule.handle !== undefined) return { why: `${what}.${nearestTo(rule, loss)}`, fixes: accept }
  const pods = ofPods(rule, headers, world)
  return {
    why: `${what}: no rule of the chain accepts ${pods === undefined ? 'it' : `what pods (${pods}) send or are sent`}.${dockerIn(loss)}`,
    fixes: accept,
  }
}

/** Of the rules before it that accept, the one that would have taken the packet but for its protocol and port. */
function nearestTo({ family, table, chain, handle }: Rule, { place, frame, network }: Loss): string {
  const rules = place.kernel.nftables.rules({ family: family as 'ip', table, name: chain })
  const before = rules.slice(
    0,
    rules.findIndex((rule) => rule.handle === handle),
  )
  const at = before.findLastIndex(({ expressions }) => {
    const accepts = expressions.some((each) => each.type === 'verdict' && each.verdict === 'accept')
    const isOfState = expressions.some(
      (each) => (each.type === 'xt match' && each.match === 'conntrack') || each.type === 'ct',
    )
    if (!accepts || isOfState || couldMatch(expressions, frame, network)) return false
    return couldMatch(expressions, frame, network, { anyPort: true })
  })
  return at < 0 ? '' : ` Rule ${at + 1} comes nearest: it accepts the same way with another protocol or port.`
}

/** The pods' network, where the chain's policy takes what one of them sends or is sent. */
function ofPods({ handle }: Rule, { source, destination }: Headers, { network }: World): string | undefined {
  if (handle !== undefined || network === undefined) return undefined
  return covers(network, source) || covers(network, destination) ? network : undefined
}

/** Docker sets the policy of FORWARD when it starts: moby, libnetwork's iptables. */
function dockerIn({ place }: Loss): string {
  const chain = place.kernel.nftables
    .list()
    .chains.find(({ name }) => name === 'DOCKER-USER' || name === 'DOCKER-FORWARD')
  return chain ? ` Docker sets this policy when it starts, and its chain ${chain.name} is there.` : ''
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

/** What lets it through: of a policy that takes what is of pods, rules for all of them. */
function acceptsOf(rule: Rule, loss: Loss, headers: Headers, world: World): Fix[] {
  const node = loss.place.name
  const pods = ofPods(rule, headers, world)
  if (pods === undefined) return [{ node, run: acceptOf(rule, loss) }]
  const { family, table, chain } = rule
  return (['s', 'd'] as const).map((end) => ({
    node,
    run: isIptables(rule)
      ? `iptables${table === 'filter' ? '' : ` -t ${table}`} -A ${chain} -${end} ${pods} -j ACCEPT`
      : `nft add rule ${family} ${table} ${chain} ip ${end}addr ${pods} accept`,
  }))
}

const isIptables = ({ family, table }: Rule) => family === 'ip' && IPTABLES_TABLES.includes(table)

/** A rule before it that lets this packet through: by the port that was asked for, also where it is the answer that is lost. */
function acceptOf(rule: Rule, { frame, network, path, client }: Loss): string {
  const { family, table, chain } = rule
  const { source, destination, protocol, sourcePort, destinationPort, transport } = readHeaders(frame, network)!
  const name = NAMES[protocol]
  const isAnswer = path[0] !== client.name && sourcePort !== undefined
  const [end, port] = isAnswer ? (['s', sourcePort] as const) : (['d', destinationPort] as const)
  // A tunnel's packets are those of all pods behind it, and come from every node.
  if (insideVxlan(frame, readHeaders(frame, network)!) !== undefined) {
    return isIptables(rule)
      ? `iptables${table === 'filter' ? '' : ` -t ${table}`} -I ${chain} 1 -p udp --dport ${destinationPort} -j ACCEPT`
      : `nft insert rule ${family} ${table} ${chain} udp dport ${destinationPort} accept`
  }
  if (isIptables(rule)) {
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
