/** The options of iptables itself, and which of its commands take which: iptables/xtables.c, xshared.c. */

/** The letters of the commands that there are. */
export type Verb = 'A' | 'I' | 'D' | 'R' | 'C' | 'L' | 'S' | 'F' | 'Z' | 'N' | 'X' | 'P' | 'E'

/** The option, and the letter by which it is known. `takes`: words behind it; 'maybe' only in the same word. */
export interface BaseOption {
  readonly letter: string
  readonly names: readonly string[]
  readonly takes: 0 | 1 | 'maybe'
}

export const BASE_OPTIONS: readonly BaseOption[] = [
  { letter: 'A', names: ['append'], takes: 1 },
  { letter: 'D', names: ['delete'], takes: 1 },
  { letter: 'C', names: ['check'], takes: 1 },
  { letter: 'I', names: ['insert'], takes: 1 },
  { letter: 'R', names: ['replace'], takes: 1 },
  { letter: 'L', names: ['list'], takes: 'maybe' },
  { letter: 'S', names: ['list-rules'], takes: 'maybe' },
  { letter: 'F', names: ['flush'], takes: 'maybe' },
  { letter: 'Z', names: ['zero'], takes: 'maybe' },
  { letter: 'N', names: ['new-chain'], takes: 1 },
  { letter: 'X', names: ['delete-chain'], takes: 'maybe' },
  { letter: 'E', names: ['rename-chain'], takes: 1 },
  { letter: 'P', names: ['policy'], takes: 1 },
  { letter: 's', names: ['source', 'src'], takes: 1 },
  { letter: 'd', names: ['destination', 'dst'], takes: 1 },
  { letter: 'p', names: ['protocol'], takes: 1 },
  { letter: 'i', names: ['in-interface'], takes: 1 },
  { letter: 'j', names: ['jump'], takes: 1 },
  { letter: 't', names: ['table'], takes: 1 },
  { letter: 'm', names: ['match'], takes: 1 },
  { letter: 'n', names: ['numeric'], takes: 0 },
  { letter: 'o', names: ['out-interface'], takes: 1 },
  { letter: 'v', names: ['verbose'], takes: 0 },
  { letter: 'w', names: ['wait'], takes: 'maybe' },
  { letter: 'W', names: ['wait-interval'], takes: 'maybe' },
  { letter: 'x', names: ['exact'], takes: 0 },
  { letter: 'f', names: ['fragments'], takes: 0 },
  { letter: 'V', names: ['version'], takes: 0 },
  { letter: 'h', names: ['help'], takes: 'maybe' },
  { letter: '0', names: ['line-numbers'], takes: 0 },
  { letter: 'M', names: ['modprobe'], takes: 1 },
  { letter: 'c', names: ['set-counters'], takes: 1 },
  { letter: 'g', names: ['goto'], takes: 1 },
  { letter: '4', names: ['ipv4'], takes: 0 },
  { letter: '6', names: ['ipv6'], takes: 0 },
]

/** Options that a verb has no use for: commands_v_options. */
export const ILLEGAL: Readonly<Record<Verb, string>> = {
  I: 'nx0',
  D: 'nx0c',
  R: 'nx0',
  A: 'nx0',
  L: 'sdpjiocf',
  F: 'nsdpjxio0cf',
  Z: 'nsdpjxio0cf',
  N: 'nsdpjxio0cf',
  X: 'nsdpjxio0cf',
  P: 'nsdpjxio0f',
  E: 'nsdpjxio0cf',
  S: 'nsdpjxio0cf',
  C: 'nx0c',
}
/** The order in which illegal options are named. */
export const OPTION_ORDER = 'nsdpjvxio0cf'
