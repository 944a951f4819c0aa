/** What random worlds are made of: nodes and links, command lines from words, and the scenario of both. */
import fc from 'fast-check'
import { endpointsOf, type Topology, type TopologyLink, type TopologyNode } from '../../lab/topology.ts'
import type { Scenario, ScenarioStep } from '../scenario.ts'
import { NAME } from './kind.ts'

export interface World {
  readonly nodes: Readonly<Record<string, TopologyNode>>
  readonly links: readonly TopologyLink[]
  /** Devices that come from commands, `node:device`. */
  readonly made?: readonly string[]
}

/** Commands that belong together. */
export type Deed = readonly ScenarioStep[]

/** Words of a command line, some of them by chance. */
export type Words = readonly (string | fc.Arbitrary<string>)[]

/** A command line in this node. */
export function line(ns: string, ...words: Words): fc.Arbitrary<Deed> {
  const texts = words.map((word) => (typeof word === 'string' ? fc.constant(word) : word))
  return fc.tuple(...texts).map((all) => [{ ns, run: all.filter((word) => word !== '').join(' ') }])
}

export const among = (...values: readonly string[]) => fc.constantFrom(...values)

export const onOff = among('on', 'off')

/**
 * Linux finds out a little later that a carrier is gone, milliseconds: linkwatch_event of net/core/link_watch.c. Of a veth whose
 * peer has the same index (in another namespace), and of a bridge, it may take a second: nobody has these go down here.
 */
const CARRIER = 30

/** The same, and then the time that a change of carrier takes to be known. */
export function settled(deeds: fc.Arbitrary<Deed>): fc.Arbitrary<Deed> {
  return deeds.map((steps) => [...steps, { wait: CARRIER }])
}

/** Every device of the world is watched; steps in nodes that it does not have are left out. */
export function scenarioOf(
  { nodes, links, made = [] }: World,
  deeds: readonly Deed[],
  { warm = [], show = ['10.'] }: Partial<Pick<Scenario, 'warm' | 'show'>> = {},
): Scenario {
  const topology: Topology = { name: NAME, topology: { nodes, links } }
  const ofLinks = links.flatMap((link) => endpointsOf(link).map(({ node, interface: device }) => `${node}:${device}`))
  const ofNodes = Object.entries(nodes).flatMap(([node, { interfaces = {} }]) =>
    Object.keys(interfaces).map((device) => `${node}:${device}`),
  )
  const steps = deeds.flat().filter((step) => !('ns' in step) || nodes[step.ns] !== undefined)
  return { id: NAME, topology, warm, steps, watch: [...ofLinks, ...ofNodes, ...made], show }
}
