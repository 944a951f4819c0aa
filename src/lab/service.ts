/**
 * Services as plain DNAT rules, on every node that carries pods: one rule for each port and backend, the first of n taken
 * with probability 1/n, the next with 1/(n − 1) … A backend that calls its own service is masqueraded, or it would answer
 * itself. A service without backends refuses.
 */
import type { LabPlan, ServicePlan } from './plan.ts'

/** `iptables` command lines, in their order. `addressOf` gives a pod's address, without prefix length. */
export function rulesOf(
  { clusterIp, ports, pods }: Pick<ServicePlan, 'clusterIp' | 'ports' | 'pods'>,
  addressOf: (pod: string) => string | undefined,
): string[] {
  const backends = pods.flatMap((pod) => addressOf(pod) ?? [])
  if (backends.length === 0) {
    return ports.flatMap(({ port, protocol }) =>
      ['FORWARD', 'OUTPUT'].map(
        (chain) => `iptables -A ${chain} -d ${clusterIp}/32 -p ${protocol} --dport ${port} -j REJECT`,
      ),
    )
  }
  return ports.flatMap(({ port, targetPort, protocol }) => [
    ...['PREROUTING', 'OUTPUT'].flatMap((chain) =>
      backends.map((address, i) => {
        const left = backends.length - i
        const choice = left > 1 ? `-m statistic --mode random --probability ${(1 / left).toFixed(11)} ` : ''
        return `iptables -t nat -A ${chain} -d ${clusterIp}/32 -p ${protocol} --dport ${port} ${choice}-j DNAT --to-destination ${address}:${targetPort}`
      }),
    ),
    ...backends.map(
      (address) =>
        `iptables -t nat -A POSTROUTING -s ${address}/32 -d ${address}/32 -p ${protocol} --dport ${targetPort} -j MASQUERADE`,
    ),
  ])
}

/** Names of the pods that carry all of the labels. */
export function selectPods(selector: Readonly<Record<string, string>>, pods: LabPlan['pods']): string[] {
  return pods
    .filter(({ labels }) => Object.entries(selector).every(([key, value]) => labels[key] === value))
    .map(({ name }) => name)
}
