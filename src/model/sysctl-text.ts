/** Settings that are no single number: which texts they take, and how they show them. Source: kernel/sysctl.c. */
import { readNumber } from './settings.ts'

type Check = (text: string, before: string, get: (key: string) => string) => string | undefined

/** What the setting shows when `text` was written to it; undefined where the kernel refuses it. */
export function checkedText(
  key: string,
  text: string,
  before: string,
  get: (key: string) => string,
): string | undefined {
  const check = CHECKS[key] ?? (/^-?\d+(?:\t-?\d+)+$/.test(before) ? vector(1, 2147483647) : word)
  return check(text, before, get)
}

const CHECKS: Readonly<Record<string, Check>> = {
  'net/ipv4/ip_local_port_range': portRange,
  'net/ipv4/ping_group_range': groupRange,
  'net/ipv4/ip_local_reserved_ports': bitmap(65536),
  'net/ipv6/icmp/ratemask': bitmap(256),
  'net/ipv4/tcp_congestion_control': congestionControl,
}

/** proc_dostring: up to the end of the line. */
function word(text: string): string {
  return text.split('\n', 1)[0]!.trimStart()
}

/** proc_dointvec: numbers that are left out stay as they are. */
function vector(low: number, high: number): Check {
  return (text, before) => {
    const values = before.split('\t')
    const words = text.split(/\s+/).filter((each) => each !== '')
    if (words.length === 0) return undefined
    for (let i = 0; i < values.length && i < words.length; i++) {
      const value = readNumber(words[i]!)
      if (value === undefined || value < low || value > high) return undefined
      values[i] = `${value}`
    }
    return values.join('\t')
  }
}

/** ipv4_local_port_range: none of them needs a privilege. */
function portRange(text: string, before: string, get: (key: string) => string): string | undefined {
  const range = vector(1, 65535)(text, before, get)
  if (range === undefined) return undefined
  const [low, high] = range.split('\t').map(Number)
  return low! <= high! && low! >= Number(get('net/ipv4/ip_unprivileged_port_start')) ? range : undefined
}

/** ipv4_ping_group_range: a range without anybody in it is written `1 0`. */
function groupRange(text: string, before: string, get: (key: string) => string): string | undefined {
  const range = vector(0, 2147483647)(text, before, get)
  const [low, high] = range?.split('\t').map(Number) ?? []
  return range !== undefined && high! < low! ? '1\t0' : range
}

/** proc_do_large_bitmap: `5,1-3` is shown as `1-3,5`. */
function bitmap(size: number): Check {
  return (text) => {
    const bits = new Set<number>()
    for (const part of text.trim().split(',')) {
      if (part === '') continue
      const [, from, to = from] = /^(\d+)(?:-(\d+))?$/.exec(part) ?? []
      if (from === undefined || Number(from) > Number(to) || Number(to) >= size) return undefined
      for (let bit = Number(from); bit <= Number(to); bit++) bits.add(bit)
    }
    const ranges: [number, number][] = []
    for (const bit of [...bits].sort((a, b) => a - b)) {
      const last = ranges.at(-1)
      if (last && last[1] === bit - 1) last[1] = bit
      else ranges.push([bit, bit])
    }
    return ranges.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(',')
  }
}

function congestionControl(text: string, _before: string, get: (key: string) => string): string | undefined {
  const name = word(text)
  return get('net/ipv4/tcp_available_congestion_control').split(' ').includes(name) ? name : undefined
}
