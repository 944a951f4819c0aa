/**
 * Labs of the model between two commands. What is kept is how they came to be: the topology, and what was done since, a
 * line each; the next command builds them again.
 *
 *   <runtime directory>/model/<name>/lab.json       the topology, and the file that it is from
 *                                    deeds.ndjson   {"place":"n1","line":"ip route add …"}
 */
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import type { Deed } from '../lab/model-lab.ts'
import type { Topology } from '../lab/topology.ts'
import { runtimeDirectory } from './rootless.ts'

export interface ModelState {
  readonly topology: Topology
  /** Path of the topology file; undefined for the lab that comes with the program. */
  readonly file: string | undefined
  readonly seed: number | undefined
  readonly deeds: readonly Deed[]
}

const LAB = 'lab.json'
const DEEDS = 'deeds.ndjson'

/** False when there is one of this name. */
export function claimModel({ topology, file, seed }: Omit<ModelState, 'deeds'>): boolean {
  const directory = directoryOf(topology.name)
  if (existsSync(directory)) return false
  mkdirSync(modelDirectory(), { recursive: true, mode: 0o700 })
  const fresh = `${directory}.${process.pid}`
  mkdirSync(fresh, { mode: 0o700 })
  try {
    writeFileSync(join(fresh, LAB), JSON.stringify({ topology, file, seed }), { mode: 0o600 })
    writeFileSync(join(fresh, DEEDS), '', { mode: 0o600 })
    renameSync(fresh, directory)
    return true
  } catch (error) {
    // Somebody else's came first: a directory that is not empty is not replaced.
    if ((error as NodeJS.ErrnoException).code === 'ENOTEMPTY' || (error as NodeJS.ErrnoException).code === 'EEXIST') {
      return false
    }
    throw error
  } finally {
    rmSync(fresh, { recursive: true, force: true })
  }
}

/** Undefined when there is no such lab. */
export function readModel(name: string): ModelState | undefined {
  const directory = directoryOf(name)
  if (!existsSync(join(directory, LAB))) return undefined
  const lines = readFileSync(join(directory, DEEDS), 'utf8').split('\n').filter(Boolean)
  const lab = JSON.parse(readFileSync(join(directory, LAB), 'utf8'))
  return { ...lab, deeds: lines.map((line) => JSON.parse(line)) }
}

/** One write at the end of the file: two commands at once do not lose each other's. */
export function addDeed(name: string, deed: Deed): void {
  appendFileSync(join(directoryOf(name), DEEDS), `${JSON.stringify(deed)}\n`)
}

/** False when there was none. */
export function removeModel(name: string): boolean {
  const directory = directoryOf(name)
  const found = existsSync(directory)
  rmSync(directory, { recursive: true, force: true })
  return found
}

export function listModels(): string[] {
  const directory = modelDirectory()
  return existsSync(directory) ? readdirSync(directory).filter((name) => existsSync(join(directory, name, LAB))) : []
}

const modelDirectory = () => join(runtimeDirectory(), 'model')
const directoryOf = (name: string) => join(modelDirectory(), name)
