/** What a case of a campaign is, without a kernel beside the model: root tests and `npm run oracle -- --cases` have one. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'vitest'
import { modelMachine } from '../../../src/lab/model-machine.ts'
import { drawScenario } from '../../../src/oracle/random/campaign.ts'
import { kinds } from '../../../src/oracle/random/kinds.ts'
import { readScenario, writeScenario } from '../../../src/oracle/random/scenario-file.ts'
import { Tally } from '../../../src/oracle/random/tally.ts'
import { between } from '../../../src/oracle/random/trial.ts'
import { runScenario } from '../../../src/oracle/run.ts'

const CASES = 20
const OPTIONS = { lenient: true }

for (const kind of kinds) {
  test(`${kind.name}: some of its frames arrive, and some do not; what is not modelled is rare`, async () => {
    const tally = new Tally([kind.name])
    for (let number = 1; number <= CASES; number++) {
      const scenario = drawScenario(kind, number)
      const { endings } = await runScenario(scenario, modelMachine(), OPTIONS)
      tally.add({ kind: kind.name, number, outcomes: endings.map(({ outcome }) => outcome), again: false })
    }
    const { frames } = tally.kinds[0]!
    assert.ok(frames.delivered > 0 && frames.dropped > 0 && frames['answered by ICMP'] > 0, tally.lines()[0])
    assert.ok(frames.unsupported <= 2, tally.lines()[0])
  })

  test(`${kind.name}: the same number is the same case, in few namespaces and links`, () => {
    for (let number = 1; number <= CASES; number++) {
      const scenario = drawScenario(kind, number)
      assert.deepEqual(drawScenario(kind, number), scenario)
      const { nodes, links = [] } = scenario.topology.topology
      assert.ok(Object.keys(nodes).length <= 6 && links.length <= 6, scenario.id)
    }
    assert.notDeepEqual(drawScenario(kind, 1).steps, drawScenario(kind, 2).steps)
  })

  test(`${kind.name}: a case that is written to files comes back from them, and does the same`, async () => {
    const directory = mkdtempSync(join(tmpdir(), 'oracle-case-'))
    try {
      const scenario = drawScenario(kind, 7)
      const path = join(directory, `${scenario.id}.ovl.yml`)
      writeScenario(scenario, path)
      const again = readScenario(path)
      assert.deepEqual(again, JSON.parse(JSON.stringify(scenario)))
      const [one, other] = [
        await runScenario(scenario, modelMachine(), OPTIONS),
        await runScenario(again, modelMachine(), OPTIONS),
      ]
      assert.equal(between(one, other), undefined)
    } finally {
      rmSync(directory, { recursive: true, force: true })
    }
  })
}

test('a step that only one kernel refuses is a difference, and so are other words', async () => {
  const scenario = drawScenario(kinds[0]!, 1)
  const found = await runScenario(scenario, modelMachine(), OPTIONS)
  const refused = { ...found, refusals: ['0: EMSGSIZE'] }
  assert.equal(between(found, found), undefined)
  assert.match(between(refused, { ...found, refusals: [] })!.what, /step taken; expected 0: EMSGSIZE/)
  assert.match(between({ ...found, refusals: [] }, refused)!.what, /step 0: EMSGSIZE; expected it to be taken/)
})

test('too few that arrive are told of a kind with enough cases', () => {
  const tally = new Tally(['bridge'])
  for (let number = 0; number < 200; number++) {
    assert.deepEqual(tally.lopsided(), [])
    const outcomes = number % 10 === 0 ? (['delivered'] as const) : (['dropped'] as const)
    tally.add({ kind: 'bridge', number, outcomes, again: false })
  }
  assert.deepEqual(tally.lopsided(), ['bridge'])
})
