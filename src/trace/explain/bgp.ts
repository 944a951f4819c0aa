/** Losses that have to do with BGP: what it has not brought, and blocks whose addresses nobody has. */
import { hostOf, parsePrefix } from '../../address/prefix.ts'
import { writerOf } from '../learned.ts'
import { readHeaders } from '../summary.ts'
import { covers, type Explainer, ownersOfAddress, type Place, type World, type WorldSpeaker } from './loss.ts'

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
export function missingRoute(node: string, destination: string, { speakers }: Pick<World, 'speakers'>) {
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
    if (problems.length > 0) return { why: `${begin}: BGP of ${name}: ${problems.join('; ')}.`, fixes: [] }
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
