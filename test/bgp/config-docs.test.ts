/** docs/bgp.md, and docs/cluster.md for what is a cluster's, name every member of the configuration, with what the schema says of it. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'vitest'
import { configSchema } from '../../src/cluster/config.ts'

const text = ['bgp', 'cluster']
  .map((name) => readFileSync(new URL(`../../docs/${name}.md`, import.meta.url), 'utf8'))
  .join('\n')

/** Name and description of every member that has one, but for those of operations and lists of prefixes. */
function members(value: unknown): (readonly [string, string])[] {
  if (typeof value !== 'object' || value === null) return []
  const { properties = {}, ...rest } = value as { properties?: Record<string, { description?: string }> }
  return [
    ...Object.entries(properties).flatMap(([name, { description }]) =>
      description === undefined ? [] : [[name, description] as const],
    ),
    ...Object.entries(properties).flatMap(([name, each]) => (IN_WORDS.includes(name) ? [] : members(each))),
    ...Object.values(rest).flatMap(members),
  ]
}

const IN_WORDS = ['operations', 'prefixList', 'prefixLength', 'communities', 'longLivedGR']

test('every member is in the reference', () => {
  const all = members(configSchema)
  assert.ok(all.length > 60)
  const lacking = all.filter(([name, description]) => {
    const isDirection = /^(?:import|export)V[46]$/.test(name)
    return (
      !isDirection &&
      !text.split('\n').some((line) => line.startsWith(`| \`${name}\` |`) && line.endsWith(`| ${description} |`))
    )
  })
  assert.deepEqual(lacking, [])
})
