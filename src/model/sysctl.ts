/**
 * /proc/sys/net of a namespace: the settings objects of settings.ts as text, by their paths. Sources: kernel/sysctl.c,
 * networking/ip-sysctl.rst; which numbers a setting takes stands in the profile.
 *
 *      net/ipv4/conf/DEVICE/…   net/ipv4/neigh/DEVICE/…    come and go with the device; `all` and `default` are no devices
 *      net/ipv6/conf/DEVICE/…   net/ipv6/neigh/DEVICE/…    only where the device's MTU has room for IPv6
 *      net/ipv4/…  net/ipv6/…   net/bridge/…  net/netfilter/…
 *
 * What a setting does beyond being read later stands in sysctl-effects.ts.
 */
import { KernelError } from '../kernel/errors.ts'
import type { Device } from './device/device.ts'
import type { Namespace } from './namespace.ts'
import type { Profile } from './profile/profile.ts'
import { isMissing } from './profile/without.ts'
import { hasNumber, type Numbers, namesOfNumbers, readNumber, readNumbers, wholeNumber } from './settings.ts'
import { effectOf } from './sysctl-effects.ts'
import { checkedText } from './sysctl-text.ts'

/** IPv4 needs this much: RFC 791 §3.2. A device with less has no IPv4. */
export const IPV4_MIN_MTU = 68
/** IPv6 needs this much: RFC 8200 §5. A device with less has no IPv6. */
export const IPV6_MIN_MTU = 1280

/** No setting, but a number to be read. */
const CONNTRACK_COUNT = 'net/netfilter/nf_conntrack_count'

/** Where a setting stands. */
interface Place {
  readonly numbers: Numbers
  readonly name: string
  /** The key of the profile that tells its limits. */
  readonly known: string
  readonly device: Device | undefined
}

export class Sysctls {
  readonly #namespace: Namespace
  /** Counts calls of `set`: what is read for every packet is looked up again when it has grown. */
  generation = 0
  /** Settings that are no single number: as they were at birth, and those that were written. */
  readonly #birthTexts: ReadonlyMap<string, string>
  #texts: Map<string, string> | undefined = undefined
  /** Numbers that have no object of their own in the namespace: net/core, net/netfilter, net/mptcp … by their whole key. */
  readonly #others: Record<string, number>
  /** Which settings of a device were set for it alone: `default` does not change them any more. ipv4_devconf.state. */
  #own: Map<object, Set<string> | typeof ALL> | undefined = undefined

  constructor(namespace: Namespace) {
    this.#namespace = namespace
    const { texts, others } = placeless(namespace.model.profile)
    this.#birthTexts = texts
    this.#others = Object.create(others) as Numbers
  }

  /** A setting that is a number; 0 where there is none. For what has no place in settings.ts. */
  number(key: string): number {
    const place = this.#place(key)
    return place?.numbers[place.name] ?? this.#others[key] ?? 0
  }

