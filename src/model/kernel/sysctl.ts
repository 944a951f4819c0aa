/** Sysctls of a namespace: model/sysctl.ts, asked from outside. */
import type { Sysctl } from '../../kernel/kernel.ts'
import type { Namespace } from '../namespace.ts'

export class ModelSysctl implements Sysctl {
  readonly #namespace: Namespace

  constructor(namespace: Namespace) {
    this.#namespace = namespace
  }

  get(key: string): string | undefined {
    return this.#namespace.sysctl.get(checked(key))
  }

  list(directory?: string): string[] {
    const keys = this.#namespace.sysctl.keys()
    return directory === undefined ? keys : keys.filter((key) => key.startsWith(`${checked(directory)}/`))
  }

  set(key: string, value: string): void {
    this.#namespace.sysctl.set(checked(key), value)
    this.#namespace.model.settle()
  }
}

/** Keys come from configurations: none may lead out of /proc/sys. */
function checked(key: string): string {
  if (key.includes('\0') || key.split('/').some((part) => part === '' || part === '.' || part === '..')) {
    throw new RangeError(`Cannot use "${key}" as a sysctl: it is no path below /proc/sys`)
  }
  return key
}
