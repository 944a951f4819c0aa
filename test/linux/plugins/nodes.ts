/** A node that is the machine's own kernel, in the network namespace of the test file. */
import assert from 'node:assert/strict'
import { existsSync, linkSync, mkdirSync, writeFileSync } from 'node:fs'
import { deleteLink } from '../../../src/cni/container.ts'
import { host } from '../../../src/linux/host.ts'
import { liveLinux } from '../../../src/linux/live.ts'
import type { Nodes } from '../../contract/plugins/node.ts'
import { run } from '../../support/command.ts'

const PLUGINS = '/run/plugins'
const EXECUTABLE = `${PLUGINS}/overlab-cni`

/** The file is never executed: its names are enough. */
function makePlugins(): void {
  if (existsSync(PLUGINS)) return
  mkdirSync(PLUGINS)
  writeFileSync(EXECUTABLE, '')
  for (const name of ['bridge', 'host-local']) linkSync(EXECUTABLE, `${PLUGINS}/${name}`)
}

export const linux: Nodes = {
  name: 'Linux',
  hasIptables: true,
  setUp() {
    const kernel = liveLinux()
    makePlugins()
    return {
      kernel,
      host: { ...host, executable: () => EXECUTABLE },
      pluginDirectory: PLUGINS,
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
