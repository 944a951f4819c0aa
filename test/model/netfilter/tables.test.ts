import { test } from 'vitest'
import type { LiveKernel } from '../../../src/kernel/live.ts'
import type { Nftables } from '../../../src/kernel/nftables.ts'
import { nftablesCases } from '../../contract/kernel/nftables.ts'
import { addPlug, plainNamespace } from './plain-namespace.ts'

/** As much of a kernel as the cases ask for. Time passes while somebody asks. */
function kernel(): LiveKernel {
  const { namespace } = plainNamespace()
  const tables = namespace.nftables
  const nftables: Nftables = {
    commit: (operations) => tables.commit(operations),
    list: (filter) => tables.list(filter),
    chain: (chain) => tables.chain(chain),
    rules: (chain) => tables.rules(chain),
    element: (set, key) => tables.element(set, key),
    elements(set) {
      namespace.model.advance(500_000)
      return tables.elements(set)
    },
  }
  return {
    nftables,
    links: { add: ({ name }: { readonly name: string }) => addPlug(namespace, name) },
  } as unknown as LiveKernel
}

for (const { title, check } of nftablesCases) {
  test(title, () => check({ node: kernel(), container: kernel(), prefix: '' }))
}
