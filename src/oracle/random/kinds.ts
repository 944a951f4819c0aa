/** The kinds of random world that there are. Case i of a campaign is of the kind whose turn it is. */
import { bridge } from './bridge.ts'
import { fragments } from './fragments.ts'
import { ipv6 } from './ipv6.ts'
import type { Kind } from './kind.ts'
import { nat } from './nat.ts'
import { policy } from './policy.ts'
import { vxlan } from './vxlan.ts'

export const kinds: readonly Kind[] = [bridge, vxlan, policy, nat, fragments, ipv6]
