/** What a speaker answers, as text for people. */
import type { KernelAnswer, StatusAnswer } from '../../bgp/control/answer.ts'
import type { NeighbourDetails, NeighbourRow } from '../../bgp/control/neighbour-rows.ts'
import type { AttributesRow, RouteRow, SentRow, WhyRow } from '../../bgp/views.ts'
import { table } from '../output.ts'

const NOTHING = '–'

/** `now` in milliseconds since the epoch, as all times. */
export function formatStatus(status: StatusAnswer, now: number): string {
  const { name, routerId, as, version, startedAt, established, neighbors, prefixes, announced, restarting } = status
  return [
    `${name ?? routerId}: AS ${as}, router id ${routerId}, overlab ${version}, up ${formatAge(now - startedAt)}`,
    `${established} of ${neighbors} sessions are established`,
    `${prefixes.ipv4} IPv4 and ${prefixes.ipv6} IPv6 prefixes have a route`,
    ...(announced > 0 ? [`${announced} prefixes are announced beside the configuration`] : []),
    ...(restarting ? ['The restart is not over: routes of the neighbors are waited for'] : []),
    ...status.problems,
    ...status.warnings,
  ].join('\n')
}

export function formatNeighbours(rows: readonly NeighbourRow[], now: number): string {
  const lines = rows.map((row) => [
    row.address,
    row.name ?? NOTHING,
    text(row.remoteAs),
    sessionStateOf(row),
    row.establishedAt === undefined ? NOTHING : formatAge(now - row.establishedAt),
    text(sum(row, 'received')),
    text(sum(row, 'accepted')),
    row.localAddress ?? NOTHING,
  ])
  const missing = rows.filter(({ state }) => state !== 'Established').map(({ description }) => description)
  return [
    table(['NEIGHBOR', 'NAME', 'AS', 'STATE', 'UP', 'RECEIVED', 'ACCEPTED', 'FROM'], lines),
    ...(missing.length > 0 ? ['', ...missing] : []),
  ].join('\n')
}

export function formatNeighbour(row: NeighbourDetails, now: number): string {
  const { settings, negotiated, counts } = row
  const { session } = settings
  const families = Object.entries(row.families).map(([family, { received, accepted }]) => {
    const sent = row.sent[family as keyof typeof row.sent]
    return `${family} ${received} received, ${accepted} accepted${sent === undefined ? '' : `, ${sent} sent`}`
  })
  const lines: (readonly [string, string] | undefined)[] = [
    ['State', sessionStateOf(row)],
    row.establishedAt === undefined ? undefined : ['Established for', formatAge(now - row.establishedAt)],
    row.lastError === undefined ? undefined : ['Last error', row.lastError],
    ['AS', `${text(row.remoteAs)}, ours ${row.localAs}`],
    ['Address used', row.localAddress ?? NOTHING],
    row.range === undefined ? undefined : ['Of range', row.range],
    ['Routes', families.join('; ')],
    row.staleFamilies.length > 0 ? ['Kept though it is away', row.staleFamilies.join(', ')] : undefined,
    ['Messages', `${counts.messagesReceived} received, ${counts.messagesSent} sent`],
    ['Updates', `${counts.updatesReceived} received, ${counts.updatesSent} sent`],
    ['Hold time', negotiated ? `${negotiated.holdTime} s` : `${session.holdTime} s wanted`],
    negotiated ? ['Identifier', negotiated.peerId] : undefined,
    negotiated ? ['Negotiated', negotiatedNames(negotiated).join(', ')] : undefined,
    row.bfd === undefined ? undefined : ['BFD', row.bfd],
    [
      'Protected by',
      [row.hasPassword ? 'TCP MD5' : '', session.ttlSecurity ? 'TTL' : ''].filter(Boolean).join(', ') || NOTHING,
    ],
  ]
  const shown = lines.filter((line) => line !== undefined)
  const width = Math.max(...shown.map(([label]) => label.length)) + 3
  return [row.description, ...shown.map(([label, value]) => `${label.padEnd(width)}${value}`)].join('\n')
}

function negotiatedNames(negotiated: NonNullable<NeighbourDetails['negotiated']>): string[] {
  const addPath = negotiated.families.flatMap((family) => [
    ...(negotiated.addPathReceived[family] ? [`ADD-PATH ${family} received`] : []),
    ...(negotiated.addPathSent[family] ? [`ADD-PATH ${family} sent`] : []),
  ])
  return [
    negotiated.internal ? 'iBGP' : 'eBGP',
    ...negotiated.families,
    ...(negotiated.as4 ? ['4-octet AS'] : []),
    ...(negotiated.routeRefresh === undefined ? [] : ['route refresh']),
    ...(negotiated.enhancedRouteRefresh ? ['enhanced route refresh'] : []),
    ...(negotiated.gracefulRestart ? [`graceful restart ${negotiated.gracefulRestart.time} s`] : []),
    ...(negotiated.longLived.length > 0 ? ['long-lived graceful restart'] : []),
    ...(negotiated.extendedNextHop ? ['extended next hop'] : []),
    ...addPath,
  ]
}

