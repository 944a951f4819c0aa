/** The programs that measure daemons, and who is measured: test/interop/bgp and bgp-flap.py. */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { bgpPeers } from '../test/support/peers.ts'
import { compare, median } from './statistics.ts'
import type { Row } from './table.ts'

const root = join(import.meta.dirname, '..')
const speaker = join(root, 'test/interop/speaker')

export type Program = 'test/interop/bgp/bench.py' | 'test/interop/bgp/mesh_bench.py' | 'bench/bgp-flap.py'

/** By the names of test/interop/bgp/lab.py; ours is cmd. */
export const NAMES = {
  cmd: 'ours',
  bird: "BIRD 2.0's",
  bird1: "BIRD 1.6's",
  gobgp4: "GoBGP 4's",
  frr: "FRR 8.4's",
} as const

export type Daemon = keyof typeof NAMES
export type Peer = Exclude<Daemon, 'cmd'>

/** One run of one daemon; what could not be measured is null or left out. */
export type Run = { readonly dut: Daemon; readonly error?: string } & Readonly<Record<string, unknown>>

/** /run/netns of our own: namespaces of the same names may be there, of a test of the same programs. */
export function apart(): void {
  mkdirSync('/run/netns', { recursive: true })
  const { status, stderr } = spawnSync('mount', ['-t', 'tmpfs', 'tmpfs', '/run/netns'], { encoding: 'utf8' })
  if (status !== 0) throw new Error(`Cannot mount /run/netns: ${stderr}`)
}

/** Those of whom there is a program: BIRD 1.6 is not everywhere. */
export function present(peers: readonly Peer[]): Peer[] {
  const program = (peer: Peer) => (peer === 'frr' ? 'bgpd' : peer === 'gobgp4' ? 'gobgpd4' : peer)
  return peers.filter((peer) => existsSync(join(peersFolder(), 'bin', program(peer))))
}

/** Runs a program once, which puts each of the daemons through its paces. */
export async function measure(
  program: Program,
  daemons: readonly Daemon[],
  words: readonly string[],
  say: (line: string) => void,
): Promise<readonly Run[]> {
  const folder = mkdtempSync(join(tmpdir(), 'bgp-'))
  const file = join(folder, 'runs.json')
  const ours = [
    '--dut-cmd',
    `'${speaker}' {conf} {dir} {gr} {rib_only}`,
    ...(program === 'bench/bgp-flap.py' ? [] : ['--dut-ctl', `'${speaker}-ctl' {dir} {verb}`]),
  ]
  try {
    const child = spawn('python3', [join(root, program), '--duts', daemons.join(), ...words, '--json', file, ...ours], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, BGP_PEERS: peersFolder(), BG_RUN: folder, PYTHONDONTWRITEBYTECODE: '1' },
    })
    for await (const line of createInterface(child.stdout)) say(line)
    const runs = JSON.parse(readFileSync(file, 'utf8')) as Run[]
    for (const { dut, error } of runs) if (error !== undefined) say(`${NAMES[dut]}: ${error}`)
    return runs
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** The runs of all rounds, by who was measured. */
export class Rounds {
  readonly #runs: Run[] = []

  add(runs: readonly Run[]): void {
    this.#runs.push(...runs)
  }

  values(daemon: Daemon, column: string): number[] {
    const runs = this.#runs.filter(({ dut }) => dut === daemon)
    return runs.map((run) => (typeof run[column] === 'number' ? run[column] : Number.NaN))
  }

  median(daemon: Daemon, column: string): number {
    return median(this.values(daemon, column))
  }

  /** Ours in this column beside theirs, round by round; seconds. */
  against(peer: Peer, column: string): Pick<Row, 'value' | 'comparison'> {
    const milliseconds = (daemon: Daemon) => this.values(daemon, column).map((seconds) => 1000 * seconds)
    const comparison = compare(milliseconds('cmd'), milliseconds(peer))
    return { value: comparison.ratio, comparison }
  }
}

function peersFolder(): string {
  return process.env.BGP_PEERS ?? bgpPeers()
}
