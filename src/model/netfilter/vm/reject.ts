/** `reject` and REJECT: the packet is dropped, and its sender told. Source: net/netfilter/nft_reject.c, nft_reject_inet.c, ipt_REJECT.c. */
import type { NftExpression, NftFamily, NftHook } from '../../../kernel/nftables.ts'
import { unsupported } from '../../observer.ts'
import type { Compiled } from './compile.ts'
import { NetfilterProtocol, type Operation } from './machine.ts'
import { refusal } from './refusal.ts'
import { rejectIpv4, resetIpv4 } from './reject-ipv4.ts'
import { rejectIpv6, resetIpv6 } from './reject-ipv6.ts'
import { DROP, STOLEN } from './verdict.ts'

type Reject = Extract<NftExpression, { type: 'reject' }>

const HOOKS: readonly NftHook[] = ['prerouting', 'input', 'forward', 'output']
const BRIDGE_HOOKS: readonly NftHook[] = ['prerouting', 'input']
/** NFT_REJECT_ICMPX_*: no route, port unreachable, host unreachable, prohibited; as codes of ICMP, icmp_code_v4, and ICMPv6. */
const ABSTRACT = { ip: [0, 3, 1, 13], ip6: [0, 4, 3, 1] } as const

/** ipt_reject_with and ip6t_reject_with, by iptables' names. */
const CODES: Readonly<Record<string, number>> = {
  'icmp-net-unreachable': 0,
  'icmp-host-unreachable': 1,
  'icmp-proto-unreachable': 2,
  'icmp-port-unreachable': 3,
  'icmp-net-prohibited': 9,
  'icmp-host-prohibited': 10,
  'icmp-admin-prohibited': 13,
  'icmp6-no-route': 0,
  'icmp6-adm-prohibited': 1,
  'icmp6-addr-unreachable': 3,
  'icmp6-port-unreachable': 4,
  'icmp6-policy-fail': 5,
  'icmp6-reject-route': 6,
}

/** Codes for ICMP and ICMPv6; undefined: a TCP reset. */
interface Answer {
  readonly ip: number
  readonly ip6: number
}

export function compileReject({ reject, code }: Reject, family: NftFamily): Compiled {
  const hooks = family === 'bridge' ? BRIDGE_HOOKS : HOOKS
  const allows: Compiled['allows'] = ({ hook }) => hooks.includes(hook) || family === 'netdev'
  if (reject === 'tcp reset') return { operation: answering(undefined), allows }
  if (reject === 'icmp') return { operation: answering({ ip: code, ip6: code }), allows }
  const [ip, ip6] = [ABSTRACT.ip[code], ABSTRACT.ip6[code]]
  if (ip === undefined || ip6 === undefined) throw refusal('EINVAL')
  return { operation: answering({ ip, ip6 }), allows }
}

/** REJECT's `--reject-with`. */
export function rejectByName(name: string): Compiled {
  const code = CODES[name]
  if (code === undefined && !/^(?:icmp6-)?tcp-reset$/.test(name)) throw refusal('EINVAL', `no such answer: ${name}`)
  return {
    operation: answering(code === undefined ? undefined : { ip: code, ip6: code }),
    allows: ({ hook }) => hook === 'input' || hook === 'forward' || hook === 'output',
    errno: 'EINVAL',
  }
}

function answering(answer: Answer | undefined): Operation {
  return (machine) => {
    const { packet, hook, protocol } = machine
    if (protocol === NetfilterProtocol.ip) {
      if (answer) rejectIpv4(packet, answer.ip, hook)
      else resetIpv4(packet, hook)
    } else if (protocol === NetfilterProtocol.ip6) {
      if (answer) rejectIpv6(packet, answer.ip6, hook)
      else resetIpv6(packet, hook)
    } else {
      unsupported(packet, 'reject of frames on a bridge or device')
      return STOLEN
    }
    return DROP
  }
}
