/** What `overlab trace --json` prints is what its schema says. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { test } from 'vitest'
import { overlab } from '../cli/overlab.ts'

const root = join(import.meta.dirname, '../..')
const schema = JSON.parse(readFileSync(join(root, 'schema/trace.schema.json'), 'utf8'))
const validate = new Ajv2020({ strict: false, allErrors: true }).compile(schema)
const example = (name: string) => join(root, 'examples/topologies', `${name}.ovl.yml`)

const questions: { argv: string[]; status: number }[] = [
  { argv: ['web-0', 'api-0', '--file', example('s02-overlay')], status: 0 },
  { argv: ['web-0', 'api-0', '--udp', '4001', '--file', example('s02-overlay')], status: 0 },
  { argv: ['web-0', 'db-0', '--file', example('two-racks')], status: 0 },
  { argv: ['web-0', 'svc/api', '--file', example('s25-service')], status: 0 },
  { argv: ['web-0', 'api-0', '--tcp', '80', '--fault', 'lost-fdb', '--file', example('s02-overlay')], status: 1 },
  {
    argv: ['web-0', 'api-0', '--tcp', '8080', '--fault', 'no-messages', '--file', example('s15-mtu-black-hole')],
    status: 1,
  },
]
for (const { argv, status: expected } of questions) {
  test(`trace ${argv.slice(0, -2).join(' ')} --json is a document of the schema, and ends with ${expected}`, () => {
    const { status, stdout, stderr } = overlab(['trace', ...argv, '--json'])
    assert.equal(status, expected, stderr)
    const document = JSON.parse(stdout)
    assert.equal(validate(document), true, JSON.stringify(validate.errors?.slice(0, 3), undefined, 1))
    assert.equal(document.result.disposition, expected === 0 ? 'delivered' : 'dropped')
    const ids = [document, ...document.traces].map(({ id }: { id: string }) => id)
    assert.equal(new Set(ids).size, ids.length, 'two traces have one id')
    for (const id of [document.result.reply, ...(document.result.spawned ?? [])]) {
      if (id !== undefined) assert.ok(ids.includes(id), `${id} is told nowhere`)
    }
  })
}

const wrong: { argv: string[]; status: number; says: RegExp }[] = [
  { argv: ['web-9', 'api-0'], status: 2, says: /"web-9" is not in lab "s02-overlay"; did you mean "web-0"\?/ },
  { argv: ['web-0', 'nowhere'], status: 2, says: /"nowhere" is no node, pod, service or address/ },
  {
    argv: ['web-0', 'api-0', '--fault', 'lost-fbd'],
    status: 2,
    says: /no fault of this topology; did you mean "lost-fdb"\?/,
  },
  { argv: ['web-0', 'api-0', '--tcp', '0'], status: 2, says: /A port is a number from 1 to 65535/ },
  { argv: ['web-0', 'api-0', '--tcp', '80', '--udp', '53'], status: 2, says: /cannot be used with/ },
  { argv: ['web-0', 'api-0', '--file', '/nowhere.ovl.yml'], status: 2, says: /Cannot read the topology file .*ENOENT/ },
]
for (const { argv, status: expected, says } of wrong) {
  test(`trace ${argv.join(' ')} is wrong use: ${says.source}`, () => {
    const file = argv.includes('--file') ? [] : ['--file', example('s02-overlay')]
    const { status, stdout, stderr } = overlab(['trace', ...argv, ...file])
    assert.equal(status, expected, stderr)
    assert.equal(stdout, '')
    assert.match(stderr, says)
  })
}
