/**
 * Whether an address is on the uplink's own network: the kernel is asked for the way there, as flannel asks for DirectRouting,
 * and the answer has no gateway. A point-to-point address or a route that an administrator made counts, too.
 */
import type { Kernel } from '../../kernel/kernel.ts'
import type { Uplink } from '../uplink.ts'

export function onLink({ routes }: Kernel, { link }: Uplink): (ip: string) => boolean {
  return (ip) => {
    const route = routes.lookup(ip)
    return route !== undefined && route.type === 'unicast' && route.gateway === undefined && route.link === link
  }
}

/** Asks once for each address, until the answers may be others. */
export class OnLink {
  readonly #kernel: Kernel
  #link: string | undefined
  readonly #answers = new Map<string, boolean>()

  constructor(kernel: Kernel) {
    this.#kernel = kernel
  }

  of(uplink: Uplink): (ip: string) => boolean {
    if (uplink.link !== this.#link) this.forget()
    this.#link = uplink.link
    const ask = onLink(this.#kernel, uplink)
    return (ip) => {
      const known = this.#answers.get(ip)
      if (known !== undefined) return known
      const answer = ask(ip)
      this.#answers.set(ip, answer)
      return answer
    }
  }

  /** Links, addresses or routes have changed. */
  forget(): void {
    this.#answers.clear()
  }
}
