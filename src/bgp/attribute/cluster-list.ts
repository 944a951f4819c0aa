/** CLUSTER_LIST: RFC 4456 §8. The reflectors that the route has passed, the last of them first. */
import { type BgpId, formatBgpId } from '../bgp-id.ts'
import { ofU32, u32 } from '../octets.ts'
import { type AttributeCodec, fromOutside, OPTIONAL_NON_TRANSITIVE } from './attribute.ts'
import { requireMultiple } from './length.ts'

export const clusterList: AttributeCodec<readonly BgpId[]> = {
  code: 10,
  name: 'CLUSTER_LIST',
  flags: OPTIONAL_NON_TRANSITIVE,
  damaged: 'treat-as-withdraw',
  unwanted: fromOutside,
  decode(value) {
    requireMultiple('CLUSTER_LIST', value, 4)
    const list: BgpId[] = []
    for (let at = 0; at < value.length; at += 4) list.push(u32(value, at))
    return list
  },
  encode: (list) => ofU32(...list),
  show: (list) => list.map(formatBgpId).join(' '),
}
