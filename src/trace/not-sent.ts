/** A question that its own kernel would not send: no packet to tell of, only the kernel's error and what it means. */
import type { TraceDocument } from './document.ts'
import { wayTo } from './explain/ip.ts'
import type { Explanation, Place, World } from './explain/loss.ts'
import { noEndpoint } from './explain/service.ts'
import { fixesOf } from './result.ts'

/** Who asked whom. */
export interface Asked {
  readonly client: Place
  readonly address: string
}

export function notSent(
  answer: { readonly outcome: string; readonly errno?: string },
  { client, address }: Asked,
  world: World,
  { engine, lab }: { readonly engine: TraceDocument['engine']; readonly lab: string },
): TraceDocument {
  const { errno } = answer
  const { why, fixes } = explainErrno(errno, { client, address }, world)
  return {
    v: 1,
    id: 't0',
    engine,
    input: { node: client.name, dev: '', dir: 'out', hex: '', summary: `to ${address}` },
    steps: [],
    result: {
      disposition: 'dropped',
      reason: errno === undefined ? 'OVL_NOT_SENT' : `OVL_${errno}`,
      at: { node: client.name },
      why,
      ...fixesOf(fixes, client.name, lab),
    },
  }
}

function explainErrno(errno: string | undefined, { client, address }: Asked, world: World): Explanation {
  const name = client.name
  const service = noEndpoint(address, world)
  if (service) return service
  switch (errno) {
    case 'ENETUNREACH': {
      const way = wayTo(address, client.kernel, world)
      return {
        why: `${name} has no route to ${address}, not even a default one.`,
        fixes: way
          ? [{ node: name, run: `ip route replace ${way.subnet} via ${way.gateway} dev ${way.device} onlink` }]
          : [],
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
