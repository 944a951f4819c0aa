/** Losses by a rule. */
import { IpProtocol } from '../../wire/ipv4.ts'
import { insideVxlan, readHeaders } from '../summary.ts'
import { type Explainer, type Loss, madeBy } from './loss.ts'

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
  return {
    why: `${said} of ${place.name} drops ${headers.source} → ${headers.destination}${portOf(headers)}${tunnel}${owner}.`,
    fixes: [accept],
  }
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

const portOf = ({ destinationPort }: NonNullable<ReturnType<typeof readHeaders>>) =>
  destinationPort === undefined ? '' : ` port ${destinationPort}`

/** A rule before it that lets this packet through. */
function acceptOf({ family, table, chain }: Rule, { frame, network }: Loss): string {
  const { source, destination, protocol, destinationPort, transport } = readHeaders(frame, network)!
  const name = NAMES[protocol]
  if (family === 'ip' && IPTABLES_TABLES.includes(table)) {
    const ports = destinationPort === undefined ? '' : ` --dport ${destinationPort}`
    const type =
      name === 'icmp' && transport !== undefined ? ` --icmp-type ${frame[transport]}/${frame[transport + 1]}` : ''
    const proto = name ? ` -p ${name}${ports}${type}` : ''
    return `iptables${table === 'filter' ? '' : ` -t ${table}`} -I ${chain} 1 -s ${source}/32 -d ${destination}/32${proto} -j ACCEPT`
  }
  const ports = destinationPort === undefined || !name ? '' : ` ${name} dport ${destinationPort}`
  const proto = ports || (name ? ` meta l4proto ${name}` : '')
  const ip = source.includes(':') ? 'ip6' : 'ip'
  return `nft insert rule ${family} ${table} ${chain} ${ip} saddr ${source} ${ip} daddr ${destination}${proto} accept`
}

const NAMES: Readonly<Record<number, string>> = {
  [IpProtocol.tcp]: 'tcp',
  [IpProtocol.udp]: 'udp',
  [IpProtocol.icmp]: 'icmp',
  [IpProtocol.icmpv6]: 'ipv6-icmp',
}
