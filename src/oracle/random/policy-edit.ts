/** Commands of a router with policy rules: rules, routes of tables, marks, settings. */
import fc from 'fast-check'
import { addressOf, prefixOf, STRANGER } from './address-plan.ts'
import { FAR, HOST, ROUTER, routerDevice } from './policy-plan.ts'
import { among, type Deed, line, settled } from './world.ts'

const table = among('100', '101', 'main', '100', '101')
const device = among(routerDevice(1), routerDevice(2), routerDevice(3), routerDevice(4))
const host = (network: number) => addressOf(network, HOST)

const anyPrefix = among(
  prefixOf(1),
  `${host(1)}/32`,
  prefixOf(FAR[0]),
  prefixOf(FAR[1]),
  prefixOf(2),
  prefixOf(4),
  '10.0.48.0/20',
  '0.0.0.0/0',
)

/** What a rule looks for. Marks 1 and 2 are set by markRules. */
const selector = fc.oneof(
  anyPrefix.map((prefix) => `from ${prefix}`),
  anyPrefix.map((prefix) => `to ${prefix}`),
  among('fwmark 1', 'fwmark 2', 'fwmark 0x2/0x2', 'fwmark 0x10/0xf0'),
  device.map((name) => `iif ${name}`),
  among('iif lo', 'oif rb', 'iif none0', 'tos 0x10', 'not fwmark 1', `not from ${prefixOf(1)}`),
  fc.tuple(anyPrefix, anyPrefix).map(([source, destination]) => `from ${source} to ${destination}`),
  fc.tuple(anyPrefix, device).map(([source, name]) => `from ${source} iif ${name}`),
  fc.constant(''),
)

const action = fc.oneof(
  { weight: 8, arbitrary: table.map((name) => `lookup ${name}`) },
  { weight: 1, arbitrary: table.map((name) => `lookup ${name} suppress_prefixlength 0`) },
  { weight: 1, arbitrary: among('lookup main suppress_prefixlength 23', 'lookup 100 suppress_prefixlength 24') },
  { weight: 1, arbitrary: among('blackhole', 'unreachable', 'prohibit') },
  { weight: 2, arbitrary: among('goto 500', 'goto 32766', 'nop', 'goto 700') },
)

const priority = among('100', '200', '300', '500', '600', '32766', '0')

/** A rule, as it is added. */
export const ruleWords: fc.Arbitrary<string> = fc
  .tuple(priority, selector, action)
  .map(([number, what, then]) => `ip rule add pref ${number} ${what} ${then}`.replace('  ', ' '))

const gateway = among(host(2), host(3), host(1), host(4), addressOf(FAR[0], 1), STRANGER.address)

const way = fc.oneof(
  { weight: 4, arbitrary: gateway.map((address) => `via ${address}`) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(gateway, gateway, among('1', '2', '5'))
      .map(([one, other, weight]) => `nexthop via ${one} nexthop via ${other} weight ${weight}`),
  },
  { weight: 1, arbitrary: fc.tuple(gateway, device).map(([address, name]) => `via ${address} dev ${name} onlink`) },
  { weight: 1, arbitrary: device.map((name) => `dev ${name}`) },
  { weight: 1, arbitrary: gateway.map((address) => `via ${address} mtu 1000`) },
)

const type = among('blackhole', 'unreachable', 'prohibit', 'throw')
const destination = among(
  prefixOf(FAR[0]),
  prefixOf(FAR[1]),
  `${addressOf(FAR[0], 7)}/32`,
  'default',
  '10.0.48.0/20',
  prefixOf(1),
)
const metric = among('', '', '', 'metric 10', 'tos 0x10')

/** A route of any table, as it is added. */
export const routeWords: fc.Arbitrary<string> = fc
  .tuple(
    among('add', 'replace', 'append', 'prepend'),
    fc.oneof(
      { weight: 4, arbitrary: fc.tuple(destination, way).map(([to, by]) => `${to} ${by}`) },
      { weight: 1, arbitrary: fc.tuple(type, destination).map(([kind, to]) => `${kind} ${to}`) },
    ),
    table,
    metric,
  )
  // Next hops go to the end of the line.
  .map(([operation, what, name, more]) => {
    const [to, ...hops] = what.split(' nexthop ')
    return [`ip route ${operation} ${to} table ${name} ${more}`.trim(), ...hops].join(' nexthop ')
  })

/** Marks packets before they are routed. */
export const markRules: fc.Arbitrary<string> = fc
  .tuple(
    among(
      `ip saddr ${prefixOf(1)}`,
      `ip daddr ${prefixOf(FAR[0])}`,
      'ip ttl 64',
      'meta l4proto icmp',
      `iifname ${routerDevice(1)}`,
    ),
    among('1', '2', '0x12'),
  )
  .map(([what, mark]) => `nft add rule ip marks prerouting ${what} meta mark set ${mark}`)

const inRouter = (run: string): Deed => [{ ns: 'r', run }]

export const policyEdits: fc.Arbitrary<Deed> = fc.oneof(
  { weight: 4, arbitrary: routeWords.map(inRouter) },
  { weight: 4, arbitrary: ruleWords.map(inRouter) },
  { weight: 1, arbitrary: line('r', 'ip rule del pref', priority) },
  { weight: 1, arbitrary: line('r', 'ip rule del', selector) },
  { weight: 1, arbitrary: line('r', 'ip route', among('del', 'flush'), destination, 'table', table) },
  { weight: 1, arbitrary: line('r', 'ip route flush table', among('100', '101')) },
  {
    weight: 1,
    arbitrary: line('r', 'ip route get', addressOf(FAR[0], 7), among('', 'mark 1', `from ${host(1)} iif ra`, 'oif rc')),
  },
  {
    weight: 1,
    arbitrary: line(
      'r',
      'ip address',
      among('add', 'del'),
      among(`${addressOf(2, ROUTER)}/24`, `${addressOf(FAR[0], 9)}/32`),
      'dev',
      device,
    ),
  },
  {
    weight: 1,
    arbitrary: line(
      'r',
      'sysctl -qw',
      among(
        'net.ipv4.conf.ra.rp_filter=1',
        'net.ipv4.conf.ra.rp_filter=2',
        'net.ipv4.conf.all.rp_filter=0',
        'net.ipv4.conf.ra.forwarding=0',
        'net.ipv4.fib_multipath_hash_policy=1',
        'net.ipv4.fib_multipath_hash_seed=4',
        'net.ipv4.conf.ra.send_redirects=0',
        'net.ipv4.conf.ra.accept_local=1',
      ),
    ),
  },
  { weight: 1, arbitrary: settled(line('r', 'ip link set', among('rb', 'rc', 'rd'), among('down', 'up'))) },
  { weight: 1, arbitrary: settled(line('b', 'ip link set eth0', among('down', 'up'))) },
)
