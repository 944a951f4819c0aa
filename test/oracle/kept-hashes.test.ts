/** Source ports of tunnel packets: one per flow, or where packets keep their hashes one per packet. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { modelMachine } from '../../src/lab/model-machine.ts'
import { differenceOfWalks } from '../../src/oracle/compare.ts'
import { hashesAreKept, LEEWAY } from '../../src/oracle/leeway.ts'
import { runScenario } from '../../src/oracle/run.ts'
import type { Row } from '../../src/oracle/walk.ts'
import { udp } from './scenarios/frames.ts'
import { from, onRig, run, ways } from './scenarios/rig.ts'

const way = { ...ways.p1, destination: '10.244.1.2' }
const { scenario } = onRig('two', 'two packets of one flow', [
  from('p1', udp({ ...way, id: 1 })),
  from('p1', udp({ ...way, id: 2 })),
])
const { walk, given } = await runScenario(scenario, modelMachine(), {})

/** In hexadecimal digits, from the frame's start: Ethernet, IPv4, and into UDP. */
const SOURCE = 2 * (14 + 20)
const SUM = SOURCE + 12
const isTunnel = ({ hex }: Row) => hex.slice(SOURCE + 4, SOURCE + 8) === '2118'

/** Rows of which some have another source port, and the checksum with it: RFC 1624. */
function moved(wanted: (row: Row, number: number) => boolean): Row[] {
  let number = 0
  return walk.obs.map((row) => {
    if (!isTunnel(row) || !wanted(row, number++)) return row
    const port = Number.parseInt(row.hex.slice(SOURCE, SOURCE + 4), 16)
    const sum = Number.parseInt(row.hex.slice(SUM, SUM + 4), 16)
    const to = port < 50_000 ? port + 1 : port - 1
    const less = sum === 0 ? 0 : sum - (to - port)
    const digits = (value: number) => value.toString(16).padStart(4, '0')
    const { hex } = row
    return {
      ...row,
      hex: `${hex.slice(0, SOURCE)}${digits(to)}${hex.slice(SOURCE + 4, SUM)}${digits(less)}${hex.slice(SUM + 4)}`,
    }
  })
}

const differs = (obs: Row[], keptHashes: boolean) =>
  differenceOfWalks(walk, { ...walk, obs }, given, { ...LEEWAY, keptHashes }) !== undefined

test('a packet of a flow that has another port than the one before differs, unless hashes are kept', () => {
  // Two packets, and what is said about each, over two taps.
  assert.equal(walk.obs.filter(isTunnel).length, 8)
  const second = moved((_, number) => number === 4 || number === 5)
  assert.equal(differs(second, false), true)
  assert.equal(differs(second, true), false)
})

test('a packet has one port at every tap, also where hashes are kept', () => {
  const once = moved((_, number) => number === 4)
  assert.equal(differs(once, false), true)
  assert.equal(differs(once, true), true)
})

test('hashes are kept where a command or the topology makes rules', () => {
  const { topology } = scenario
  const node = { iptables: ['-A FORWARD -j ACCEPT'] } as const
  const ruled = { ...topology, topology: { ...topology.topology, nodes: { ...topology.topology.nodes, n1: node } } }
  assert.equal(hashesAreKept(scenario), false)
  assert.equal(hashesAreKept({ ...scenario, steps: [run('n1', 'nft add table ip t')] }), true)
  assert.equal(hashesAreKept({ ...scenario, topology: ruled as unknown as typeof topology }), true)
})
