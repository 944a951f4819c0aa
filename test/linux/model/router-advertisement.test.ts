/**
 * A host of the model and one of Linux hear the same router: default route, prefixes, addresses with their lifetimes, and the
 * settings that an advertisement changes. RFC 4861 §6.3.4, RFC 4862 §5.5.3.
 */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, test } from 'vitest'
import type { Address } from '../../../src/kernel/address.ts'
import type { LiveKernel } from '../../../src/kernel/live.ts'
import type { Route } from '../../../src/kernel/route.ts'
import { fold, sumOf } from '../../../src/model/bytes.ts'
import { eventually } from '../../contract/kernel/case.ts'
import { BothKernels, fromHex, type Rig } from './both-kernels.ts'

const HOST = '02:00:00:00:00:0a'
const ROUTER = '02:00:00:00:00:01'
const FROM = 'fe80000000000000000000000000000f'
const ALL_NODES = 'ff020000000000000000000000000001'
const SETTINGS = [
  'conf/eth0/hop_limit',
  'conf/eth0/mtu',
  'neigh/eth0/retrans_time_ms',
  'neigh/eth0/base_reachable_time_ms',
]

let both: BothKernels

beforeEach(async () => {
  both = new BothKernels('h', 'r')
  both.each(({ h, r }) => {
    for (const each of [h!, r!]) {
      for (const which of ['all', 'default']) each.sysctl.set(`net/ipv6/conf/${which}/disable_ipv6`, '0')
      // Addresses are usable at once, and nobody asks who routes: both are matters of chance.
      each.sysctl.set('net/ipv6/conf/default/dad_transmits', '0')
      each.sysctl.set('net/ipv6/conf/default/accept_dad', '0')
      each.sysctl.set('net/ipv6/conf/default/router_solicitations', '0')
      each.sysctl.set('net/ipv6/conf/default/addr_gen_mode', '0')
    }
  })
  await both.pair('h:eth0', HOST, 'r:eth0', ROUTER)
  await eventually(() => isReady(both.linux), 'the host has its link-local address')
  assert.ok(isReady(both.model))
})
afterEach(() => both.close())

const isReady = ({ h }: Rig) =>
  h!.addresses.list('eth0').some(({ prefix, tentative }) => /^fe80/.test(prefix) && !tentative)

interface Advertised {
  readonly hops?: number
  /** Bits 4 and 3: preference. */
  readonly flags?: number
  readonly lifetime?: number
  readonly reachable?: number
  readonly retransmission?: number
  readonly options?: readonly string[]
  readonly from?: string
}

const hex = (value: number, bytes: number) => value.toString(16).padStart(2 * bytes, '0')

function prefixOption(prefix: string, { length = 64, flags = 0xc0, valid = 3600, preferred = 1800 } = {}): string {
  return `0304${hex(length, 1)}${hex(flags, 1)}${hex(valid, 4)}${hex(preferred, 4)}00000000${prefix.padEnd(32, '0')}`
}
const mtuOption = (mtu: number) => `05010000${hex(mtu, 4)}`
const OWN_MAC = `0101${ROUTER.replaceAll(':', '')}`

function frameOf(advertised: Advertised): Uint8Array {
  const {
    hops = 0,
    flags = 0,
    lifetime = 0,
    reachable = 0,
    retransmission = 0,
    options = [OWN_MAC],
    from = FROM,
  } = advertised
  const times = `${hex(lifetime, 2)}${hex(reachable, 4)}${hex(retransmission, 4)}`
  const icmp = fromHex(`86000000${hex(hops, 1)}${hex(flags, 1)}${times}${options.join('')}`)
  const pseudo = sumOf(fromHex(`${from}${ALL_NODES}`), 0, 32) + 58 + icmp.length
  const sum = ~fold(sumOf(icmp, 0, icmp.length, pseudo)) & 0xffff
  icmp.set([sum >> 8, sum & 0xff], 2)
  const header = fromHex(`60000000${hex(icmp.length, 2)}3aff${from}${ALL_NODES}`)
  return Uint8Array.from([...fromHex(`333300000001${ROUTER}86dd`), ...header, ...icmp])
}

async function advertise(...all: readonly Advertised[]): Promise<void> {
  for (const each of all) both.send('r:eth0', frameOf(each))
  await both.take()
}

