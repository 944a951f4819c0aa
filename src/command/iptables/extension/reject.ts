/** `-j REJECT`: libipt_REJECT.c, libip6t_REJECT.c. */
import type { XtTarget } from '../../../kernel/xtables.ts'
import { badParameter } from '../error.ts'
import type { Extension } from './extension.ts'

type Reject = Extract<XtTarget, { target: 'REJECT' }>

/** The answers with their other names, in the order in which a beginning is looked for. */
const ANSWERS = {
  ip: [
    ['icmp-net-unreachable', 'net-unreach'],
    ['icmp-host-unreachable', 'host-unreach'],
    ['icmp-proto-unreachable', 'proto-unreach'],
    ['icmp-port-unreachable', 'port-unreach'],
    ['icmp-net-prohibited', 'net-prohib'],
    ['icmp-host-prohibited', 'host-prohib'],
    ['tcp-reset', 'tcp-rst'],
    ['icmp-admin-prohibited', 'admin-prohib'],
  ],
  ip6: [
    ['icmp6-no-route', 'no-route'],
    ['icmp6-adm-prohibited', 'adm-prohibited'],
    ['icmp6-addr-unreachable', 'addr-unreach'],
    ['icmp6-port-unreachable', 'port-unreach'],
    ['tcp-reset', 'tcp-reset'],
    ['icmp6-policy-fail', 'policy-fail'],
    ['icmp6-reject-route', 'reject-route'],
  ],
} as const

const DEFAULT = { ip: 'icmp-port-unreachable', ip6: 'icmp6-port-unreachable' } as const

export const REJECT: Extension<Reject> = {
  options: [{ name: 'reject-with', takes: 1 }],
  parse(given, { family }) {
    const text = given.text('reject-with')
    if (text === undefined) return { target: 'REJECT', with: DEFAULT[family] }
    const beginning = text.toLowerCase()
    const answer = ANSWERS[family].find((names) => names.some((name) => name.startsWith(beginning)))
    if (!answer) throw badParameter(`unknown reject type "${text}"`)
    return { target: 'REJECT', with: answer[0] }
  },
  save: (target) => ` --reject-with ${target.with}`,
  list: (target) => ` reject-with ${target.with}`,
}
