/**
 * Masquerade as the reference's iptables rules, byte for byte, so that it and we take each other's down.
 *
 *   -A POSTROUTING -s 10.1.2.5 -m comment --comment 'name: "blue" id: "4f2a…"' -j CNI-<24 hex digits>
 *   -A CNI-<…> -d 10.1.2.0/24 … -j ACCEPT
 *   -A CNI-<…> ! -d 224.0.0.0/4 … -j MASQUERADE
 *
 * Source: containernetworking/plugins, pkg/ip/ipmasq_iptables_linux.go and pkg/utils. A container with two interfaces in
 * one network has one chain for both.
 */
import { type Family, familyOf, formatIp } from '../../address/ip.ts'
import { formatPrefix, networkOf, parsePrefix } from '../../address/prefix.ts'
import { CniCode, CniError } from '../../cni/errors.ts'
import type { Host, ProgramResult } from '../../cni/host.ts'
import { sha512 } from '../../cni/sha512.ts'
import { isErrno } from '../../kernel/errors.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import type { NftChain, NftRule } from '../../kernel/nftables.ts'
import type { Masqueraded } from './masqueraded.ts'

/** Where distributions keep iptables; PATH of a container runtime often lacks the sbin folders. */
const SBIN = ['/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/local/bin', '/usr/bin', '/bin']

interface FamilyFacts {
  readonly command: string
  readonly multicast: string
  readonly nftFamily: 'ip' | 'ip6'
  /** Tables that iptables-legacy holds in this namespace, one name a line. */
  readonly legacyTables: string
}

export const iptablesFamilies: { readonly [F in Family]: FamilyFacts } = {
  ipv4: {
    command: 'iptables',
    multicast: '224.0.0.0/4',
    nftFamily: 'ip',
    legacyTables: '/proc/net/ip_tables_names',
  },
  ipv6: {
    command: 'ip6tables',
    multicast: 'ff00::/8',
    nftFamily: 'ip6',
    legacyTables: '/proc/net/ip6_tables_names',
  },
}

/** Go: utils.FormatChainName. */
export function referenceChain(network: string, containerId: string, { encode }: Pick<Host, 'encode'>): string {
  return `CNI-${sha512(encode(network + containerId)).slice(0, 24)}`
}

/** Go: utils.FormatComment. */
export function referenceComment(network: string, containerId: string): string {
  return `name: "${network}" id: "${containerId}"`
}

interface IptablesRule {
  readonly chain: string
  /** Arguments of `iptables -A <chain>`. */
  readonly match: readonly string[]
}

export function addIptablesMasquerade(kernel: Kernel, host: Host, whose: Masqueraded): void {
  const chain = referenceChain(whose.network, whose.containerId, host)
  for (const family of familiesOf(whose.addresses)) {
    const { command, nftFamily } = iptablesFamilies[family]
    const iptables = requireIptables(host, family)
    const rules = rulesOf(chain, whose, family)
    const isNew =
      !isLegacy(host, family) && rulesIn(kernel, { family: nftFamily, table: 'nat', name: chain }).length === 0
    if (isNew) {
      run(host, `${iptables}-restore`, ['--noflush', '--wait'], restoreInput(chain, rules))
      continue
    }
    // The container has another interface here, or the rules are not where we can see them: one by one, as Go does.
    host.run(iptables, [command, '--wait', '-t', 'nat', '-N', chain], { environment: host.environment, stdin: NOTHING })
    for (const rule of rules) if (!holds(host, iptables, rule)) run(host, iptables, ruleArguments('-A', rule))
  }
}

/** What is missing, in words. */
export function checkIptablesMasquerade(host: Host, whose: Masqueraded): string[] {
  const chain = referenceChain(whose.network, whose.containerId, host)
  return familiesOf(whose.addresses).flatMap((family) => {
    const iptables = requireIptables(host, family)
    return rulesOf(chain, whose, family)
      .filter((rule) => !holds(host, iptables, rule))
      .map((rule) => `${iptablesFamilies[family].command} rule "${rule.chain} ${rule.match.join(' ')}" is missing`)
  })
}

/** How a kernel answers that has no nftables, or none that does NAT. */
export const NO_NFTABLES = ['EPROTONOSUPPORT', 'EAFNOSUPPORT', 'EOPNOTSUPP', 'ENOENT']

