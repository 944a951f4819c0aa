/** Two namespaces of a kernel, and all that it shows of its control plane there. */
import type { LiveKernel } from '../../../src/kernel/live.ts'

export interface World {
  readonly worlds: readonly [LiveKernel, LiveKernel]
  end(): void
}

/** Two namespaces of the kernel without IPv6, whose own chatter would be seen. */
export function worldOf(kernel: LiveKernel): World {
  const names = ['beside-node', 'beside-other'] as const
  const [node, other] = names.map((name) => kernel.enter(kernel.namespaces.add(name))!)
  for (const each of [node!, other!]) {
    each.sysctl.set('net/ipv6/conf/all/disable_ipv6', '1')
    // Which of several next hops is told would be drawn by each kernel for itself.
    each.sysctl.set('net/ipv4/fib_multipath_hash_seed', '99')
  }
  return {
    worlds: [node!, other!],
    end() {
      node!.close()
      other!.close()
      for (const name of names) kernel.namespaces.delete(name)
      kernel.close()
    },
  }
}

export function snapshot(worlds: World['worlds']): object[] {
  return worlds.map(({ links, addresses, routes, rules, neighbours, fdb }) => ({
    links: links.list().map(({ macOrigin: _, parentNamespace: _1, details, ...link }) => ({
      ...defined(link),
      details: { ...details, kind: withoutTimers(details.kind), port: withoutTimers(details.port) },
    })),
    addresses: addresses.list().map(defined),
    routes: routes.list().map(defined),
    rules: rules.list().map(defined),
    neighbours: [...neighbours.list(), ...neighbours.list({ proxy: true })]
      .filter(({ address }) => !address.startsWith('224.'))
      .map(defined)
      .sort(byText),
    // A device's own list of groups that it listens to is not modelled.
    fdb: fdb
      .list()
      .filter(({ mac }) => !mac.startsWith('33:33') && !mac.startsWith('01:'))
      .map(defined)
      .sort(byText),
  }))
}

function withoutTimers(values: Readonly<Record<string, number | string>>): object {
  return Object.fromEntries(Object.entries(values).filter(([name]) => !name.endsWith('_TIMER')))
}

function defined(value: object): object {
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined))
}

function byText(a: object, b: object): number {
  return JSON.stringify(a) < JSON.stringify(b) ? -1 : 1
}
