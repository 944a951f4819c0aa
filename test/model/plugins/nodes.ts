/** A node that is all model: what people type there is carried out by src/command. */
import assert from 'node:assert/strict'
import { runWords } from '../../../src/command/run.ts'
import type { LiveKernel } from '../../../src/kernel/live.ts'
import { modelMachine } from '../../../src/lab/model-machine.ts'
import type { Nodes } from '../../contract/plugins/node.ts'

const MINUTE = 60_000_000

export const model: Nodes = {
  name: 'the model',
  hasIptables: false,
  setUp() {
    const { kernel, host, pluginDirectories } = modelMachine()
    kernel.links.set('lo', { up: true })
    const run = async (on: LiveKernel, words: readonly string[]): Promise<string> => {
      if (words[0] === 'ip' && words[1] === 'netns' && words[2] === 'exec') {
        return run(on.enter(`/run/netns/${words[3]}`)!, words.slice(4))
      }
      const context = { kernel: on, now: host.monotonic, sleep: async (time: number) => host.sleep(time) }
      const { status, stdout, stderr } = await runWords(words, context)
      assert.equal(status, 0, `${words.join(' ')}: ${stderr}`)
      return stdout
    }
    return {
      kernel,
      host,
      pluginDirectory: pluginDirectories[0]!,
      run: (...words) => run(kernel, words),
      async eventually(holds, what) {
        assert.ok(kernel.model.runUntil(holds, kernel.model.clock.now + MINUTE), `It did not come to pass that ${what}`)
      },
      tearDown() {},
    }
  },
}
