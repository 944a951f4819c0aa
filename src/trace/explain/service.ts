/** Services that lead nowhere: no pod behind them, or none that listens where they point. */
import type { NftExpression } from '../../kernel/nftables.ts'
import { couldMatch } from '../could-match.ts'
import { questionFrame } from '../question-frame.ts'
import { readHeaders } from '../summary.ts'
import type { Explainer, Explanation, Loss, Place, Pod, Service, World } from './loss.ts'

/** Undefined where the address is no service's, or there is a pod behind it. */
export function noEndpoint(address: string, { services, pods }: World): Explanation | undefined {
  const service = services.find(({ clusterIp }) => clusterIp === address)
  if (!service || service.pods.length > 0) return undefined
  const near = nearlyMatched(service, pods)
  return {
    why: `Service ${service.name} (${address}) has no endpoint: its selector ${wordsOf(service.selector)} matches none of ${pods.length} pods${
      near ? `; ${near.label} would match ${near.count}` : ''
    }.`,
    fixes: [],
  }
}

/** The label with the same key, or the same value, that most pods have. */
function nearlyMatched({ selector }: Service, pods: World['pods']) {
  const counts = new Map<string, number>()
  for (const [key, value] of pods.flatMap(({ labels }) => Object.entries(labels))) {
    const isNear = Object.entries(selector).some(([wanted, of]) => wanted === key || of === value)
    if (isNear) counts.set(`${key}=${value}`, (counts.get(`${key}=${value}`) ?? 0) + 1)
  }
  const [first] = [...counts].sort(([, a], [, b]) => b - a)
  return first && { label: first[0], count: first[1] }
}

const wordsOf = (labels: Readonly<Record<string, string>>) =>
  Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(',')

/** Any loss of a packet to a service that has no endpoint. */
export const toNoEndpoint: Explainer = ({ frame, network }, world) => {
  const headers = readHeaders(frame, network)
  return headers && noEndpoint(headers.destination, world)
}

/** NO_SOCKET in a pod that listens elsewhere. */
export const listensElsewhere: Explainer = (loss, world) => {
  const { place, frame, network } = loss
  const headers = readHeaders(frame, network)
  const pod = world.pods.find(({ name }) => name === place.name)
  if (!headers || headers.destinationPort === undefined || !pod || pod.listen.length === 0) return undefined
  const protocol = headers.protocol === 6 ? 'tcp' : 'udp'
  const wrong = wrongTarget(loss, pod, protocol, headers.destinationPort, world)
  if (wrong) return wrong
  const service = world.services.find(({ pods, ports }) => {
    return pods.includes(pod.name) && ports.some(({ targetPort }) => targetPort === headers.destinationPort)
  })
  return {
    why: `${place.name} listens at ${pod.listen.join(', ')}, not at ${protocol}/${headers.destinationPort} of ${headers.destination}: the sender is refused.${
      service ? ` The target port of service ${service.name} is ${headers.destinationPort}.` : ''
    }`,
    fixes: [],
  }
}

/** A place on the way turns the service's packets to this port, and the service's own target port is another. */
function wrongTarget(
  { client, path, frame, network }: Loss,
  pod: Pod,
  protocol: 'tcp' | 'udp',
  port: number,
  { places, services }: World,
): Explanation | undefined {
  const passed = places.filter(({ name }) => path.includes(name))
  const address = readHeaders(frame, network)?.destination
  const led = services.filter(({ pods }) => pods.includes(pod.name))
  for (const { name, clusterIp, asked } of led.flatMap(({ ports, ...each }) =>
    ports.map((asked) => ({ ...each, asked })),
  )) {
    if (asked.protocol !== protocol || !pod.listen.includes(`${protocol}/${asked.targetPort}`)) continue
    const question = questionFrame(client.kernel, clusterIp, { protocol, port: asked.port })
    const rule = question && ruleThatTurns(question, port, passed)
    if (!rule) continue
    const { node, chain, words } = rule
    const match = `-d ${clusterIp}/32 -p ${protocol} --dport ${asked.port}`
    const run = `iptables -t nat -I ${chain} 1 ${match} -j DNAT --to-destination ${address}:${asked.targetPort}`
    return {
      why: `${pod.name} listens at ${pod.listen.join(', ')}, not at ${protocol}/${port}: ${words} turns service ${name} (${clusterIp}:${asked.port}) to port ${port}, and its target port is ${asked.targetPort}. The sender is refused.`,
      fixes: [{ node, run }],
    }
  }
  return undefined
}

/** The first rule of iptables that could be about the packet and turns it to this port. */
function ruleThatTurns(question: Uint8Array, port: number, places: readonly Place[]) {
  for (const { name: node, kernel } of places) {
    const chains = kernel.nftables
      .list()
      .chains.filter(({ base }) => base?.type === 'nat' && base.hook === 'prerouting')
    for (const { family, table, name: chain } of chains) {
      const rules = kernel.nftables.rules({ family, table, name: chain })
      const at = rules.findIndex(({ expressions }) => {
        return expressions.some((each) => turnsTo(each, port)) && couldMatch(expressions, question, 0)
      })
      if (at < 0) continue
      const words = `rule ${at + 1} of chain ${chain} (table ${family} ${table}, handle ${rules[at]!.handle}) of ${node}`
      return { node, chain, words }
    }
  }
  return undefined
}

const turnsTo = (each: NftExpression, port: number) =>
  each.type === 'xt target' && each.target === 'DNAT' && each.ports?.from === port
