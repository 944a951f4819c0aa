/** Neighbours of a namespace: `ip neigh`. Source: neigh_add, neigh_delete and neigh_dump_info, net/core/neighbour.c. */
import type { Family } from '../../address/ip.ts'
import { formatMac, parseMac } from '../../address/mac.ts'
import { KernelError } from '../../kernel/errors.ts'
import type { Neighbours, Neighbour as NeighbourView } from '../../kernel/neighbour.ts'
import type { Namespace } from '../namespace.ts'
import type { Neighbour } from '../neighbour/entry.ts'
import type { ProxiedAddress } from '../neighbour/proxy.ts'
import { NUD_VALID, Nud, nameOfState } from '../neighbour/state.ts'
import type { NeighbourTable } from '../neighbour.ts'
import { keyOf, textOf } from './neighbour-key.ts'
import { requireDevice } from './require.ts'

export class ModelNeighbours implements Neighbours {
  readonly #namespace: Namespace

  constructor(namespace: Namespace) {
    this.#namespace = namespace
  }

  list(filter: { readonly link?: string; readonly family?: Family; readonly proxy?: boolean } = {}): NeighbourView[] {
    const { link, family, proxy = false } = filter
    const device = link === undefined ? undefined : requireDevice(this.#namespace, link, `list neighbours of "${link}"`)
    const { arp, nd } = this.#namespace
    const tables = family === undefined ? [arp, nd] : [family === 'ipv4' ? arp : nd]
    return tables.flatMap((table) =>
      proxy ? table.proxied.list(device).map(viewOfProxied) : table.list(device).map(viewOf),
    )
  }

  add(neighbour: NeighbourView): void {
    this.#change('add', neighbour)
  }

  replace(neighbour: NeighbourView): void {
    this.#change('replace', neighbour)
  }

  delete({ link, address, proxy }: Pick<NeighbourView, 'link' | 'address' | 'proxy'>): void {
    const call = `delete neighbour "${address}" on "${link}"`
    const device = requireDevice(this.#namespace, link, call)
    const key = keyOf(address)
    const table = this.#tableOf(address)
    if (proxy) {
      if (!table.proxied.get(device, key)) throw new KernelError('ENOENT', call)
      table.proxied.delete(device, key)
    } else {
      if (!table.get(device, key)) throw new KernelError('ENOENT', call)
      table.delete(device, key)
    }
    this.#namespace.model.settle()
  }

  #change(operation: 'add' | 'replace', neighbour: NeighbourView): void {
    const call = `${operation} neighbour "${neighbour.address}" on "${neighbour.link}"`
    const device = requireDevice(this.#namespace, neighbour.link, call)
    const { address, mac, state = 'permanent', router, protocol } = neighbour
    const key = keyOf(address)
    const table = this.#tableOf(address)
    if (neighbour.proxy) {
      table.proxied.add(device, key, { ...(router && { router }), ...(protocol !== undefined && { protocol }) })
      return
    }
    if (operation === 'add' && table.get(device, key)) throw new KernelError('EEXIST', call)
    table.replace(device, key, {
      mac: mac === undefined ? undefined : parseMac(mac),
      state: Nud[state],
      router,
      protocol,
    })
    this.#namespace.model.settle()
  }

  #tableOf(address: string): NeighbourTable {
    return address.includes(':') ? this.#namespace.nd : this.#namespace.arp
  }
}

function viewOf({ device, key, state, mac, router, protocol }: Neighbour): NeighbourView {
  return {
    link: device.name,
    address: textOf(key),
    ...((state & NUD_VALID) !== 0 && mac.length > 0 && { mac: formatMac(mac) }),
    state: nameOfState(state),
    ...(router && { router }),
    ...(protocol !== 0 && { protocol }),
  }
}

function viewOfProxied({ device, key, router, protocol }: ProxiedAddress): NeighbourView {
  return {
    link: device.name,
    address: textOf(key),
    state: 'none',
    ...(router && { router }),
    proxy: true,
    ...(protocol !== 0 && { protocol }),
  }
}
