/**
 * The oracle on a second kernel, Debian's 6.1: the fixed scenarios run there, and are compared with the model under 6.1's settings,
 * and with what was recorded on 6.18 where that is. Too slow for every run of CI.
 *
 *   npm run oracle:kernels -- [--machine qemu|uml] [--only S01,S02] [--json FILE]
 *
 *   qemu   all of them, some minutes: the processor is emulated
 *   uml    in User-Mode Linux, a minute; it has no nftables for IPv4, so what needs rules, or silent pods, cannot run there
 *
 * As root, and set up as `npm test` sets up: kernels and programs are Debian's packages.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { build } from 'esbuild'
import { quoteWords } from '../src/command/shell-words.ts'
import { linux61 } from '../src/model/profile/linux-6.1.ts'
import type { FixedScenario } from '../src/oracle/fixed.ts'
import { judge, readSightings, type Verdict } from '../src/oracle/second-kernel.ts'
import type { Walk } from '../src/oracle/walk.ts'
import { allScenarios } from '../test/oracle/scenarios/all.ts'
import { runInGuest } from '../test/uml/guest.ts'
import { buildInitramfs, debianKernel } from '../test/vm/initramfs.ts'
import { CHECKOUT, Machine } from '../test/vm/machine.ts'

const root = join(import.meta.dirname, '..')
/** What was recorded of 6.18: by others, and by `npm run oracle -- --fixed --record`. */
const records = ['test/golden', 'test/oracle/walks'].map((path) => join(root, path))
/** Below the checkout, which every guest sees. */
const shared = `.cache/kernels-${process.pid}`
const folder = join(root, shared)

const MINUTE = 60_000
/** Of a machine's disk that nothing is read from. */
const EMPTY_DISK = 1 << 20

const { values } = parseArgs({
  options: { machine: { type: 'string', default: 'qemu' }, only: { type: 'string' }, json: { type: 'string' } },
})

const guests: Readonly<Record<string, () => string | Promise<string>>> = { qemu: runInQemu, uml: runInUml }
const guest = guests[values.machine]
if (!guest) {
  process.stderr.write('Usage: npm run oracle:kernels -- [--machine qemu|uml] [--only S01,S02] [--json FILE]\n')
  process.exitCode = 2
} else {
  const only = values.only?.split(',')
  const scenarios = allScenarios().filter(({ scenario }) => only?.includes(scenario.id) ?? true)
  const output = await inGuest(guest, scenarios)
  const sightings = readSightings(output)
  if (sightings.length === 0) throw new Error(`The guest has seen nothing:\n${output}`)
  const verdicts = await judge(scenarios, sightings, { recordOf, profile: linux61 })
  const [release] = /^6\.1\.\S+/m.exec(output) ?? ['6.1']
  report(release, verdicts)
  if (values.json !== undefined) {
    const text = JSON.stringify({ kernel: `Linux ${release}`, machine: values.machine, verdicts }, undefined, 2)
    writeFileSync(values.json, `${text}\n`)
  }
}

async function inGuest(run: () => string | Promise<string>, scenarios: readonly FixedScenario[]): Promise<string> {
  try {
    await prepare(scenarios)
    return await run()
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** The scenarios, and the guest's program as one file: a machine that is emulated takes a minute to read three hundred. */
async function prepare(scenarios: readonly FixedScenario[]): Promise<void> {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'scenarios.json'), JSON.stringify(scenarios))
  await build({
    entryPoints: [join(root, 'scripts/kernels-guest.ts')],
    outfile: join(folder, 'guest.mjs'),
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    external: ['koffi'],
    alias: { '#sys': join(root, 'src/linux/sys.node.ts') },
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
    logLevel: 'error',
  })
}

/** Undefined: of the scenarios of branches there is none. */
function recordOf(id: string): Walk | undefined {
  const file = records.map((directory) => join(directory, `${id}.json`)).find((path) => existsSync(path))
  return file === undefined ? undefined : (JSON.parse(readFileSync(file, 'utf8')) as Walk)
}

function command(checkout: string): string {
  const run = quoteWords(['node', `${shared}/guest.mjs`, `${shared}/scenarios.json`])
  return `uname -r; ${quoteWords(['cd', checkout])}; ${run} 2>&1`
}

function runInUml(): string {
  return runInGuest(command(root), { limit: 15 * MINUTE }).output
}

async function runInQemu(): Promise<string> {
  const scratch = mkdtempSync(join(tmpdir(), 'overlab-kernels-'))
  const [kernel, initramfs, archive] = [debianKernel(), join(scratch, 'initramfs'), join(scratch, 'archive')]
  buildInitramfs(kernel, initramfs)
  writeFileSync(archive, new Uint8Array(EMPTY_DISK))
  const machine = new Machine(1, { folder: scratch, checkout: root, kernel, initramfs, archive })
  try {
    await machine.switchOn()
    // Captures' times are the kernel's own, and iptables is nftables': what both need is there before anybody asks.
    await machine.run('modprobe -a bridge br_netfilter veth vxlan nf_tables nft_compat nf_conntrack nft_chain_nat')
    return await machine.run(`PATH=${CHECKOUT}/node_modules/.bin:$PATH; ${command(CHECKOUT)}`)
  } finally {
    await machine.switchOff()
    rmSync(scratch, { recursive: true, force: true })
  }
}

function report(release: string, verdicts: readonly Verdict[]): void {
  for (const { id, refused, fromRecord, fromModel } of verdicts) {
    if (refused !== undefined) process.stdout.write(`SKIP ${id}: ${refused.split('\n')[0]}\n`)
    else if (fromRecord === undefined && fromModel === undefined) process.stdout.write(`PASS ${id}\n`)
    else {
      process.stdout.write(`FAIL ${id}\n`)
      if (fromRecord !== undefined) process.stdout.write(`  ${release} and 6.18: ${fromRecord}\n`)
      if (fromModel !== undefined) process.stdout.write(`  the model and ${release}: ${fromModel}\n`)
    }
  }
  const ran = verdicts.filter(({ refused }) => refused === undefined)
  const recorded = ran.filter(({ id }) => recordOf(id) !== undefined)
  const asRecorded = recorded.filter(({ fromRecord }) => fromRecord === undefined).length
  const asModel = ran.filter(({ fromModel }) => fromModel === undefined).length
  const rest = verdicts.length - ran.length
  process.stdout.write(
    `Linux ${release}: ${ran.length} ran, ${rest} cannot; ${asRecorded} of ${recorded.length} as was recorded of 6.18, ${asModel} as the model\n`,
  )
  process.exitCode = asModel === ran.length && ran.length > 0 ? 0 : 1
}
