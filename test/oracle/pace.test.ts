/** A run that keeps to the moments of another: what a kernel sends goes by time. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { modelMachine } from '../../src/lab/model-machine.ts'
import { Pace } from '../../src/oracle/pace.ts'
import { runScenario } from '../../src/oracle/run.ts'
import { udp } from './scenarios/frames.ts'
import { from, onRig, ways } from './scenarios/rig.ts'

test('moments are those of the run that leads, and what has none comes at once', async () => {
  const led = new Pace(modelMachine(), [0, 45, 46.5])
  for (let i = 0; i < 4; i++) await led.reach({ at: i })
  assert.deepEqual(led.moments, [0, 45, 46.5, 46.5])
})

test('a neighbour is asked for again as often as the other run had time for', async () => {
  const nobody = '10.244.0.77'
  const steps = [
    from('p1', udp({ ...ways.p1, destination: nobody })),
    from('p1', udp({ ...ways.p1, destination: nobody })),
  ]
  const { scenario } = onRig('nobody', 'a neighbour that there is not', steps, { show: [nobody] })
  const requests = async (...moments: number[]) => {
    const { walk } = await runScenario(scenario, modelMachine(), { moments })
    return walk.obs.filter(({ at, dir, hex }) => at === 'p2:eth0' && dir === 'in' && hex.slice(24, 28) === '0806')
      .length
  }
  assert.equal(await requests(0, 1), 1)
  assert.equal(await requests(0, 1500), 2)
})
