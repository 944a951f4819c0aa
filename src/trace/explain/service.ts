/** Services that lead nowhere: no pod behind them, or none that listens where they point. */

import { couldMatch } from '../could-match.ts'
import { questionFrame } from '../question-frame.ts'
import { readHeaders } from '../summary.ts'
import type { Explainer, Explanation, Loss, Pod, Service, World } from './loss.ts'

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

/** A rule of a place on the way that turns a service's packets to this port, where the service's own target port is another. */
function wrongTarget(
  { client, path, frame, network }: Loss,
  pod: Pod,
  protocol: 'tcp' | 'udp',
  port: number,
  { places, services }: World,
): Explanation | undefined {
  const address = readHeaders(frame, network)?.destination
  for (const { name, clusterIp, pods, ports } of services.filter((each) => each.pods.includes(pod.name))) {
    for (const asked of ports) {
      const target = `${protocol}/${asked.targetPort}`
      const question = questionFrame(client.kernel, clusterIp, { protocol, port: asked.port })
      if (asked.protocol !== protocol || !pod.listen.includes(target) || !question || pods.length === 0) continue
      for (const place of places.filter((each) => path.includes(each.name))) {
        const { chains } = place.kernel.nftables.list()
        for (const { family, table, name: chain, base } of chains) {
          if (base?.type !== 'nat' || base.hook !== 'prerouting') continue
          const rules = place.kernel.nftables.rules({ family, table, name: chain })
          const at = rules.findIndex(({ expressions }) => {
            const isHere = expressions.some((each) => {
              return each.type === 'xt target' && each.target === 'DNAT' && each.ports?.from === port
            })
            return isHere && couldMatch(expressions, question, 0)
          })
          if (at < 0) continue
          return {
            why: `${pod.name} listens at ${pod.listen.join(', ')}, not at ${protocol}/${port}: rule ${at + 1} of chain ${chain} (table ${family} ${table}, handle ${rules[at]!.handle}) of ${place.name} turns service ${name} (${clusterIp}:${asked.port}) to port ${port}, and its target port is ${asked.targetPort}. The sender is refused.`,
            fixes: [
              {
                node: place.name,
                run: `iptables -t nat -I ${chain} 1 -d ${clusterIp}/32 -p ${protocol} --dport ${asked.port} -j DNAT --to-destination ${address}:${asked.targetPort}`,
              },
            ],
          }
        }
      }
    }
  }
  return undefined
}
