/** Losses that have to do with BGP: what it has not brought, and blocks whose addresses nobody has. */
import { hostOf, parsePrefix } from '../../address/prefix.ts'
import type { NftExpression } from '../../kernel/nftables.ts'
import { couldMatch } from '../could-match.ts'
import { writerOf } from '../learned.ts'
import { questionFrame } from '../question-frame.ts'
import { readHeaders } from '../summary.ts'
import {
  covers,
  type Explainer,
  type Explanation,
  ownersOfAddress,
  type Place,
  type World,
  type WorldSpeaker,
} from './loss.ts'

/** OVL_ROUTE_BLACKHOLE: the speaker's own, for what no pod's route leads to. */
export const unusedOfBlock: Explainer = ({ place, frame, network }, world) => {
  const destination = readHeaders(frame, network)?.destination
  if (destination === undefined) return undefined
  const block = place.kernel.routes.list({ family: 'ipv4' }).find(({ type, protocol, destination: prefix }) => {
    return type === 'blackhole' && writerOf(protocol) !== undefined && covers(prefix, destination)
  })?.destination
  if (block === undefined) return undefined
  const end = `the blackhole that BGP has for ${block} on ${place.name} takes it, and nobody hears of it`
  const [owner] = ownersOfAddress(destination, world)
  if (!owner) {
    return { why: `${destination} is an unused address of ${place.name}'s block ${block}: ${end}.`, fixes: [] }
  }
  const hostEnd = hostEndOf(owner, destination, place)
  return {
    why: `${owner.name} has ${destination}, and ${place.name} has no route to it: ${end}.`,
    fixes: hostEnd ? [{ node: place.name, run: `ip route add ${destination} dev ${hostEnd} scope link` }] : [],
  }
}

/** The node's end of the veth pair that has the address at its other. */
function hostEndOf({ kernel: { addresses, links } }: Place, address: string, { kernel: node }: Place) {
  const name = addresses.list().find(({ prefix }) => hostOf(prefix) === address)?.link
  const far = name === undefined ? undefined : links.get(name)
  return node.links
    .list()
    .find(({ kind, index, parent }) => kind === 'veth' && parent === far?.index && far?.parent === index)?.name
}

/** IP_INNOROUTES: somebody announces it, and it has not come here. */
export const notLearned: Explainer = ({ place, frame, network }, world) => {
  const destination = readHeaders(frame, network)?.destination
  return destination === undefined ? undefined : missingRoute(place.name, destination, world)
}

/** Why BGP has not brought the node a route; undefined where nobody announces it. */
export function missingRoute(node: string, destination: string, world: World): Explanation | undefined {
  const { speakers } = world
  const found = announcerOf(destination, speakers)
  if (!found) return undefined
  const { announcer, prefix } = found
  const own = speakers.find((each) => each.node === node)
  const begin = `${node} has no route to ${destination}, which is in ${prefix} of ${announcer.node}`
  if (!own) return { why: `${begin}: routes to it travel by BGP, and ${node} speaks none.`, fixes: [] }
  const others = speakers.filter((each) => each !== own && each !== announcer)
  for (const each of [own, announcer, ...others]) {
    const { node: name, isRunning, problems } = each
    if (!isRunning) return { why: `${begin}: the BGP speaker of ${name} has ended.`, fixes: [] }
    if (problems.length === 0) continue
    const closed = closedPort([own.node, announcer.node], world)
    const why = `${begin}: BGP of ${name}: ${problems.join('; ')}.`
    return closed ? { why: `${why} ${closed.why}`, fixes: closed.fixes } : { why, fixes: [] }
  }
  return { why: `${begin}: all BGP sessions are there, and none has brought it.`, fixes: [] }
}

/** Of several networks that it is in, the smallest. */
function announcerOf(destination: string, speakers: readonly WorldSpeaker[]) {
  const all = speakers.flatMap((announcer) => announcer.networks.map((prefix) => ({ announcer, prefix })))
  return all
    .filter(({ prefix }) => covers(prefix, destination))
    .sort((a, b) => parsePrefix(b.prefix).length - parsePrefix(a.prefix).length)[0]
}

/** RFC 4271 §1.1. */
const BGP_PORT = 179

/** Rules of either node that take what comes to, or from, BGP's port of the other. */
function closedPort(names: readonly [string, string], { places }: World): Explanation | undefined {
  const [a, b] = names.map((name) => places.find((each) => each.name === name))
  if (!a || !b) return undefined
  const found = [[a, b] as const, [b, a] as const].flatMap(([from, to]) => {
    const address = addressOn(from, to)
    const question =
      address === undefined ? undefined : questionFrame(from.kernel, address, { protocol: 'tcp', port: BGP_PORT })
    if (!question) return []
    const { chains } = to.kernel.nftables.list()
    return chains
      .filter(({ base }) => base?.hook === 'input')
      .flatMap(({ family, table, name: chain }) =>
        to.kernel.nftables.rules({ family, table, name: chain }).flatMap(({ handle, expressions }, i) => {
          const end = (['d', 's'] as const).find((each) => takesPort(expressions, question, each))
          return end === undefined ? [] : [{ place: to, family, table, chain, handle, number: i + 1, end }]
        }),
      )
  })
  const [first] = found
  if (!first) return undefined
  const rules = found.map(({ place, chain, number }) => `rule ${number} of chain ${chain} of ${place.name}`)
  const run = ({ family, table, chain, end }: typeof first) =>
    family === 'ip' && table === 'filter'
      ? `iptables -I ${chain} 1 -p tcp --${end}port ${BGP_PORT} -j ACCEPT`
      : `nft insert rule ${family} ${table} ${chain} tcp ${end}port ${BGP_PORT} accept`
  return {
    why: `TCP port ${BGP_PORT} is closed by ${rules.join(' and ')}.`,
    fixes: found.map((each) => ({ node: each.place.name, run: run(each) })),
  }
}

/** The rule drops what has BGP's port at this end, and would not with another. */
function takesPort(expressions: readonly NftExpression[], question: Uint8Array, end: 's' | 'd'): boolean {
  const drops = expressions.some(
    (each) =>
      (each.type === 'verdict' && each.verdict === 'drop') ||
      each.type === 'reject' ||
      (each.type === 'xt target' && each.target === 'REJECT'),
  )
  const withPort = (port: number) => {
    const frame = question.slice()
    frame.set([0, 0, 0, 0], PORTS_AT)
    frame.set([port >> 8, port & 0xff], end === 's' ? PORTS_AT : PORTS_AT + 2)
    return frame
  }
  return drops && couldMatch(expressions, withPort(BGP_PORT), 0) && !couldMatch(expressions, withPort(BGP_PORT + 1), 0)
}

/** Behind an IPv4 header without options. */
const PORTS_AT = 20

/** The second's address on a network of the first. */
function addressOn({ kernel: { addresses } }: Place, { kernel: other }: Place): string | undefined {
  const networks = addresses.list().filter(({ link, prefix }) => link !== 'lo' && !prefix.endsWith('/32'))
  const found = other.addresses
    .list()
    .find(({ prefix }) => networks.some((each) => covers(each.prefix, hostOf(prefix))))
  return found && hostOf(found.prefix)
}
