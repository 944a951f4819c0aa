/** The forwarding information base of IPv6: its policy rules. */
import type { Rule } from '../../kernel/route.ts'
import { type Namespace, notify } from '../namespace.ts'

export class Fib6 {
  readonly #namespace: Namespace
  /** By priority. */
  rules: readonly Rule[] = [
    { family: 'ipv6', priority: 0, action: 'table', table: 255, protocol: 2 },
    { family: 'ipv6', priority: 32766, action: 'table', table: 254, protocol: 2 },
  ]

  constructor(namespace: Namespace) {
    this.#namespace = namespace
  }

  setRules(rules: readonly Rule[]): void {
    const operation = rules.length < this.rules.length ? 'delete' : 'new'
    const longer = operation === 'new' ? rules : this.rules
    const shorter = operation === 'new' ? this.rules : rules
    this.rules = rules
    const rule = longer.find((each) => !shorter.includes(each))
    notify(this.#namespace, 'rule', operation, rule?.inputLink ?? rule?.outputLink)
  }
}
