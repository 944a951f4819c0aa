/** Tests and exercises as a topology file describes them: `tests` and `exercise` of schema/topology.schema.json. */

export interface TopologyTest {
  readonly name: string
  /** Faults that break the network before. */
  readonly with?: string | readonly string[]
  /** `pod/web-0`, `svc/api`, `node/n1`, `ip/10.0.0.1`. */
  readonly from?: string
  readonly to?: string
  /** Ports. An echo request where neither is given, or a service's first port. */
  readonly tcp?: number
  readonly udp?: number
  readonly icmp?: 'echo'
  readonly ttl?: number
  /** Bytes that the datagram or echo carries; of a connection, there and back. */
  readonly size?: number
  readonly df?: boolean
  readonly expect?: Expectation
  readonly reach?: Reach
}

export interface Expectation {
  /** There and back: `pod/api-0`, `pod/api-*`. */
  readonly delivered?: string
  /** A reason; `*` stands for any. */
  readonly dropped?: string
  /** `3/4` of ICMP, or `RST`; or a reason, of what is told of. */
  readonly replied?: string
  /** `n1/flannel.1`, `n1`. */
  readonly at?: string
  /** `10.244.1.2:8080`. */
  readonly dnat?: string
  readonly via?: readonly string[]
  readonly mtu?: number
  /** Address that it comes from when it arrives. */
  readonly source?: string
  /** What is left of it when it arrives. */
  readonly ttl?: number
  /** The sentence of a trace; `…` stands for anything. */
  readonly says?: string
}

/** Who reaches whom. */
export interface Reach {
  /** `pod/api-*`. */
  readonly to: string
  readonly tcp?: number
  readonly udp?: number
  /** These, and no others. All where left out. */
  readonly only?: readonly string[]
}

/** Something broken, to be found and mended. */
export interface Exercise {
  readonly title: string
  readonly text?: string
  /** Names of the file's faults. */
  readonly fault: string | readonly string[]
  /** Names of the tests that fail with it, and no others. */
  readonly fails: readonly string[]
  /** The reason that a trace gives for the first of them, and its place. */
  readonly dropped?: string
  readonly at?: string
  /** The sentence that it says. Here and in `fix`, `…` stands for anything. */
  readonly says: string
  readonly fix: readonly string[]
  /** Both where left out. */
  readonly engines?: readonly ('model' | 'kernel')[]
}

export function namesOf(names: string | readonly string[] | undefined): readonly string[] {
  return names === undefined ? [] : typeof names === 'string' ? [names] : names
}

/** Whether the text is as the pattern says, in which `wildcard` stands for anything. */
export function isLike(text: string, pattern: string, wildcard: '*' | '…' = '…'): boolean {
  const parts = pattern
    .trim()
    .split(wildcard)
    .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${parts.join('.*')}$`, 's').test(text.trim())
}
