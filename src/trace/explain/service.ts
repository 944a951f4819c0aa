/** Services that lead nowhere: no pod behind them, or none that listens where they point. */
import { readHeaders } from '../summary.ts'
import type { Explainer, Explanation, Service, World } from './loss.ts'

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
export const listensElsewhere: Explainer = ({ place, frame, network }, world) => {
  const headers = readHeaders(frame, network)
  const pod = world.pods.find(({ name }) => name === place.name)
  if (!headers || headers.destinationPort === undefined || !pod || pod.listen.length === 0) return undefined
  const protocol = headers.protocol === 6 ? 'tcp' : 'udp'
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
