/** A question that its own kernel would not send: no packet to tell of, only the kernel's error and what it means. */
import type { TraceDocument } from './document.ts'
import { missingRoute } from './explain/bgp.ts'
import { explain } from './explain/explain.ts'
import { routeBy, wayTo } from './explain/ip.ts'
import { type Explanation, type Loss, type Place, routeTo, type World } from './explain/loss.ts'
import { noEndpoint } from './explain/service.ts'
import { type Question, questionFrame } from './question-frame.ts'
import { fixesOf } from './result.ts'

/** Who asked whom. */
export interface Asked {
  readonly client: Place
  readonly address: string
  readonly spec: Question
}

export function notSent(
  answer: { readonly outcome: string; readonly errno?: string },
  asked: Asked,
  world: World,
  { engine, lab }: { readonly engine: TraceDocument['engine']; readonly lab: string },
): TraceDocument {
  const { client, address } = asked
  const base = {
    v: 1,
    id: 't0',
    engine,
    input: { node: client.name, dev: '', dir: 'out', hex: '', summary: `to ${address}` },
    steps: [],
  } as const
  const unresolved = unresolvedLink(asked)
  if (unresolved !== undefined) {
    const loss = unseenLoss(asked, { reason: 'NEIGH_FAILED', kernel: 'neigh_invalidate', device: unresolved })
    if (loss) {
      const { why, fixes } = explain(loss, world)
      const { reason, kernel } = loss
      const at = { node: client.name, dev: unresolved }
      return {
        ...base,
        result: { disposition: 'dropped', reason, kernel, at, why, ...fixesOf(fixes, client.name, lab) },
      }
    }
  }
  const { errno } = answer
  if (errno === 'EAFNOSUPPORT' && engine.kind === 'model') {
    const why = `${client.name} cannot send to ${address}: IPv6 is not modelled. The real kernel can: --engine kernel.`
    return { ...base, result: { disposition: 'unsupported', reason: 'IPv6', at: { node: client.name }, why } }
  }
  const { why, fixes } = explainErrno(errno, asked, world)
  const reason = errno === undefined ? 'OVL_NOT_SENT' : `OVL_${errno}`
  const at = { node: client.name }
  return { ...base, result: { disposition: 'dropped', reason, at, why, ...fixesOf(fixes, client.name, lab) } }
}

/** The link on which nobody has answered for the next hop. */
function unresolvedLink({ client: { kernel }, address }: Asked): string | undefined {
  const route = routeTo(address, kernel)
  const next = route?.gateway ?? address
  const neighbour = kernel.neighbours.list().find((each) => each.link === route?.link && each.address === next)
  return neighbour && neighbour.mac === undefined ? route?.link : undefined
}

/** The loss of a question at its sender, before any capture. Undefined for IPv6. */
export function unseenLoss(
  { client, address, spec }: Asked,
  cause: {
    readonly reason: string
    readonly kernel: string
    readonly device: string
    readonly ref?: string | undefined
  },
): Loss | undefined {
  const frame = questionFrame(client.kernel, address, spec)
  if (!frame) return undefined
  const { reason, kernel, device, ref } = cause
  return {
    place: client,
    device,
    reason,
    kernel,
    ref,
    frame,
    network: 0,
    client,
    before: undefined,
    path: [client.name],
  }
}

function explainErrno(errno: string | undefined, { client, address }: Asked, world: World): Explanation {
  const name = client.name
  const service = noEndpoint(address, world)
  if (service) return service
  switch (errno) {
    case 'ENETUNREACH': {
      const missing = missingRoute(name, address, world)
      if (missing) return missing
      const way = wayTo(address, client.kernel, world)
      return {
        why: `${name} has no route to ${address}, not even a default one.`,
        fixes: way ? [{ node: name, run: routeBy(way) }] : [],
      }
    }
    case 'EHOSTUNREACH':
      return { why: `${name} cannot reach ${address}: its route says so, or no neighbour answered.`, fixes: [] }
    case 'EACCES':
      return {
        why: `${name} may not send to ${address}: it is a broadcast address, or its route prohibits it.`,
        fixes: [],
      }
    case 'EPERM':
      return { why: `A rule of ${name} drops it on its way out (chain OUTPUT).`, fixes: [] }
    case 'EAFNOSUPPORT':
      return { why: `${name} has no IPv6: ${address} cannot be sent to.`, fixes: [] }
    case 'EINVAL':
      return {
        why: `${name} cannot send to ${address}: its route leads nowhere, or the address is none to send to.`,
        fixes: [],
      }
    case undefined:
      return { why: `${name} sent nothing, and no error came.`, fixes: [] }
    default:
      return { why: `${name} could not send it: ${errno}.`, fixes: [] }
  }
}
