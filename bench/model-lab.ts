/**
 * Milliseconds until all nodes and pods of the default lab have pinged each other in the model: a program of its own, whose first
 * work this is.
 */
import { buildModelLab } from '../src/lab/model-lab.ts'
import { pingAll } from '../src/lab/ping.ts'
import { twoNodes } from '../src/lab/topology.ts'

const start = performance.now()
const { plan, machine } = await buildModelLab({ topology: twoNodes })
const { answers } = await pingAll(plan, machine)
const time = performance.now() - start
if (answers.some(({ answer }) => answer.outcome !== 'reply')) {
  throw new Error('Cannot measure: not all answer in the default lab')
}
console.log(time)
