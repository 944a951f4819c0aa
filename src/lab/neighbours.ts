/** Who is next to whom: the addresses that a place reaches without a router, as its own prefixes say. */
import { parseIp } from '../address/ip.ts'
import { contains, hostOf, parsePrefix } from '../address/prefix.ts'
import type { LiveKernel } from '../kernel/live.ts'

interface Place {
  readonly kernel: LiveKernel
}

/** Pairs of a place and an address of another on a link of both. IPv4. */
export function* neighbourPairs<P extends Place>(places: readonly P[]): Generator<{ from: P; address: string }> {
  const prefixes = places.map(({ kernel }) => {
    const addresses = kernel.addresses.list().filter(({ link, prefix }) => link !== 'lo' && !prefix.includes(':'))
    return addresses.map(({ prefix }) => prefix)
  })
  for (const [i, from] of places.entries()) {
    const networks = prefixes[i]!.filter((prefix) => !prefix.endsWith('/32')).map(parsePrefix)
    for (const [j, others] of prefixes.entries()) {
      if (i === j) continue
      for (const prefix of others) {
        const address = hostOf(prefix)
        if (networks.some((network) => contains(network, parseIp(address)))) yield { from, address }
      }
    }
  }
}
