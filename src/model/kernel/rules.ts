/** Policy rules of a namespace: `ip rule`. Text and values are told apart by family in rules4.ts and rules6.ts. */
import type { Family } from '../../address/ip.ts'
import { KernelError } from '../../kernel/errors.ts'
import type { Rule, Rules } from '../../kernel/route.ts'
import type { Namespace } from '../namespace.ts'
import { isLinkName } from './link-name.ts'
import { addRule4, deleteRule4, listRules4 } from './rules4.ts'
import { addRule6, deleteRule6, listRules6 } from './rules6.ts'

/** IPTOS_TOS_MASK leaves the ECN bits out. */
const ECN = 0x03

export class ModelRules implements Rules {
  readonly #namespace: Namespace

  constructor(namespace: Namespace) {
    this.#namespace = namespace
  }

  list(family?: Family): Rule[] {
    return [
      ...(family === 'ipv6' ? [] : listRules4(this.#namespace)),
      ...(family === 'ipv4' ? [] : listRules6(this.#namespace)),
    ]
  }

  /** fib_newrule */
  add(rule: Rule): void {
    const call = `add ${describe(rule)}`
    const { action, goto: target, priority = 0, tos = 0, inputLink, outputLink } = rule
    for (const name of [inputLink, outputLink]) {
      if (name !== undefined && !isLinkName(name)) throw new KernelError('EINVAL', call)
    }
    if (tos & ECN) throw new KernelError('EINVAL', call, 'Invalid dsfield (tos): ECN bits must be 0')
    if ((action === 'goto') !== (target !== undefined)) throw new KernelError('EINVAL', call)
    if (target !== undefined && target <= priority) throw new KernelError('EINVAL', call, 'Backward goto not supported')
    const added = rule.family === 'ipv4' ? addRule4(this.#namespace, rule) : addRule6(this.#namespace, rule)
    if (!added) throw new KernelError('EEXIST', call)
  }

  delete(rule: Rule): void {
    const deleted = rule.family === 'ipv4' ? deleteRule4(this.#namespace, rule) : deleteRule6(this.#namespace, rule)
    if (!deleted) throw new KernelError('ENOENT', `delete ${describe(rule)}`)
  }
}

function describe({ family, priority, source, destination }: Rule): string {
  const from = source === undefined ? '' : ` from "${source}"`
  const to = destination === undefined ? '' : ` to "${destination}"`
  return `${family} rule${priority === undefined ? '' : ` ${priority}`}${from}${to}`
}
