/** What `overlab daemon` is told to do: its flags, read and checked. */
import { readIp } from '../../address/ip.ts'
import { readIpv4 } from '../../address/ipv4.ts'
import type { DaemonOptions } from '../../overlay/daemon.ts'
import type { StoreSettings } from '../../store/open.ts'
import { type FlagValues, usage } from './flags.ts'

export interface Settings extends Pick<DaemonOptions, 'prefix' | 'uplink' | 'rules' | 'leaseSeconds' | 'renewSeconds'> {
  readonly store: StoreSettings
  readonly subnetFile: string
  /** Path of a net-conf.json. */
  readonly networkConfig: string | undefined
  /** Undefined: health and metrics are not served. */
  readonly listen: { readonly ip: string; readonly port: number } | undefined
  readonly logFormat: 'text' | 'json'
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error'
}

/** pkg/subnet: flannel's margin is 1 to 1439 minutes, and its leases live for a day. */
const LONGEST_LEASE = 365 * 86_400
/** etcd grants no shorter ones for long. */
const SHORTEST_LEASE = 2

/** CommandError (usage) for a value that cannot be meant. */
export function readSettings(flags: FlagValues): Settings {
  const all = (name: string) => flags.get(name)!
  const text = (name: string) => all(name)[0] || undefined
  const isTrue = (name: string) => text(name) === 'true'
  const leaseSeconds = duration('subnet-lease-ttl', text('subnet-lease-ttl')!, 1, SHORTEST_LEASE, LONGEST_LEASE)
  const renewSeconds = duration(
    'subnet-lease-renew-margin',
    text('subnet-lease-renew-margin')!,
    60,
    1,
    leaseSeconds - 1,
  )
  integer('iptables-resync', text('iptables-resync')!, 0, 86_400)
  const port = integer('healthz-port', text('healthz-port')!, 0, 65_535)
  const verbosity = integer('v', text('v')!, 0, 100)
  const level = oneOf('log-level', text('log-level')!, ['debug', 'info', 'warn', 'error'])
  const publicIp = {
    ipv4: address('public-ip', text('public-ip'), 4),
    ipv6: address('public-ipv6', text('public-ipv6'), 16),
  }
  const ip = text('healthz-ip')!
  if (!readIp(ip)) throw usage(`Cannot use --healthz-ip ${ip}: it is no address`)
  return {
    store: storeOf(text('store')!, flags),
    prefix: text('etcd-prefix') ?? '/',
    uplink: {
      interfaces: all('iface'),
      patterns: all('iface-regex'),
      canReach: text('iface-can-reach'),
      publicIp: { ...(publicIp.ipv4 && { ipv4: publicIp.ipv4 }), ...(publicIp.ipv6 && { ipv6: publicIp.ipv6 }) },
    },
    rules: {
      masquerade: isTrue('ip-masq'),
      fullyRandom: !isTrue('ip-masq-fully-random-disable'),
      forward: isTrue('iptables-forward-rules'),
      blackhole: isTrue('ip-blackhole-route'),
    },
    leaseSeconds,
    renewSeconds,
    subnetFile: text('subnet-file')!,
    networkConfig: text('network-config'),
    listen: port === 0 ? undefined : { ip, port },
    logFormat: oneOf('log-format', text('log-format')!, ['text', 'json']),
    logLevel: verbosity > 0 ? 'debug' : level,
  }
}

function storeOf(store: string, flags: FlagValues): StoreSettings {
  const text = (name: string) => flags.get(name)![0] || undefined
  if (store.startsWith('file:') && store.length > 'file:'.length) return { file: store.slice('file:'.length) }
  if (store !== 'etcd') throw usage(`Cannot use --store ${store}: it is neither etcd nor file:DIRECTORY`)
  return {
    etcd: {
      endpoints: text('etcd-endpoints')!
        .split(',')
        .filter((endpoint) => endpoint.trim() !== ''),
      ca: text('etcd-cafile'),
      cert: text('etcd-certfile'),
      key: text('etcd-keyfile'),
      username: text('etcd-username'),
      password: text('etcd-password'),
    },
  }
}

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600 }

/** Seconds. A number alone is in units of `unit` seconds. */
function duration(name: string, text: string, unit: number, least: number, most: number): number {
  const [, digits, letter] = /^(\d{1,9})([smh]?)$/.exec(text) ?? []
  const seconds = Number(digits) * (letter ? UNITS[letter]! : unit)
  if (seconds >= least && seconds <= most) return seconds
  throw usage(`Cannot use --${name} ${text}: it is no time of ${least} s to ${most} s`)
}

function integer(name: string, text: string, least: number, most: number): number {
  const number = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN
  if (number >= least && number <= most) return number
  throw usage(`Cannot use --${name} ${text}: it is no number from ${least} to ${most}`)
}

function oneOf<const T extends string>(name: string, text: string, choices: readonly T[]): T {
  const choice = choices.find((each) => each === text)
  if (choice !== undefined) return choice
  throw usage(`Cannot use --${name} ${text}: it is none of ${choices.join(', ')}`)
}

function address(name: string, text: string | undefined, bytes: number): string | undefined {
  if (text === undefined) return undefined
  const ip = bytes === 4 ? readIpv4(text) : readIp(text)
  if (ip?.length === bytes) return text
  throw usage(`Cannot use --${name} ${text}: it is no IPv${bytes === 4 ? 4 : 6} address`)
}