/** All that an advertisement may have changed. Seconds are those of a moment ago on Linux: they are compared by tens. */
function stateOf({ h }: Rig) {
  const tens = (seconds: number | undefined) => (seconds === undefined ? undefined : Math.ceil(seconds / 10))
  const route = ({ expires, ...rest }: Route) => ({ ...rest, expires: tens(expires) })
  const address = ({ prefix, flags, validLifetime, preferredLifetime, protocol, permanent }: Address) => ({
    prefix,
    flags,
    protocol,
    permanent,
    valid: tens(validLifetime),
    preferred: tens(preferredLifetime),
  })
  const byText = (a: object, b: object) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)
  return {
    routes: h!.routes.list({ family: 'ipv6', link: 'eth0' }).map(route).sort(byText),
    addresses: h!.addresses.list('eth0').map(address).sort(byText),
    neighbours: neighboursOf(h!),
    settings: SETTINGS.map((name) => `${name} ${h!.sysctl.get(`net/ipv6/${name.replace('/', '/')}`)}`),
  }
}

function neighboursOf(kernel: LiveKernel) {
  return kernel.neighbours
    .list({ link: 'eth0' })
    .map(({ address, mac, state, router }) => `${address} ${mac} ${state} ${router === true}`)
    .sort()
}

const P = '20010db800000001'
const rows: readonly (readonly [claim: string, ...advertised: Advertised[]])[] = [
  ['a router for half an hour', { lifetime: 1800, hops: 61 }],
  ['a router, and then not any more', { lifetime: 1800 }, { lifetime: 0 }],
  ['one that is preferred', { lifetime: 1800, flags: 0x08 }],
  ['one that is not', { lifetime: 1800, flags: 0x18 }],
  ['two routers', { lifetime: 1800 }, { lifetime: 900, from: 'fe80000000000000000000000000000e', options: [] }],
  ['a prefix for routes and addresses', { lifetime: 1800, options: [OWN_MAC, prefixOption(P)] }],
  ['a prefix on the link alone', { options: [prefixOption(P, { flags: 0x80 })] }],
  ['a prefix for addresses alone', { options: [prefixOption(P, { flags: 0x40 })] }],
  ['a prefix of 60 bits', { options: [prefixOption(P, { length: 60 })] }],
  ['a prefix for ever', { options: [prefixOption(P, { valid: 0xffffffff, preferred: 0xffffffff })] }],
  ['a prefix that is not preferred', { options: [prefixOption(P, { preferred: 0 })] }],
  ['a prefix that is preferred for longer than it lives', { options: [prefixOption(P, { preferred: 4000 })] }],
  ['a prefix that is link-local', { options: [prefixOption('fe80000000000000')] }],
  [
    'a prefix anew, for less than two hours',
    { options: [prefixOption(P, { valid: 9000 })] },
    { options: [prefixOption(P, { valid: 100, preferred: 50 })] },
  ],
  ['a prefix withdrawn', { options: [prefixOption(P)] }, { options: [prefixOption(P, { valid: 0, preferred: 0 })] }],
  ['two prefixes', { options: [prefixOption(P), prefixOption('20010db800000002')] }],
  ['an MTU', { lifetime: 1800, options: [mtuOption(1400)] }],
  ['an MTU that is too small, and one too great', { options: [mtuOption(1279)] }, { options: [mtuOption(1501)] }],
  ['times of neighbours', { reachable: 20000, retransmission: 500 }],
  ['options that are cut off', { lifetime: 1800, options: ['0301'] }, { lifetime: 1800, options: ['00000000'] }],
  ['from an address that is not link-local', { lifetime: 1800, from: '20010db8000000000000000000000001' }],
]

for (const [claim, ...advertised] of rows) {
  test(`${claim}: the host of the model takes it as Linux does`, async () => {
    await advertise(...advertised)
    assert.deepEqual(stateOf(both.model), stateOf(both.linux))
  })
}

const unwilling: readonly (readonly [claim: string, name: string, value: string])[] = [
  ['a router', 'forwarding', '1'],
  ['who accepts no advertisements', 'accept_ra', '0'],
  ['who wants no default route', 'accept_ra_defrtr', '0'],
  ['who wants no prefixes', 'accept_ra_pinfo', '0'],
  ['who wants no addresses of his own', 'autoconf', '0'],
  ['who wants no MTU', 'accept_ra_mtu', '0'],
  ['who wants more hops', 'accept_ra_min_hop_limit', '62'],
  ['who wants longer lifetimes', 'accept_ra_min_lft', '1801'],
  ['whose metric is another', 'ra_defrtr_metric', '77'],
  ['who does not care for preferences', 'accept_ra_rtr_pref', '0'],
]

for (const [claim, name, value] of unwilling) {
  test(`${claim}, ${name} ${value}: as on Linux`, async () => {
    both.each(({ h }) => h!.sysctl.set(`net/ipv6/conf/eth0/${name}`, value))
    await advertise({ lifetime: 1800, hops: 61, flags: 0x08, options: [OWN_MAC, prefixOption(P), mtuOption(1400)] })
    assert.deepEqual(stateOf(both.model), stateOf(both.linux))
  })
}
