/**
 * The masquerade rules of the Go plugins, found and removed when their container is ours to remove: after an upgrade, and
 * where the configuration asks for them. They are looked up over nfnetlink; iptables is run only where iptables-legacy
 * holds rules that nfnetlink cannot show.
 *
 *   table ip nat, ip6 nat                 POSTROUTING and a chain CNI-… per container: masquerade-iptables.ts
 *   table inet cni_plugins_masquerade     chain masq_checks, a rule per address, known by its comment
 */
import type { Family } from '../../address/ip.ts'
import type { Host } from '../../cni/host.ts'
import { sha512 } from '../../cni/sha512.ts'
import { ignoring } from '../../kernel/errors.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import type { NftOperation, NftRule } from '../../kernel/nftables.ts'
import { familiesOf, findProgram, iptablesFamilies, isLegacy, rulesIn, run } from './masquerade-iptables.ts'
import type { Masqueraded } from './masqueraded.ts'

const SET_CHAIN = { family: 'inet', table: 'cni_plugins_masquerade', name: 'masq_checks' } as const

/** As masquerade-iptables.ts writes it. */
const COMMENT = /name: "([^"]*)" id: "([^"]*)"/

const FAMILIES: readonly Family[] = ['ipv4', 'ipv6']

/** Whether containers of the network are masqueraded by the reference's iptables rules, in a family of the addresses. */
export function usesReferenceRules(kernel: Kernel, host: Host, { network, addresses }: Masqueraded): boolean {
  const ofNetwork = (comment: string) => COMMENT.exec(comment)?.[1] === network
  return familiesOf(addresses).some(
    (family) =>
      postrouting(kernel, family).some((rule) => ofNetwork(ruleComment(rule, host))) ||
      legacyRules(host, family).some((rule) => ofNetwork(commentOf(rule))),
  )
}

/** Removes the rules of the network's containers that are meant, and their chains. */
export function removeReferenceRules(
  kernel: Kernel,
  host: Host,
  network: string,
  isMeant: (containerId: string) => boolean,
): void {
  const ours = (comment: string) => {
    const [, name, containerId] = COMMENT.exec(comment) ?? []
    return name === network && containerId !== undefined && isMeant(containerId)
  }
  for (const family of FAMILIES) {
    removeRules(kernel, family, (rule) => ours(ruleComment(rule, host)))
    removeLegacyRules(host, family, ours)
  }
}

/** Whether the reference's nftables rules masquerade all of the addresses. */
export function hasReferenceSet(kernel: Kernel, host: Host, whose: Masqueraded): boolean {
  return whose.addresses.length > 0 && setRules(kernel, host, whose).length >= whose.addresses.length
}

export function removeReferenceSet(kernel: Kernel, host: Host, whose: Masqueraded): void {
  const rules = setRules(kernel, host, whose)
  if (rules.length > 0) ignoring('ENOENT', () => kernel.nftables.commit(rules.map(deletion)))
}

/** Most nodes have no such rule: only where there is one is the hash of ours worth its time. */
function setRules(kernel: Kernel, host: Host, whose: Masqueraded): NftRule[] {
  const rules = rulesIn(kernel, SET_CHAIN)
  if (rules.length === 0) return rules
  const comment = setComment(whose, host)
  return rules.filter((rule) => rule.comment?.startsWith(comment))
}

/** How the comment of a rule in the reference's table starts: containernetworking/plugins, pkg/ip/ipmasq_nftables_linux.go. */
function setComment({ network, containerId, ifName }: Masqueraded, { encode }: Host): string {
  const hash = (text: string) => sha512(encode(text)).slice(0, 16)
  return `${hash(network)}-${hash(`${ifName}:${containerId}`)}`
}

function postrouting(kernel: Kernel, family: Family): NftRule[] {
  return rulesIn(kernel, { family: iptablesFamilies[family].nftFamily, table: 'nat', name: 'POSTROUTING' })
}

/** iptables-nft writes comments as nft does, or as the extension of its own that iptables-legacy has: xt_comment. */
function ruleComment({ comment, expressions }: NftRule, { decode }: Pick<Host, 'decode'>): string {
  if (comment !== undefined) return comment
  // A kernel that reads extensions tells the comment itself, one that does not their bytes.
  const extensions = expressions.flatMap((expression) => {
    if (expression.type === 'xt match') return expression.match === 'comment' ? [expression.comment] : []
    return expression.type === 'other' ? [decode(expression.data)] : []
  })
  return extensions.find((text) => COMMENT.test(text)) ?? ''
}

function removeRules(kernel: Kernel, family: Family, isMeant: (rule: NftRule) => boolean): void {
  const rules = postrouting(kernel, family).filter(isMeant)
  const chains = new Set(rules.flatMap(({ expressions }) => expressions.flatMap(jumpTarget)))
  const operations: NftOperation[] = rules.map(deletion)
  for (const name of chains) {
    const chain = { family: iptablesFamilies[family].nftFamily, table: 'nat', name }
    operations.push({ operation: 'flush chain', chain }, { operation: 'delete chain', chain })
  }
  if (operations.length > 0) ignoring('ENOENT', () => kernel.nftables.commit(operations))
}

function jumpTarget(expression: NftRule['expressions'][number]): string[] {
  return expression.type === 'verdict' && expression.verdict === 'jump' ? [expression.chain] : []
}

function deletion({ family, table, chain, handle }: NftRule): NftOperation {
  return { operation: 'delete rule', rule: { family, table, chain, handle: handle! } }
}

/** Rules of the nat table as `iptables-save` writes them, without `-A`; none where iptables-legacy is not in use. */
function legacyRules(host: Host, family: Family): string[] {
  if (!isLegacy(host, family)) return []
  const save = legacyProgram(host, family, 'save')
  if (!save) return []
  const lines = host.decode(run(host, save, ['-t', 'nat']).stdout).split('\n')
  return lines.filter((line) => line.startsWith('-A ')).map((line) => line.slice('-A '.length))
}

function removeLegacyRules(host: Host, family: Family, isMeant: (comment: string) => boolean): void {
  const rules = legacyRules(host, family).filter((rule) => rule.startsWith('POSTROUTING ') && isMeant(commentOf(rule)))
  const chains = new Set(rules.flatMap((rule) => / -j (CNI-\S+)/.exec(rule)?.[1] ?? []))
  if (rules.length === 0) return
  const lines = [
    '*nat',
    ...rules.map((rule) => `-D ${rule}`),
    ...[...chains].flatMap((chain) => [`-F ${chain}`, `-X ${chain}`]),
    'COMMIT',
    '',
  ]
  run(host, legacyProgram(host, family, 'restore')!, ['--noflush', '--wait'], lines.join('\n'))
}

/** The legacy program, where both are installed: plain `iptables` may be the one for nftables. */
function legacyProgram(host: Host, family: Family, what: 'save' | 'restore'): string | undefined {
  const { command } = iptablesFamilies[family]
  return findProgram(host, `${command}-legacy-${what}`) ?? findProgram(host, `${command}-${what}`)
}

/** The comment in a line of iptables-save, without the quoting. */
function commentOf(rule: string): string {
  const [, quoted] = / --comment "((?:[^"\\]|\\.)*)"/.exec(rule) ?? []
  return (quoted ?? '').replace(/\\(.)/g, '$1')
}
