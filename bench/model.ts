/**
 * The model against the kernel that it imitates: the same topology built in both, the same frame sent into both, in turns.
 *
 *   S02    pod → bridge → VXLAN → the other node → bridge → pod: test/golden/README.md
 *   S25    the same through a service: DNAT, connection tracking on
 *
 * And how long a cluster takes to be built, and how much memory: model-cluster.ts.
 *
 * The frame goes in by AF_PACKET (packets.send), so a packet of the kernel's costs one system call more.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { build } from 'esbuild'
import { buildLibrary } from '../scripts/build-library.ts'
import { linuxMachine } from '../src/cli/machine.ts'
import type { LiveKernel } from '../src/kernel/live.ts'
import { bringUp, takeDown } from '../src/lab/lab.ts'
import type { Machine } from '../src/lab/machine.ts'
import { modelMachine } from '../src/lab/model-machine.ts'
import { enter } from '../src/lab/node.ts'
import { namespaceOf } from '../src/lab/plan.ts'
import { readTopologyFile } from '../src/lab/topology-file.ts'
import { EtherType, encodeEthernet } from '../src/wire/ethernet.ts'
import { encodeIpv4 } from '../src/wire/ipv4.ts'
import { encodeUdp } from '../src/wire/udp.ts'
import type { Options } from './bench.ts'
import { type Comparison, compare, medianRun } from './statistics.ts'
import type { Row } from './table.ts'

const root = join(import.meta.dirname, '..')
const rig = join(root, 'test/golden/T2.ovl.yml')

/** Packets of one measurement: so few that on a busy machine some measurements are left alone. */
const PACKETS = 400
/** Packets that are followed are measured by so many times fewer. */
const SLOWER = 10
/** Measurements before any counts: what is run often is compiled. */
const WARM_UP = 400
const STARTS = 20
const LABS = 5
/** Of the cluster. */
const NODES = 1_000
const PODS = 100
/** V8 lets garbage of 48 MB and more come together before it looks for what is young and dead, and the whole of it grow to 4 GB. */
const HEAP = ['--max-semi-space-size=8', '--max-old-space-size=8192']
/** Milliseconds in which the first packet must have arrived. */
const PATIENCE = 5_000

const SERVICE = '10.96.0.10'
const P1 = '10.244.0.2'
const P3 = '10.244.1.2'

const serviceRules = [
  `iptables -t nat -A PREROUTING -d ${SERVICE}/32 -p udp --dport 80 -j DNAT --to-destination ${P3}:4001`,
  `iptables -t nat -A PREROUTING -d 10.96.0.11/32 -p udp --dport 80 -j DNAT --to-destination 10.244.0.3:8080`,
]

export async function benchModel({ pairs, runs, say }: Options): Promise<Row[]> {
  say('S02: pod to pod over VXLAN')
  const plain = await compareEngines(datagram(P3, 4001), [], pairs, runs)
  say('S25: through a service, with connection tracking')
  const service = await compareEngines(datagram(SERVICE, 80), serviceRules, pairs, runs)
  say('S02, followed')
  const traced = await tracedRate(datagram(P3, 4001), runs * pairs)
  say('overlab trace: building dist/, whose command is measured')
  await buildLibrary()
  const start = startOfTrace()
  say('the default lab')
  const lab = timeOfLab()
  say('clusters')
  const cluster = await clusterOf([`${NODES}`, `${PODS}`])
  const crowd = await clusterOf([`${NODES}`, `${PODS}`, 'own'])
  return [
    { name: 'S02, model', value: plain.ours, least: 1, unit: 'Mpps' },
    { name: 'S02, kernel', value: plain.theirs, unit: 'Mpps' },
    {
      name: "S02, model's time to the kernel's",
      value: plain.comparison.ratio,
      unit: 'ratio',
      comparison: plain.comparison,
    },
    { name: 'S02, model, followed', value: traced, least: 0.15, unit: 'Mpps' },
    { name: 'S25, model', value: service.ours, least: 0.4, unit: 'Mpps' },
    { name: 'S25, kernel', value: service.theirs, unit: 'Mpps' },
    {
      name: "S25, model's time to the kernel's",
      value: service.comparison.ratio,
      unit: 'ratio',
      comparison: service.comparison,
    },
    { name: 'overlab trace, from exec to answer', value: start, target: 300, unit: 'ms' },
    { name: 'the default lab in the model, up, all ping all', value: lab, target: 1000, unit: 'ms' },
    { name: '1,000 nodes × 100 pods: built', value: cluster.seconds, target: 5, unit: 's' },
    { name: '1,000 nodes × 100 pods: memory of the process', value: cluster.megabytes, target: 400, unit: 'MB' },
    { name: 'the same, each pod in a namespace of its own: built', value: crowd.seconds, unit: 's' },
    { name: 'the same, each pod in a namespace of its own: memory', value: crowd.megabytes, unit: 'MB' },
  ]
}

