/** bridge on the real kernel: what people type is iproute2, bridge, nft and iptables themselves. */
import assert from 'node:assert/strict'
import { deleteLink } from '../../../src/cni/container.ts'
import { host } from '../../../src/linux/host.ts'
import { liveLinux } from '../../../src/linux/live.ts'
import { bridgeContract } from '../../contract/plugins/bridge.ts'
import { bridgeCheckContract } from '../../contract/plugins/bridge-check.ts'
import { masqueradeContract } from '../../contract/plugins/masquerade.ts'
import type { Nodes } from '../../contract/plugins/node.ts'
import { run } from '../../support/command.ts'

const linux: Nodes = {
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

for (const contract of [bridgeContract, bridgeCheckContract, masqueradeContract]) contract(linux)