/** One chain's rules; none where the kernel has no nftables. */
export function rulesIn(kernel: Kernel, chain: Pick<NftChain, 'family' | 'table' | 'name'>): NftRule[] {
  try {
    return kernel.nftables.rules(chain)
  } catch (error) {
    if (isErrno(error, ...NO_NFTABLES)) return []
    throw error
  }
}

/** Path of iptables or ip6tables; undefined where the node has none. */
export function findIptables(host: Host, family: Family): string | undefined {
  const { command } = iptablesFamilies[family]
  return findProgram(host, command)
}

export function findProgram(host: Host, name: string): string | undefined {
  const path = (host.environment.PATH ?? '').split(':').filter((directory) => directory.startsWith('/'))
  return [...path, ...SBIN]
    .map((directory) => `${directory}/${name}`)
    .find((file) => host.files.status(file)?.kind === 'file')
}

/** Whether iptables-legacy has a nat table here: where it is not in use, the file is not there or empty. */
export function isLegacy(host: Host, family: Family): boolean {
  return host.files.read(iptablesFamilies[family].legacyTables)?.split('\n').includes('nat') ?? false
}

/** CniError with the program's own words when it fails. */
export function run(host: Host, program: string, argv: readonly string[], input = ''): ProgramResult {
  const name = program.slice(program.lastIndexOf('/') + 1)
  const result = host.run(program, [name, ...argv], { environment: host.environment, stdin: host.encode(input) })
  if (result.status === 0) return result
  const words = host.decode(result.stderr).trim()
  throw new CniError(CniCode.failed, `Cannot masquerade with ${name}: ${words || `exit status ${result.status}`}`, {
    details: `${name} ${argv.join(' ')}`,
  })
}

const NOTHING = new Uint8Array(0)

function requireIptables(host: Host, family: Family): string {
  const path = findIptables(host, family)
  if (path) return path
  const { command } = iptablesFamilies[family]
  throw new CniError(
    CniCode.failed,
    `Cannot find ${command}: install it, or leave out "ipMasqBackend" to masquerade with nftables`,
  )
}

/** Families in the order of the addresses. */
export function familiesOf(addresses: readonly string[]): Family[] {
  return [...new Set(addresses.map((address) => familyOf(parsePrefix(address).address)))]
}

/** In the order in which Go appends them, each once. */
function rulesOf(chain: string, { network, containerId, addresses }: Masqueraded, family: Family): IptablesRule[] {
  const comment = ['-m', 'comment', '--comment', referenceComment(network, containerId)]
  const rules = new Map<string, IptablesRule>()
  const append = (chain: string, match: readonly string[]) => rules.set(`${chain} ${match.join(' ')}`, { chain, match })
  for (const prefix of addresses.map(parsePrefix)) {
    if (familyOf(prefix.address) !== family) continue
    append(chain, ['-d', formatPrefix(networkOf(prefix)), '-j', 'ACCEPT', ...comment])
    append(chain, ['!', '-d', iptablesFamilies[family].multicast, '-j', 'MASQUERADE', ...comment])
    append('POSTROUTING', ['-s', formatIp(prefix.address), '-j', chain, ...comment])
  }
  return [...rules.values()]
}

function holds(host: Host, iptables: string, rule: IptablesRule): boolean {
  const name = iptables.slice(iptables.lastIndexOf('/') + 1)
  const argv = [name, ...ruleArguments('-C', rule)]
  return host.run(iptables, argv, { environment: host.environment, stdin: NOTHING }).status === 0
}

function ruleArguments(verb: '-A' | '-C', { chain, match }: IptablesRule): string[] {
  return ['--wait', '-t', 'nat', verb, chain, ...match]
}

/** One transaction: the chain, empty, and all the rules. */
function restoreInput(chain: string, rules: readonly IptablesRule[]): string {
  const lines = rules.map(({ chain, match }) => `-A ${chain} ${match.map(quoted).join(' ')}`)
  return ['*nat', `:${chain} - [0:0]`, ...lines, 'COMMIT', ''].join('\n')
}

/** iptables-restore reads double quotes and backslashes in them. */
function quoted(argument: string): string {
  return /[\s"]/.test(argument) ? `"${argument.replace(/["\\]/g, '\\$&')}"` : argument
}
