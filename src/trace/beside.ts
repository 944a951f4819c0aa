/** What of a table was not chosen: `overlab trace --why`. */
import type { TraceDocument, TraceStep } from './document.ts'
import { covers, type World } from './explain/loss.ts'
import { fromHex } from './hex.ts'
import { readHeaders } from './summary.ts'

/** Rows of a table that are told at most. */
const MOST = 4

/** Below a route: the shorter ones that would have led there, too. Below an FDB entry, or the want of one: the device's others. */
export function besideOf({ places }: World): (trace: TraceDocument, step: TraceStep) => string[] {
  return (trace, step) => {
    const kernel = places.find(({ name }) => name === step.at.node)?.kernel
    if (!kernel) return []
    if (step.stage === 'route') {
      const destination = destinationAt(trace, step)
      if (destination === undefined) return []
      const prefix = chosenPrefix(step)
      return kernel.routes
        .list({ family: destination.includes(':') ? 'ipv6' : 'ipv4' })
        .filter((route) => route.destination !== prefix && covers(route.destination, destination))
        .slice(0, MOST)
        .map(({ type, destination: to, gateway, link }) => {
          const words = [type === 'unicast' ? undefined : type, to, gateway && `via ${gateway}`, link && `dev ${link}`]
          return words.filter(Boolean).join(' ')
        })
    }
    const isVxlan = step.at.dev !== undefined && kernel.links.get(step.at.dev)?.kind === 'vxlan'
    if (!isVxlan || (step.stage !== 'fdb' && step.reason !== 'NO_TX_TARGET')) return []
    return kernel.fdb
      .list({ link: step.at.dev! })
      .filter(({ mac, destination }) => destination !== undefined && !step.what?.startsWith(mac))
      .slice(0, MOST)
      .map(({ mac, destination }) => `${mac} dst ${destination}`)
  }
}

/** Of the packet as it leaves the place; where it does not, as it came. */
function destinationAt({ steps }: TraceDocument, { n, at }: TraceStep): string | undefined {
  const here = steps.filter((each) => each.hex !== undefined && each.at.node === at.node)
  const tap = here.find((each) => each.n > n && each.what === 'out') ?? here.findLast((each) => each.n < n)
  return tap?.hex === undefined ? undefined : readHeaders(fromHex(tap.hex))?.destination
}

/** `10.244.1.0/24 via …`, `default via …`, `local 10.0.0.1 dev …`: the prefix, as the interface lists it. */
function chosenPrefix({ what = '' }: TraceStep): string {
  const word = what.replace(/^(?:local|broadcast|multicast|unicast) /, '').split(' ')[0]!
  if (word === 'default') return '0.0.0.0/0'
  return word.includes('/') ? word : `${word}/32`
}
