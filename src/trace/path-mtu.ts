/** How large a packet may be on a path that one has taken: what its smallest link carries, less the tunnels' headers. */
import type { TraceDocument } from './document.ts'
import type { World } from './explain/loss.ts'
import { fromHex } from './hex.ts'
import { insideVxlan, readHeaders } from './summary.ts'

/** Bytes; undefined where no link of the path is known. */
export function pathMtu({ steps }: TraceDocument, { places }: World): number | undefined {
  const sizes = steps.flatMap(({ stage, at, hex }): number[] => {
    if (stage !== 'tap' || hex === undefined || at.dev === undefined || at.dev === 'lo') return []
    const mtu = places.find(({ name }) => name === at.node)?.kernel.links.get(at.dev)?.mtu
    if (mtu === undefined) return []
    const frame = fromHex(hex)
    const headers = readHeaders(frame)
    const inner = headers && insideVxlan(frame, headers)
    return [inner === undefined ? mtu : mtu - (inner - ETHERNET)]
  })
  return sizes.length > 0 ? Math.min(...sizes) : undefined
}

const ETHERNET = 14
