/** Which topology a command means: the file it is given, or the only one in the directory. */
import { readdirSync } from 'node:fs'
import { basename } from 'node:path'
import { type Topology, twoNodes } from '../lab/topology.ts'
import { readTopologyFile, TopologyError, type TopologyFile } from '../lab/topology-file.ts'
import { CommandError, Exit } from './exit.ts'

export interface ChosenTopology {
  readonly topology: Topology
  /** Undefined for the one that comes with the program. */
  readonly source: (Pick<TopologyFile, 'lineOf' | 'placeOf'> & { readonly file: string }) | undefined
}

const SUFFIXES = ['.ovl.yml', '.ovl.yaml', '.clab.yml', '.clab.yaml']

export function chooseTopology(file: string | undefined): ChosenTopology {
  const path = file ?? onlyFile()
  if (path === undefined) return { topology: twoNodes, source: undefined }
  try {
    const { topology, lineOf, placeOf } = readTopologyFile(path)
    return { topology, source: { file: basename(path), lineOf, placeOf } }
  } catch (error) {
    if (error instanceof TopologyError) throw new CommandError(Exit.usage, error.message)
    const { code } = error as NodeJS.ErrnoException
    if (code) throw new CommandError(Exit.usage, `Cannot read the topology file "${path}": ${code}`, { cause: error })
    throw error
  }
}

function onlyFile(): string | undefined {
  const files = readdirSync('.').filter((name) => SUFFIXES.some((suffix) => name.endsWith(suffix)))
  if (files.length <= 1) return files[0]
  throw new CommandError(Exit.usage, `Give --file: there are several topologies here (${files.join(', ')})`)
}
