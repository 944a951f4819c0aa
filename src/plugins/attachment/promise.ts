/** What ADD promised, as CHECK is told it again by `prevResult`, and how it says that something of it is missing. */
import { CniCode, CniError, invalid } from '../../cni/errors.ts'
import type { CniResult, NetworkConfig, Request } from '../../cni/plugin.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import { RouteProtocol } from '../../kernel/route.ts'
import { compare } from '../../reconcile/compare.ts'
import { observe } from '../../reconcile/observe.ts'
import type { State } from '../../reconcile/state.ts'

export interface Promised {
  /** Addresses are those of the container's interface; later plugins may have added some of others. */
  readonly result: CniResult
  /** The container's interface. */
  readonly own: CniResult['interfaces'][number]
}

export function promisedTo({ config, ifName, netns }: Request<NetworkConfig>): Promised {
  const result = config.prevResult
  if (!result) throw invalid('Cannot check without "prevResult": give the result of ADD')
  const index = result.interfaces.findIndex(({ name, sandbox }) => name === ifName && sandbox === netns)
  const own = result.interfaces[index]
  if (!own) throw invalid(`Cannot check "${ifName}" in ${netns}: "prevResult" has no such interface`)
  const ips = result.ips.filter((ip) => ip.interface === undefined || ip.interface === index)
  return { result: { ...result, ips }, own }
}

/** What is not as desired, for people. */
export function differencesIn(kernel: Kernel, state: State): string[] {
  const seen = observe(kernel, state)
  // The route that an address brings with it may lie behind one of ours to the same subnet.
  const routes = (seen.routes ?? []).filter(({ protocol }) => protocol !== RouteProtocol.kernel)
  return compare(state, { ...seen, routes })
}

/** CniError when there is a difference. */
export function requireNone([first, ...others]: readonly string[]): void {
  if (first === undefined) return
  throw new CniError(
    CniCode.notAsPromised,
    `Cannot find all that ADD set up: ${first}`,
    others.length > 0 ? { details: others.join('\n') } : {},
  )
}
