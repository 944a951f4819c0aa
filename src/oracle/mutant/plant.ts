/** `OVERLAB_MUTANT=NAME node --import …/src/oracle/mutant/plant.ts …`: the model of that process has the bug. */
import { plantEverywhere } from './planting.ts'

const { OVERLAB_MUTANT: name } = process.env
if (name !== undefined) plantEverywhere(name)
