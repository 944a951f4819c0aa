/**
 * Drops frames of a container whose source MAC is not its own: `macspoofchk`. The rules, chains and comments are the
 * reference's (containernetworking/plugins, pkg/link/spoofcheck.go), so that it and we take each other's down:
 *
 *   table bridge nat {
 *     chain PREROUTING {
 *       type filter hook prerouting priority -300
 *       iifname "veth…" jump cni-br-iface-<container>-<interface>
 *     }
 *     chain cni-br-iface-<container>-<interface> { jump cni-br-iface-<container>-<interface>-mac }
 *     chain cni-br-iface-<container>-<interface>-mac { ether saddr <MAC> return; drop }
 *   }
 */
import { parseMac } from '../../address/mac.ts'
import type { Host } from '../../cni/host.ts'
import type { Attachment } from '../../cni/plugin.ts'
import { ignoring } from '../../kernel/errors.ts'
import type { Nftables, NftExpression, NftOperation, NftRule } from '../../kernel/nftables.ts'
import type { State } from '../../reconcile/state.ts'

const TABLE = { family: 'bridge', name: 'nat' } as const
const IN_TABLE = { family: TABLE.family, table: TABLE.name } as const
const BASE_CHAIN = 'PREROUTING'

/** NF_BR_PRI_NAT_DST_BRIDGED, linux/netfilter_bridge.h. */
const PRIORITY = -300

/** linux/if.h: a name is compared with its padding. */
const IFNAMSIZ = 16

/** In an Ethernet header. */
const SOURCE_MAC = { offset: 6, length: 6 }

const REGISTER = 1

/** `hostEnd` is the port that the container's frames come in by. */
export function spoofCheckState(
  hostEnd: string,
  mac: string,
  whose: Attachment,
  { encode }: Pick<Host, 'encode'>,
): State {
  const [chain, macChain] = chainsOf(whose)
  const comment = commentOf(whose)
  const rule = (...expressions: NftExpression[]) => ({ expressions, comment })
  return {
    nftTables: [TABLE],
    nftChains: [
      {
        chain: {
          ...IN_TABLE,
          name: BASE_CHAIN,
          base: { type: 'filter', hook: 'prerouting', priority: PRIORITY, policy: 'accept' },
        },
      },
      {
        chain: { ...IN_TABLE, name: macChain },
        content: [
          rule(
            { type: 'payload', base: 'link', ...SOURCE_MAC, register: REGISTER },
            { type: 'cmp', register: REGISTER, operator: 'eq', value: parseMac(mac) },
            { type: 'verdict', verdict: 'return' },
          ),
          rule({ type: 'verdict', verdict: 'drop' }),
        ],
      },
      {
        chain: { ...IN_TABLE, name: chain },
        content: [rule({ type: 'verdict', verdict: 'jump', chain: macChain })],
      },
    ],
    nftRules: [
      {
        ...IN_TABLE,
        chain: BASE_CHAIN,
        ...rule(
          { type: 'meta', key: 'iifname', register: REGISTER },
          { type: 'cmp', register: REGISTER, operator: 'eq', value: padded(encode(hostEnd)) },
          { type: 'verdict', verdict: 'jump', chain },
        ),
      },
    ],
  }
}

export function removeSpoofCheck(nftables: Nftables, whose: Attachment): void {
  const comment = commentOf(whose)
  remove(nftables, (rule) => rule.comment === comment)
}

/** Removes the checks of the ports that are meant; the rule alone knows which network it is of, by its port's name. */
export function removeSpoofChecks(
  nftables: Nftables,
  isMeant: (port: string) => boolean,
  { decode }: Pick<Host, 'decode'>,
): void {
  remove(nftables, (rule) => {
    const port = rule.expressions.find((expression) => expression.type === 'cmp')?.value
    return rule.comment?.startsWith(COMMENT) === true && port !== undefined && isMeant(decode(port).replace(/\0+$/, ''))
  })
}

const COMMENT = 'macspoofchk-'

const commentOf = ({ containerId, ifName }: Attachment) => `${COMMENT}${containerId}-${ifName}`

function chainsOf({ containerId, ifName }: Attachment): readonly [chain: string, macChain: string] {
  const chain = `cni-br-iface-${containerId}-${ifName}`
  return [chain, `${chain}-mac`]
}

/** The rules that are meant go, and the chains behind them; the table and its base chain stay, as the reference leaves them. */
function remove(nftables: Nftables, isMeant: (rule: NftRule) => boolean): void {
  const rules = nftables.rules({ ...IN_TABLE, name: BASE_CHAIN }).filter(isMeant)
  const chains = rules.flatMap(({ expressions }) =>
    expressions.flatMap((expression) =>
      expression.type === 'verdict' && expression.verdict === 'jump'
        ? [expression.chain, `${expression.chain}-mac`]
        : [],
    ),
  )
  const operations: NftOperation[] = [
    ...rules.map(
      ({ handle }): NftOperation => ({
        operation: 'delete rule',
        rule: { ...IN_TABLE, chain: BASE_CHAIN, handle: handle! },
      }),
    ),
    ...chains.map((name): NftOperation => ({ operation: 'flush chain', chain: { ...IN_TABLE, name } })),
    ...chains.map((name): NftOperation => ({ operation: 'delete chain', chain: { ...IN_TABLE, name } })),
  ]
  if (operations.length > 0) ignoring('ENOENT', () => nftables.commit(operations))
}

function padded(name: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(IFNAMSIZ)
  bytes.set(name)
  return bytes
}
