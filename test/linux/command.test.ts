/**
 * The witness of src/command: iproute2, procps and iputils themselves. Each line of command-lines.ts runs in two namespaces
 * that have lived through the same lines, by the real program in one and by ours in the other.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { runLine } from '../../src/command/run.ts'
import type { LiveKernel } from '../../src/kernel/live.ts'
import { liveLinux } from '../../src/linux/live.ts'
import { worlds } from './command-lines.ts'
import { comparable, settled, sleep } from './command-witness.ts'

const root = liveLinux()

for (const [number, { about, lines }] of worlds.entries()) {
  describe(about, () => {
    const names = { real: `ovi-real${number}`, ours: `ovi-ours${number}` }
    const peers = { real: `ovi-there${number}`, ours: `ovi-where${number}` }
    let kernel: LiveKernel
    let realKernel: LiveKernel

    beforeAll(() => {
      for (const name of [...Object.values(names), ...Object.values(peers)]) {
        const namespace = root.enter(root.namespaces.add(name))!
        // Whether an address is still tentative would be a matter of milliseconds.
        for (const which of ['all', 'default']) namespace.sysctl.set(`net/ipv6/conf/${which}/accept_dad`, '0')
        if (Object.values(peers).includes(name)) namespace.sysctl.set('net/ipv4/ip_forward', '1')
        if (Object.values(peers).includes(name)) namespace.sysctl.set('net/ipv6/conf/all/forwarding', '1')
        namespace.close()
      }
      kernel = root.enter(`/run/netns/${names.ours}`)!
      realKernel = root.enter(`/run/netns/${names.real}`)!
    })
    afterAll(() => {
      kernel.close()
      realKernel.close()
      for (const name of [...Object.values(names), ...Object.values(peers)]) root.namespaces.delete(name)
    })

    for (const line of lines) {
      test(line, async () => {
        const real = spawnSync('ip', ['netns', 'exec', names.real, 'sh', '-c', line.replaceAll('PEER', peers.real)], {
          encoding: 'utf8',
        })
        const ours = await runLine(line.replaceAll('PEER', peers.ours), {
          kernel,
          now: () => performance.now(),
          sleep,
        })
        await settled(realKernel, kernel)
        assert.deepEqual(comparable(ours, peers.ours), comparable(real, peers.real))
      })
    }
  })
}
