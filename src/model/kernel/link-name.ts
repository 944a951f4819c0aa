/** Names that links can have: dev_valid_name and dev_alloc_name, net/core/dev.c. */
import { KernelError } from '../../kernel/errors.ts'
import type { Namespace } from '../namespace.ts'

/** IFNAMSIZ, with the zero behind it. */
const IFNAMSIZ = 16

export function isLinkName(name: string): boolean {
  return name !== '' && name.length < IFNAMSIZ && name !== '.' && name !== '..' && !/[/:\s]/.test(name)
}

/** The name, with its `%d` filled in; KernelError where no link can have it (ERANGE, EINVAL) or one has it (EEXIST). */
export function freeName(namespace: Namespace, wanted: string, call: string): string {
  if (wanted.length >= IFNAMSIZ) throw new KernelError('ERANGE', call, 'Attribute failed policy validation')
  if (!isLinkName(wanted)) throw new KernelError('EINVAL', call)
  if (!wanted.includes('%')) {
    if (namespace.devices.get(wanted)) throw new KernelError('EEXIST', call)
    return wanted
  }
  if (!/^[^%]*%d[^%]*$/.test(wanted)) throw new KernelError('EINVAL', call)
  for (let number = 0; ; number++) {
    const name = wanted.replace('%d', `${number}`)
    if (!namespace.devices.get(name)) return name
  }
}
