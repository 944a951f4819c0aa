/** `ipset`, `iptables` and `nft` of a node in a topology file: the real kernel shows, in its own programs' words, what the model shows. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, test, vi } from 'vitest'
import { linuxMachine } from '../../src/cli/machine.ts'
import { bringUp, takeDown } from '../../src/lab/lab.ts'
import type { Machine } from '../../src/lab/machine.ts'
import { modelMachine } from '../../src/lab/model-machine.ts'
import { namespacePath } from '../../src/lab/node.ts'
import { namespaceOf } from '../../src/lab/plan.ts'
import { parseTopology } from '../../src/lab/topology-file.ts'
import { MAIN } from '../cli/overlab.ts'
import { REFUSED, SETS_AND_RULES, SHOWN } from '../topology/node-commands.ts'

// Each command is a process of its own, which reads all of the source.
vi.setConfig({ testTimeout: 300_000 })

const LAB = 'sets-and-rules'

afterEach(() => {
  takeDown(LAB, linuxMachine([]))
})

async function build(text: string, machine: Machine): Promise<void> {
  const topology = { ...parseTopology(text, 'lab.ovl.yml').topology, name: LAB }
  await bringUp(topology, machine, {
    owned: true,
    run: async (steps) => {
      for (const { run } of steps) await run()
    },
  })
}

test('both kernels show the same sets and rules', async () => {
  const [linux, model] = [linuxMachine([]), modelMachine()]
  for (const machine of [linux, model]) await build(SETS_AND_RULES, machine)
  for (const [node, line] of SHOWN) {
    const path = namespacePath(namespaceOf(node, LAB))
    const real = await linux.runLine(path, line)
    assert.equal(real.status, 0, real.stderr)
    assert.notEqual(real.stdout, '')
    assert.equal((await model.runLine(path, line)).stdout, real.stdout, `${node}: ${line}`)
  }
})

for (const [key, says] of REFUSED) {
  test(`${key} builds nothing, and the line is named`, async () => {
    const machine = linuxMachine([])
    await assert.rejects(build(`name: x\ntopology: { nodes: { n1: { ${key} } } }\n`, machine), (error: Error) =>
      error.message.startsWith(says),
    )
    assert.equal(
      machine.kernel.namespaces.list().find((name) => name.endsWith(`@${LAB}`)),
      undefined,
    )
  })
}

for (const engine of ['kernel', 'model']) {
  test(`a program that "lab exec" runs reads what overlab is given, --engine ${engine}`, () => {
    const directory = mkdtempSync(join(tmpdir(), 'overlab-exec-'))
    const file = join(directory, 'lab.ovl.yml')
    writeFileSync(file, `name: ${LAB}\ntopology: { nodes: { n1: {} } }\n`)
    const env = { PATH: process.env.PATH, XDG_RUNTIME_DIR: directory }
    const overlab = (input: string, ...argv: string[]) =>
      spawnSync(process.execPath, [MAIN, 'lab', ...argv], { encoding: 'utf8', env, input })
    try {
      assert.equal(overlab('', 'up', '--engine', engine, '--file', file).status, 0)
      const exec = (input: string, ...words: string[]) => overlab(input, 'exec', '--name', LAB, 'n1', '--', ...words)
      assert.equal(exec('table ip given {\n}\n', 'nft', '-f', '-').stderr, '')
      assert.match(exec('', 'nft', 'list', 'ruleset').stdout, /^table ip given \{\n\}\n/)
    } finally {
      overlab('', 'down', '--name', LAB, '--engine', engine)
      rmSync(directory, { recursive: true, force: true })
    }
  })
}
