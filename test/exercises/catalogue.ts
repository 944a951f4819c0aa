/** The exercises of examples/faults, read: the same rows for the model and for the real kernel. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Exercise, TopologyTest } from '../../src/lab/tests/description.ts'
import { readTopologyFile, type TopologyFile } from '../../src/lab/topology-file.ts'

const directory = join(import.meta.dirname, '../../examples/faults')

export interface ExerciseFile extends TopologyFile {
  /** `f01-lost-fdb`. */
  readonly name: string
  readonly exercise: Exercise
  readonly tests: readonly TopologyTest[]
}

/** Throws where a file has no exercise, and where there is no file at all. */
export function readExercises(): ExerciseFile[] {
  const names = readdirSync(directory).filter((name) => name.endsWith('.ovl.yml'))
  if (names.length === 0) throw new Error(`Cannot find exercises in ${directory}`)
  return names.map((name) => {
    const file = readTopologyFile(join(directory, name))
    const { exercise, tests } = file.topology
    if (!exercise || !tests) throw new Error(`${file.path} has no exercise, or no tests`)
    return { ...file, name: name.replace('.ovl.yml', ''), exercise, tests }
  })
}
