/**
 * A scenario on disk, in two files side by side: NAME.ovl.yml is the topology, with which `overlab lab up` works as well;
 * NAME.steps.yml is what is done there.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { parse, stringify } from 'yaml'
import { readTopologyFile } from '../../lab/topology-file.ts'
import type { Scenario } from '../scenario.ts'

const TOPOLOGY = '.ovl.yml'
const STEPS = '.steps.yml'

/** Left whole: hex is one word. */
const UNFOLDED = { lineWidth: 0 } as const

/** `path` is the topology's, which ends in `.ovl.yml`. */
export function writeScenario({ topology, ...rest }: Scenario, path: string): void {
  writeFileSync(path, stringify(topology, UNFOLDED))
  writeFileSync(stepsOf(path), stringify(rest, UNFOLDED))
}

/** TopologyError, or the error of reading a file. RangeError when the name is another. */
export function readScenario(path: string): Scenario {
  const rest: Omit<Scenario, 'topology'> = parse(readFileSync(stepsOf(path), 'utf8'))
  return { ...rest, topology: readTopologyFile(path).topology }
}

function stepsOf(path: string): string {
  if (!path.endsWith(TOPOLOGY))
    throw new RangeError(`Cannot find steps for "${path}": its name does not end in ${TOPOLOGY}`)
  return path.slice(0, -TOPOLOGY.length) + STEPS
}
