/** What can be said to every command of `overlab lab`. */
import type { Format } from './output.ts'
import type { ChosenTopology } from './topology.ts'

/** The options that are not all given, and what they come to. */
export interface Given {
  readonly name?: string
  readonly engine?: 'model' | 'kernel'
  readonly file?: string
  readonly seed?: number
  /** Of `up` and `demo`: daemons on the nodes, with this backend; or BGP. */
  readonly backend?: 'vxlan' | 'host-gw' | 'udp' | 'bgp'
  readonly directRouting?: true
  readonly binDir: string
  readonly output: Format
}

export interface Options extends Given {
  readonly name: string
  /** Of `up` and `demo`. */
  readonly chosen: ChosenTopology
}
