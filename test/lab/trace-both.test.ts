/** `overlab trace --engine both`: the model beside the kernel, as it is and with a planted bug. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { test } from 'vitest'
import { MAIN } from '../cli/overlab.ts'

const root = join(import.meta.dirname, '../..')
const PLANT = join(root, 'src/oracle/mutant/plant.ts')
const example = (name: string) => join(root, 'examples/topologies', `${name}.ovl.yml`)
const schema = JSON.parse(readFileSync(join(root, 'schema/trace.schema.json'), 'utf8'))
const validate = new Ajv2020({ strict: false, allErrors: true }).compile(schema)

function both(argv: readonly string[], mutant?: string) {
  const env = { PATH: process.env.PATH, ...(mutant && { OVERLAB_MUTANT: mutant }) }
  const words = [...(mutant ? ['--import', PLANT] : []), MAIN, 'trace', ...argv, '--engine', 'both']
  const { status, stdout, stderr } = spawnSync(process.execPath, words, { encoding: 'utf8', env })
  return { status, stdout, stderr, lines: stdout.trimEnd().split('\n') }
}

const questions: readonly { readonly title: string; readonly argv: readonly string[]; readonly ending: RegExp }[] = [
  {
    title: 'an echo over the overlay',
    argv: ['web-0', 'api-0', '--file', example('s02-overlay')],
    ending: /^✔ DELIVERED at api-0\/eth0, in the model and in the kernel$/,
  },
  {
    title: 'a connection to a service',
    argv: ['web-0', 'svc/api', '--file', example('s25-service')],
    ending: /^✔ DELIVERED at api-0\/eth0, in the model and in the kernel$/,
  },
  {
    title: 'a connection that a rule refuses',
    argv: ['web-0', 'svc/api', '--file', example('s25-service'), '--fault', 'refused'],
    ending: /^✗ DROPPED at n2\/flannel\.1: NETFILTER_DROP, in the model and in the kernel$/,
  },
  {
    title: 'large segments that vanish',
    argv: ['web-0', 'api-0', '--tcp', '8080', '--file', example('s15-mtu-black-hole'), '--fault', 'no-messages'],
    ending: /^✗ DROPPED at web-0\/eth0: NETFILTER_DROP, in the model and in the kernel$/,
  },
]
for (const { title, argv, ending } of questions) {
  test(`${title}: the model and the kernel say the same`, () => {
    const { status, stdout, stderr, lines } = both(argv)
    assert.equal(status, 0, `${stdout}\n${stderr}`)
    assert.match(lines.at(-2)!, ending)
    assert.match(lines.at(-1)!, /^= [1-9]\d* frames of [1-9]\d* packets compared: the same$/)
    assert.deepEqual(
      lines.filter((line) => line.includes('≠') || line.length > 110),
      [],
    )
  })
}

test('a bug that is planted in the model is marked where it is first seen', () => {
  const { status, stdout, lines } = both(['web-0', 'api-0', '--file', example('s02-overlay')], 'vxlan-checksum-zero')
  assert.equal(status, 1, stdout)
  assert.ok(
    lines.some((line) => /^≠ +eth0 +wire +out, 148 B +udp\.checksum 0x[0-9a-f]{4}, model 0x0000$/.test(line)),
    stdout,
  )
  assert.match(
    stdout,
    /\n≠ first difference\n {2}n1\/eth0 out: udp\.checksum is 0x0000 in the model, 0x[0-9a-f]{4} in the kernel\n/,
  )
  assert.match(stdout, /\n {2}- 0020 .*>\S\S>\S\S .*\n {2}\+ 0020 .*>00>00 /)
  assert.match(lines.at(-1)!, /^≠ 20 frames of 2 packets compared: 4 differ$/)
})

test('--json has the kernel beside the model, and what differs', () => {
  const { status, stdout } = both(['web-0', 'api-0', '--json', '--file', example('s02-overlay')], 'vxlan-checksum-zero')
  assert.equal(status, 1)
  const document = JSON.parse(stdout)
  assert.equal(validate(document), true, JSON.stringify(validate.errors?.slice(0, 3), undefined, 1))
  assert.equal(document.engine.kind, 'both')
  const [first] = document.diff
  const step = document.steps[first.step]
  assert.deepEqual(
    [step.at, step.what, first.field, first.model],
    [{ node: 'n1', dev: 'eth0' }, 'out', 'udp.checksum', '0x0000'],
  )
  assert.match(step.meta.kernel.hex, /^[0-9a-f]{296}$/)
  const same = both(['web-0', 'api-0', '--json', '--file', example('s02-overlay')])
  assert.deepEqual([same.status, JSON.parse(same.stdout).diff], [0, []])
})
