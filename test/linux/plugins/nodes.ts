/** A node that is the machine's own kernel, in the network namespace of the test file. */
import assert from 'node:assert/strict'
import { deleteLink } from '../../../src/cni/container.ts'
import { host } from '../../../src/linux/host.ts'
import { liveLinux } from '../../../src/linux/live.ts'
import type { Nodes } from '../../contract/plugins/node.ts'
import { run } from '../../support/command.ts'

export const linux: Nodes = {
  name: 'Linux',
  hasIptables: true,
  setUp() {
    const kernel = liveLinux()
    return {
      kernel,
      host,
      run: async (program, ...args) => run(program, ...args),
      async eventually(holds, what) {
        for (let attempt = 0; attempt < 3000; attempt++) {
          if (holds()) return
          await new Promise((resolve) => setTimeout(resolve, 20))
        }
        assert.fail(`It did not come to pass that ${what}`)
      },
      tearDown() {
        for (const { name, kind } of kernel.links.list()) if (kind === 'veth') deleteLink(kernel, name)
        for (const name of kernel.namespaces.list()) kernel.namespaces.delete(name)
        for (const { name, kind } of kernel.links.list()) if (kind === 'bridge') kernel.links.delete(name)
        run('nft', 'flush', 'ruleset')
        kernel.close()
      },
    }
  },
}
