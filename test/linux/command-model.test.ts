/**
 * The lines of command-lines.ts once more, asked of the model: what it prints is what the real programs print of the real
 * kernel. IPv6 is left out of both.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { runLine } from '../../src/command/run.ts'
import type { LiveKernel } from '../../src/kernel/live.ts'
import { liveLinux } from '../../src/linux/live.ts'
import { createModel } from '../../src/model/create.ts'
import { worlds } from './command-lines.ts'
import { comparable, settled } from './command-witness.ts'

/**
 * What the model does not have, by what is in the line: IPv6 (which is off here), macvlan, VLANs, a
 * forwarding entry's own way out, and the lists of addresses that a device itself listens to.
 */
const NOT_ON_MODEL =
  /-6|inet6|fd0|fd6|fd9|fe80|::1|macvlan|mv0|del m0|vx6|_lft|vlan_filtering|sysctl net\.ipv6|via e$|dev v1$|dev v1 self master|vlan add/
const WITHOUT_IPV6 = 'sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1'

function listsFdbAsJson(line: string): boolean {
  return /^bridge -j.* fdb/.test(line)
}

/** The order of a forwarding database is that of a hash table, and the kernel lists group addresses in it, too. */
function compared(line: string, outcome: Parameters<typeof comparable>[0]) {
  const { stdout, ...rest } = comparable(outcome, 'ovi-there')
  if (!/^bridge .*f(db)?\b/.test(line)) return { ...rest, stdout }
  return { ...rest, stdout: stdout.filter((entry) => !/^(33:33|01:00:5e):.* self permanent$/.test(entry)).sort() }
}

const root = liveLinux()
const model = createModel()
const machines: readonly LiveKernel[] = [root, model]

for (const [number, { about, lines }] of worlds.entries()) {
  describe(about, () => {
    const real = `ovi-real${number}`
    const peer = `ovi-there${number}`
    let kernel: LiveKernel
    let realKernel: LiveKernel

    beforeAll(() => {
      for (const machine of machines) {
        machine.namespaces.add(real)
        const there = machine.enter(machine.namespaces.add(peer))!
        there.sysctl.set('net/ipv4/ip_forward', '1')
        there.close()
      }
      kernel = model.enter(`/run/netns/${real}`)!
      realKernel = root.enter(`/run/netns/${real}`)!
    })
    afterAll(() => {
      kernel.close()
      realKernel.close()
      for (const { namespaces } of machines) for (const name of [real, peer]) namespaces.delete(name)
    })

    for (const line of [WITHOUT_IPV6, ...lines.filter((line) => !NOT_ON_MODEL.test(line) && !listsFdbAsJson(line))]) {
      test(line, async () => {
        const typed = line.replaceAll('PEER', peer)
        const expected = spawnSync('ip', ['netns', 'exec', real, 'sh', '-c', typed], { encoding: 'utf8' })
        const { model: machine } = model
        const now = () => machine.clock.now / 1000
        const sleep = async (milliseconds: number) => machine.advance(milliseconds * 1000)
        const seen = await runLine(typed, { kernel, now, sleep })
        await settled(realKernel, kernel)
        assert.deepEqual(compared(line, seen), compared(line, expected))
      })
    }
  })
}