  /** A setting of several numbers, such as `net/ipv4/tcp_rmem`. */
  numbers(key: string): number[] {
    return readNumbers(this.#text(key) ?? '')
  }

  /** The value as /proc/sys shows it, without its newline; undefined when there is none. */
  get(key: string): string | undefined {
    if (this.#namespace.model.profile.writeOnly.includes(key)) {
      throw new KernelError('EACCES', `read sysctl "${key}"`, 'it can only be written')
    }
    if (isMissing(this.#namespace.model.profile, key)) return undefined
    if (key === CONNTRACK_COUNT) return `${this.#namespace.conntrack.size}`
    const place = this.#place(key)
    if (place) return `${place.numbers[place.name]}`
    return this.#others[key]?.toString() ?? this.#text(key)
  }

  #text(key: string): string | undefined {
    return this.#texts?.get(key) ?? this.#birthTexts.get(key)
  }

  /** Every setting there is, those of each device too, in the order of their paths. */
  keys(): string[] {
    const { profile } = this.#namespace.model
    const keys = new Set(Object.keys(profile.values).filter((key) => this.#placeOrText(key)))
    for (const key of profile.writeOnly) keys.add(key)
    if (keys.has('net/netfilter/nf_conntrack_max')) keys.add(CONNTRACK_COUNT)
    for (const device of this.#namespace.devices.list()) {
      for (const family of ['ipv4', 'ipv6'] as const) {
        if (!hasFamily(device, family)) continue
        const add = (kind: string, numbers: object) => {
          for (const name of namesOfNumbers(numbers)) keys.add(`net/${family}/${kind}/${device.name}/${name}`)
        }
        add('conf', device[family].conf)
        add('neigh', device[family].neighbourConf)
      }
    }
    return [...keys].filter((key) => !isMissing(profile, key)).sort(byPath)
  }

  #placeOrText(key: string): boolean {
    return this.#place(key) !== undefined || key in this.#others || this.#birthTexts.has(key)
  }

  set(key: string, text: string): void {
    const call = `set sysctl "${key}" to "${text}"`
    this.generation++
    this.#namespace.fib.flush()
    const { profile } = this.#namespace.model
    if (profile.writeOnly.includes(key)) return // flush: nothing is cached here
    const place = this.#place(key)
    const known = place?.known ?? key
    const isThere = place !== undefined || key in this.#others || this.#birthTexts.has(key)
    if (!isThere || isMissing(profile, key)) throw new KernelError('ENOENT', call)
    if (profile.readOnly.includes(known)) throw new KernelError('EACCES', call, 'it can only be read')
    if (text === '') return // write(2) of nothing
    if (!place && !(key in this.#others)) {
      const value = checkedText(key, text, this.#text(key)!, (other) => this.get(other) ?? '')
      if (value === undefined) throw new KernelError('EINVAL', call)
      this.#texts ??= new Map()
      this.#texts.set(key, value)
      return
    }
    const value = readNumber(text)
    const [low, high] = this.#limits(known, place)
    if (value === undefined || value < low || value > high) throw new KernelError('EINVAL', call)
    if (place) this.#change(place, value, call)
    else this.#others[key] = value
  }

  /** A device's settings at its birth: those of `default` now. Which of them were set is inherited, too. */
  inherit(conf: object, from: object): void {
    const own = this.#own?.get(from)
    if (own) this.#remember(conf, own === ALL ? ALL : new Set(own))
  }

  /** From now on `default` changes none of these: what the first address does to a device's settings. */
  keep(conf: object): void {
    this.#remember(conf, ALL)
  }

  forget(conf: object): void {
    this.#own?.delete(conf)
  }

  #remember(conf: object, own: Set<string> | typeof ALL): void {
    this.#own ??= new Map()
    this.#own.set(conf, own)
  }

  #change(place: Place, value: number, call: string): void {
    const { numbers, name, known, device } = place
    const before = numbers[name]!
    numbers[name] = value
    const effect = effectOf(known)
    if (effect) {
      const refused = effect({ namespace: this.#namespace, numbers, name, before, value, device })
      if (refused === undefined) return
      numbers[name] = before
      throw new KernelError(refused, call)
    }
    if (known.startsWith('net/ipv4/conf/')) this.#spread(numbers, name, value)
  }

  /** devinet_conf_proc: what is set in `default` is so for every device that has not been told otherwise. */
  #spread(conf: Numbers, name: string, value: number): void {
    if (FLUSHING.has(name) || conf === (this.#namespace.ipv4.all as object)) return
    const own = this.#own?.get(conf)
    if (!own) this.#remember(conf, new Set([name]))
    else if (own !== ALL) own.add(name)
    if (conf !== (this.#namespace.ipv4.default as object)) return
    for (const device of this.#namespace.devices.list()) {
      const each = numbersIn(device.ipv4.conf)
      const its = this.#own?.get(each)
      if (its !== ALL && !its?.has(name)) each[name] = value
    }
  }

  #limits(known: string, place: Place | undefined): readonly [number, number] {
    const [low, high] = this.#namespace.model.profile.limits[known] ?? INT
    // addrconf_sysctl_mtu: no more than the device has.
    if (place?.device && known === 'net/ipv6/conf/default/mtu') return [low, place.device.mtu]
    return [low, high]
  }

  #place(key: string): Place | undefined {
    const { ipv4, ipv6 } = this.#namespace
    const [root, family, kind, ...rest] = key.split('/')
    if (root !== 'net') return undefined
    if (family === 'ipv4' || family === 'ipv6') {
      if (kind === 'conf' || kind === 'neigh') return this.#placeOfDevice(family, kind, rest)
      return found(numbersIn(family === 'ipv4' ? ipv4.settings : ipv6.settings), key, `net/${family}/`)
    }
    if (family === 'netfilter') return found(numbersIn(this.#namespace.conntrack.settings), key, 'net/netfilter/')
    return family === 'bridge' ? found(numbersIn(this.#namespace.bridgeSettings), key, 'net/bridge/') : undefined
  }

  #placeOfDevice(family: 'ipv4' | 'ipv6', kind: 'conf' | 'neigh', rest: readonly string[]): Place | undefined {
    const [folder, name] = rest
    if (folder === undefined || name === undefined || rest.length !== 2) return undefined
    const state = this.#namespace[family]
    const device = this.#namespace.devices.get(folder)
    // The tables' own parameters are seen in the namespace alone that the kernel began with.
    const known = `net/${family}/${kind}/${kind === 'conf' ? 'default' : 'lo'}/${name}`
    let conf: object | undefined
    if (kind === 'conf' && (folder === 'all' || folder === 'default')) conf = state[folder]
    else if (device && hasFamily(device, family)) {
      conf = kind === 'conf' ? device[family].conf : device[family].neighbourConf
    }
    const numbers = conf && numbersIn(conf)
    return numbers && hasNumber(numbers, name) ? { numbers, name, known, device } : undefined
  }
}

/** As a directory's entries are sorted, from the root down. */
function byPath(a: string, b: string): number {
  const [left, right] = [a.split('/'), b.split('/')]
  const at = left.findIndex((part, i) => part !== right[i])
  if (at < 0) return left.length - right.length
  return left[at]! < (right[at] ?? '') ? -1 : 1
}

/** What a profile has that no object of settings.ts takes, as it is at birth. */
interface Placeless {
  readonly texts: ReadonlyMap<string, string>
  readonly others: Numbers
}

const placelessOf = new WeakMap<Profile, Placeless>()

function placeless(profile: Profile): Placeless {
  const known = placelessOf.get(profile)
  if (known) return known
  const texts = new Map<string, string>()
  const others: Numbers = {}
  for (const [key, value] of Object.entries(profile.values)) {
    const number = wholeNumber(value)
    if (number === undefined) texts.set(key, value)
    else if (!/^net\/(?:ipv4|ipv6|bridge|netfilter)\//.test(key)) others[key] = number
  }
  const found = { texts, others }
  placelessOf.set(profile, found)
  return found
}

/** ipv4_doint_and_flush: of these `default` is for devices to come. */
const FLUSHING: ReadonlySet<string> = new Set([
  'disable_policy',
  'disable_xfrm',
  'drop_unicast_in_l2_multicast',
  'promote_secondaries',
  'route_localnet',
])

/** Every setting was set for it alone. */
const ALL = 'all'

const INT = [-2147483648, 2147483647] as const

/** The loopback device keeps IPv6 whatever its MTU is: addrconf_notify. */
function hasFamily({ mtu, kind, ipv4 }: Device, family: 'ipv4' | 'ipv6'): boolean {
  return family === 'ipv4' ? ipv4.isThere : mtu >= IPV6_MIN_MTU || kind === 'loopback'
}

/** The objects of settings.ts hold numbers alone, more than their types name. */
function numbersIn(settings: object): Numbers {
  return settings as Numbers
}

function found(numbers: Numbers, key: string, prefix: string): Place | undefined {
  const name = key.slice(prefix.length)
  return hasNumber(numbers, name) ? { numbers, name, known: key, device: undefined } : undefined
}
