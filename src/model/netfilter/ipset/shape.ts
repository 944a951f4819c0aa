/** What the entries of a type of IP sets are made of. Source: net/netfilter/ipset/ip_set_hash_*.c, ip_set_bitmap_port.c of Linux 6.18. */
import type { IpSetType } from '../../../kernel/ipset.ts'

export interface Shape {
  /** Parts of an entry: a rule must say of as many which side of the packet they are compared with. */
  readonly dimension: number
  readonly first: 'address' | 'network' | undefined
  readonly hasPort: boolean
  readonly second: 'address' | 'network' | undefined
  readonly revision: number
}

export const SHAPES: Readonly<Record<IpSetType, Shape>> = {
  'hash:ip': { dimension: 1, first: 'address', hasPort: false, second: undefined, revision: 6 },
  'hash:net': { dimension: 1, first: 'network', hasPort: false, second: undefined, revision: 7 },
  'hash:ip,port': { dimension: 2, first: 'address', hasPort: true, second: undefined, revision: 7 },
  'hash:net,port': { dimension: 2, first: 'network', hasPort: true, second: undefined, revision: 8 },
  'hash:ip,port,ip': { dimension: 3, first: 'address', hasPort: true, second: 'address', revision: 6 },
  'hash:ip,port,net': { dimension: 3, first: 'address', hasPort: true, second: 'network', revision: 8 },
  'bitmap:port': { dimension: 1, first: undefined, hasPort: true, second: undefined, revision: 3 },
}