export function formatRoutes(rows: readonly RouteRow[]): string {
  if (rows.length === 0) return 'There are no routes'
  const lines = rows.map((row) => [
    row.prefix,
    stateOf(row),
    nextHopOf(row),
    row.from ?? NOTHING,
    text(row.localPref),
    text(row.med),
    formatPath(row.asPath),
    [...row.communities, ...row.largeCommunities].join(' ') || NOTHING,
  ])
  return table(['PREFIX', 'STATE', 'NEXT HOP', 'FROM', 'LOCAL_PREF', 'MED', 'AS_PATH', 'COMMUNITIES'], lines)
}

export function formatSent(rows: readonly SentRow[]): string {
  if (rows.length === 0) return 'Nothing is sent'
  const lines = rows.map((row) => [
    row.prefix,
    nextHopOf(row),
    row.from ?? NOTHING,
    text(row.localPref),
    text(row.med),
    formatPath(row.asPath),
    [...row.communities, ...row.largeCommunities].join(' ') || NOTHING,
  ])
  return table(['PREFIX', 'NEXT HOP', 'LEARNED FROM', 'LOCAL_PREF', 'MED', 'AS_PATH', 'COMMUNITIES'], lines)
}

/** The best first, and of each other what it lost by. */
export function formatWhy(prefix: string, rows: readonly WhyRow[]): string {
  const lines = rows.map((row) => {
    const from = row.from === undefined ? 'begins here' : `from ${row.from}, next hop ${nextHopOf(row)}`
    return `  ${verdictOf(row)}: ${from}, AS_PATH ${formatPath(row.asPath)}`
  })
  return [prefix, ...lines].join('\n')
}

function verdictOf({ best, multipath, unusable, lostAt, source }: WhyRow): string {
  if (best) return multipath ? 'best, others are used beside it' : 'best'
  if (unusable !== undefined) return `cannot be used, ${unusable}`
  const lost = `lost by "${lostAt}" (${source})`
  return multipath ? `used beside the best, ${lost}` : lost
}

export function formatKernel(kernel: KernelAnswer): string {
  if (!kernel.isWritten) return 'No routes are written to the kernel'
  const { wanted, table: number, protocol, metric, isSettled, refused } = kernel
  return [
    `Table ${number}, protocol ${protocol}, metric ${metric}: ${wanted.ipv4} IPv4 and ${wanted.ipv6} IPv6 prefixes have a route`,
    isSettled ? 'All of it is written, but for what follows' : 'Some of it is not written yet',
    ...(refused.length === 0
      ? ['The kernel has refused nothing']
      : [
          table(
            ['REFUSED', 'WHY'],
            refused.map(({ what, why }) => [what, why]),
          ),
        ]),
  ].join('\n')
}

function stateOf({ best, multipath, unusable, stale }: RouteRow): string {
  const state = best ? 'best' : multipath ? 'multipath' : (unusable ?? 'usable')
  return stale ? `${state}, stale` : state
}

function nextHopOf({ nextHop, linkLocal }: AttributesRow): string {
  if (nextHop === undefined) return 'self'
  return linkLocal === undefined ? nextHop : `${nextHop} ${linkLocal}`
}

/** `65001 65002 {65003 65004}`. */
function formatPath(path: AttributesRow['asPath']): string {
  return path.map((each) => (typeof each === 'number' ? each : `{${each.join(' ')}}`)).join(' ') || 'empty'
}

function text(value: number | undefined): string {
  return value === undefined ? NOTHING : String(value)
}

function sum({ families }: NeighbourRow, what: 'received' | 'accepted'): number {
  return Object.values(families).reduce((total, each) => total + each[what], 0)
}

/** `3 s`, `4 min`, `2 h 5 min`, `9 d 3 h`. */
export function formatAge(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1000))
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes} min`
  const hours = Math.floor(minutes / 60)
  if (hours < 24) return `${hours} h ${minutes % 60} min`
  return `${Math.floor(hours / 24)} d ${hours % 24} h`
}

function sessionStateOf({ state, disabled, drained }: NeighbourRow): string {
  return [state, ...(disabled ? ['disabled'] : []), ...(drained ? ['drained'] : [])].join(', ')
}
