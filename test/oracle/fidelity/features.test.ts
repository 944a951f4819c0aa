/** docs/fidelity.md says of every decision of the model what it was compared in. This is how it notices that it does not. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'vitest'
import { formatFidelity } from '../../../src/oracle/fidelity/document.ts'
import { featureOf, features } from '../../../src/oracle/fidelity/features.ts'
import { readModel } from '../../../src/oracle/fidelity/sites.ts'
import type { Fidelity } from '../../../src/oracle/fidelity/tally.ts'

const root = join(import.meta.dirname, '../../..')
const model = readModel(root)
const sites = model.flatMap((file) => file.sites)
const docs = (name: string) => readFileSync(join(root, 'docs', name), 'utf8')
const fidelity: Fidelity = JSON.parse(docs('fidelity.json'))

test('the decisions of the model are found, each with a name of its own', () => {
  assert.ok(sites.length > 250, `${sites.length} are`)
  assert.equal(new Set(sites.map(({ id }) => id)).size, sites.length)
  const ids = sites.map(({ id }) => id)
  assert.ok(ids.includes('ipv4/forward.ts expire drop IP_INHDR@ip_forward time to live exceeded'))
  assert.ok(ids.includes('ipv4/route-input.ts findInputRoute reason IP_LOCALNET'))
})

test('a function that passes on what it is given decides nothing: its callers do', () => {
  const of = (where: string) => sites.filter((site) => site.file === 'device/vxlan-receive.ts' && site.where === where)
  assert.deepEqual(of('refuseFrame'), [])
  assert.ok(of('receive').some(({ says }) => says.startsWith('LOCAL_MAC')))
})

test('every file of the model belongs to a feature, and every place of a feature is there', () => {
  for (const { file, functions } of model) {
    featureOf(file, '')
    for (const { name } of functions) featureOf(file, name)
  }
  for (const { places } of features) {
    for (const place of places) {
      const [file = '', where] = place.split('#')
      const found = model.filter((each) => each.file.startsWith(file))
      const named = where === undefined || found.some(({ functions }) => functions.some(({ name }) => name === where))
      assert.ok(found.length > 0 && named, `${place} is nowhere`)
    }
  }
})

test('functions of one file that have one name are told apart', () => {
  for (const { file, functions } of model) {
    const names = functions.map(({ name }) => name)
    assert.equal(new Set(names).size, names.length, file)
  }
  const expressions = model.find(({ file }) => file === 'netfilter/vm/element.ts')
  assert.ok(expressions?.functions.some(({ name }) => name === 'size (2)'))
})

test('docs/fidelity.json knows every decision, and none that there is not: else `npm run fidelity`', () => {
  assert.deepEqual(Object.keys(fidelity.sites).sort(), sites.map(({ id }) => id).sort())
})

test('docs/fidelity.md is what docs/fidelity.json says: else `npm run fidelity -- --render`', () => {
  assert.equal(docs('fidelity.md'), formatFidelity(model, fidelity))
})