/** What model-cluster.ts answers, run as a bundle: what reads TypeScript would take memory beside the model. */
async function clusterOf(args: readonly string[]): Promise<{ seconds: number; megabytes: number }> {
  const folder = mkdtempSync(join(tmpdir(), 'overlab-bench-'))
  try {
    const outfile = join(folder, 'cluster.mjs')
    const entry = join(import.meta.dirname, 'model-cluster.ts')
    await build({ entryPoints: [entry], outfile, bundle: true, platform: 'node', format: 'esm', logLevel: 'error' })
    const argv = [...HEAP, outfile, ...args]
    const { status, stdout, stderr } = spawnSync(process.execPath, argv, { encoding: 'utf8' })
    if (status !== 0) throw new Error(`Cannot measure a cluster: ${stderr}`)
    const { seconds, megabytes, pairs, arrived } = JSON.parse(stdout)
    if (arrived !== pairs) throw new Error(`Cannot measure a cluster: ${arrived} of ${pairs} pings were answered`)
    return { seconds, megabytes }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Milliseconds, of the fastest of some starts. */
function timeOfLab(): number {
  const times = Array.from({ length: LABS }, () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [join(import.meta.dirname, 'model-lab.ts')])
    if (status !== 0) throw new Error(`Cannot measure the default lab: ${stderr}`)
    return Number(stdout)
  })
  return Math.min(...times)
}

/** The run in the middle; and millions of packets a second by the fastest measurement of all. */
async function compareEngines(frame: Uint8Array, rules: readonly string[], pairs: number, runs: number) {
  const ours = await prepare(modelMachine(), rules)
  const machine = linuxMachine([])
  const theirs = await prepare(machine, rules)
  try {
    for (let i = 0; i < WARM_UP; i++) await measure(ours, frame)
    const comparisons: Comparison[] = []
    for (let run = 0; run < runs; run++) {
      const times: [number[], number[]] = [[], []]
      for (let pair = 0; pair < pairs; pair++) {
        times[0].push(await measure(ours, frame))
        times[1].push(await measure(theirs, frame))
      }
      comparisons.push(compare(...times))
    }
    const comparison = medianRun(comparisons)
    const fastest = (side: 'ours' | 'theirs') => Math.min(...comparisons.map((run) => run[side].minimum))
    const rate = (side: 'ours' | 'theirs') => PACKETS / fastest(side) / 1000
    return { comparison, ours: rate('ours'), theirs: rate('theirs') }
  } finally {
    theirs.close()
    takeDown('T2', machine)
  }
}

interface Path {
  readonly from: LiveKernel
  /** Where the packets come to, and whether that many have come. */
  readonly arrived: () => number
  /** What waits for the kernel's packets keeps the process alive. */
  close(): void
}

