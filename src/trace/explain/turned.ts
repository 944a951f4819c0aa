/** Packets from pod to pod that a node on the way gave an address of its own: a rule that masquerades what it must not. */
import { hostOf } from '../../address/prefix.ts'
import type { NftExpression } from '../../kernel/nftables.ts'
import { IpProtocol } from '../../wire/ipv4.ts'
import { couldMatch } from '../could-match.ts'
import { questionFrame } from '../question-frame.ts'
import type { Headers } from '../summary.ts'
import { covers, type Explanation, type Loss, ownerOfAddress, type Place, type World } from './loss.ts'

/** Undefined where the packet still has its sender's address, or is not for a pod. */
export function turnedSource({ client, path }: Loss, headers: Headers, world: World): Explanation | undefined {
  const { source, destination } = headers
  const owner = ownerOfAddress(source, world)
  if (!owner || owner.name === client.name || path[0] !== client.name || !path.includes(owner.name)) return undefined
  if (!ownerOfAddress(destination, world)) return undefined
  const own = client.kernel.addresses.list().find(({ link, prefix }) => link !== 'lo' && !prefix.includes(':'))
  if (!own) return undefined
  const from = hostOf(own.prefix)
  const rule = masqueradeOf(client, headers, owner)
  const { network } = world
  const [pods, peers] =
    network !== undefined && covers(network, from) && covers(network, destination)
      ? [network, network]
      : [`${from}/32`, `${destination}/32`]
  return {
    why: `${from} became ${source} at ${owner.name}: ${rule ?? 'a rule there'} masquerades what goes from pod to pod.`,
    fixes: [{ node: owner.name, run: `iptables -t nat -I POSTROUTING 1 -s ${pods} -d ${peers} -j RETURN` }],
  }
}

/** `rule 1 of chain POSTROUTING (table ip nat, handle 7)`, and whether one that spares the packet comes too late. */
function masqueradeOf(client: Place, { destination, protocol, destinationPort }: Headers, { kernel }: Place) {
  const names = Object.entries(IpProtocol).filter(([, number]) => number === protocol)
  const asked = {
    protocol: names[0]?.[0] === 'udp' ? 'udp' : names[0]?.[0] === 'tcp' ? 'tcp' : 'icmp',
    port: destinationPort ?? 0,
  } as const
  const frame = questionFrame(client.kernel, destination, asked)
  const { chains } = kernel.nftables.list()
  for (const { family, table, name, base } of chains) {
    if (base?.type !== 'nat' || base.hook !== 'postrouting' || frame === undefined) continue
    const rules = kernel.nftables.rules({ family, table, name })
    const matching = rules.map(({ expressions }) => couldMatch(expressions, frame, 0))
    const at = rules.findIndex(({ expressions }, i) => matching[i] && expressions.some(isMasquerade))
    if (at < 0) continue
    const late = rules.findIndex(({ expressions }, i) => i > at && matching[i] && expressions.some(isSparing))
    const order = late < 0 ? '' : `, before rule ${late + 1} which spares it,`
    return `rule ${at + 1} of chain ${name} (table ${family} ${table}, handle ${rules[at]!.handle})${order}`
  }
  return undefined
}

const isMasquerade = (each: NftExpression) =>
  each.type === 'masquerade' ||
  (each.type === 'nat' && each.kind === 'snat') ||
  (each.type === 'xt target' && (each.target === 'MASQUERADE' || each.target === 'SNAT'))

const isSparing = (each: NftExpression) =>
  each.type === 'verdict' && (each.verdict === 'return' || each.verdict === 'accept')