async function prepare(machine: Machine, rules: readonly string[]): Promise<Path> {
  const { topology } = readTopologyFile(rig)
  const plan = await bringUp(topology, machine, {
    owned: true,
    run: async (steps) => {
      for (const { run } of steps) await run()
    },
  })
  if (!plan) throw new Error('Cannot measure: there is a lab T2 already')
  const kernelOf = (name: string) => enter(namespaceOf(name, 'T2'), machine)!
  for (const rule of rules) {
    const { status, stderr } = await machine.runLine(kernelOf('n1').namespacePath, rule)
    if (status !== 0) throw new Error(`Cannot run "${rule}": ${stderr}`)
  }
  const from = kernelOf('p1')
  const answer = await from.ping(P3, { timeout: 5000 })
  if (answer.outcome !== 'reply') throw new Error(`Cannot measure: p1 does not reach p3 (${answer.outcome})`)
  const to = kernelOf('p3')
  // A socket, so that neither engine answers each packet with an ICMP error.
  let arrived = 0
  const socket = to.sockets.bindUdp({ port: 4001 }, { datagram: () => arrived++ })
  return {
    from,
    arrived: () => arrived,
    close() {
      socket.close()
      from.close()
      to.close()
    },
  }
}

/** Milliseconds for PACKETS packets, behind a few that bring the path back into the processor's caches: the other had them. */
async function measure({ from, arrived }: Path, frame: Uint8Array): Promise<number> {
  const before = arrived()
  for (let i = 0; i < PACKETS / 4; i++) from.packets.send('eth0', frame)
  const start = performance.now()
  for (let i = 0; i < PACKETS; i++) from.packets.send('eth0', frame)
  const time = performance.now() - start
  // The kernel's socket tells of them when it is looked at again; its buffer may have been too small for all.
  for (const end = start + time + PATIENCE; arrived() === before && performance.now() < end; ) await setTimeout(1)
  if (arrived() === before) throw new Error('Cannot measure: no packet has arrived')
  return time
}

/** Millions of packets a second while every decision is written down, as many packets as in so many measurements of others. */
async function tracedRate(frame: Uint8Array, measurements: number): Promise<number> {
  const machine = modelMachine()
  const { from } = await prepare(machine, [])
  const { model } = machine.kernel
  const times: number[] = []
  model.onJourney = () => {}
  for (let i = 0; i < WARM_UP + measurements * SLOWER; i++) {
    const start = performance.now()
    for (let packet = 0; packet < PACKETS / SLOWER; packet++) from.packets.send('eth0', frame)
    if (i >= WARM_UP) times.push(performance.now() - start)
  }
  return PACKETS / SLOWER / Math.min(...times) / 1000
}

/** Milliseconds, the fastest of some starts: what was compiled before is at hand, as for all calls but a user's first. */
function startOfTrace(): number {
  const argv = [join(root, 'dist/cli/main.js'), 'trace', 'p1', 'p3', '--file', rig]
  const times = Array.from({ length: STARTS }, () => {
    const start = performance.now()
    const { status, stderr } = spawnSync(process.execPath, argv, { encoding: 'utf8' })
    if (status !== 0) throw new Error(`Cannot trace: ${stderr}`)
    return performance.now() - start
  })
  return Math.min(...times)
}

function datagram(destination: string, port: number): Uint8Array {
  const payload = encodeUdp(
    { sourcePort: 4000, destinationPort: port, payload: Uint8Array.of(0x41) },
    { source: P1, destination },
  )
  const packet = encodeIpv4({
    tos: 0,
    identification: 1,
    dontFragment: false,
    moreFragments: false,
    fragmentOffset: 0,
    ttl: 64,
    protocol: 17,
    source: P1,
    destination,
    options: [],
    payload,
  })
  return encodeEthernet({
    destination: '02:0b:00:00:01:00',
    source: '02:00:0a:f4:00:02',
    tags: [],
    etherType: EtherType.ipv4,
    payload: packet,
  })
}
