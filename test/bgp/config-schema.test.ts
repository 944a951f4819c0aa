/** schema/bgp.schema.json, which editors check files by, and the reader are one: what one takes the other takes, too. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { Ajv2020 } from 'ajv/dist/2020.js'
import fc from 'fast-check'
import { describe, test } from 'vitest'
import { parse } from 'yaml'
import { bgpSchema, bgpSchemaFile } from '../../scripts/schema.ts'
import { isOfHost, readIp } from '../../src/address/ip.ts'
import { readIpv4 } from '../../src/address/ipv4.ts'
import { formatPrefix, networkOf, readPrefix } from '../../src/address/prefix.ts'
import { parseCommunity } from '../../src/bgp/attribute/communities.ts'
import { ConfigError } from '../../src/bgp/config/problem.ts'
import { readConfiguration } from '../../src/cluster/config.ts'
import { MESH_NODE, RICH_NODE } from './configurations.ts'

const schema = JSON.parse(readFileSync(bgpSchemaFile, 'utf8'))
const ajv = new Ajv2020({ strict: false, allErrors: true })
ajv.addFormat('ip-address', (text) => {
  const ip = readIp(text)
  return ip !== undefined && (isOfHost(ip) || ip[0] === 127 || /^[0:]*1$/.test(text))
})
ajv.addFormat('ip-prefix', (text) => {
  const prefix = readPrefix(text)
  return prefix !== undefined && formatPrefix(networkOf(prefix)) === formatPrefix(prefix)
})
ajv.addFormat('ipv4', (text) => readIpv4(text)?.some((octet) => octet !== 0) ?? false)
ajv.addFormat('bgp-community', (text) => {
  try {
    return parseCommunity(text) >= 0
  } catch {
    return false
  }
})
const validate = ajv.compile(schema)

const host = { readSecret: () => 'secret', hostName: 'n1' }

/** What is wrong, as the reader says it; nothing: it takes it. */
function refusals(value: unknown): readonly string[] {
  try {
    readConfiguration(value, host)
    return []
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.problems.map(({ what }) => what)
  }
}

/** A schema looks at one value at a time. What does not go together, the reader alone says. */
const TOGETHER = new RegExp(
  [
    'as that of',
    'which needs',
    'needs gracefulRestart',
    'top-level families lack',
    'is missing, expected (an IPv4|a number from 1 to 4294967295; only)',
    'twice$',
    "the kernel's own",
    'means nothing',
    'is no IPv[46] prefix',
    'is not in (filters|dynamicRange)',
    'and (dynamicRange|nextHopSelf) is',
    'not of the family',
    'beside password',
    'expected a selector', // a schema knows no grammar
    'octets$', // counted in characters by a schema
  ].join('|'),
)

function agree(value: unknown): void {
  const says = refusals(value)
  const isValid = validate(value)
  const shape = says.filter((what) => !TOGETHER.test(what))
  if (isValid) assert.deepEqual(shape, [], `the schema takes ${JSON.stringify(value)}`)
  else assert.notEqual(says.length, 0, `the reader takes ${JSON.stringify(value)}: ${ajv.errorsText(validate.errors)}`)
}

test('the schema is as `npm run schema` makes it', () => {
  assert.equal(readFileSync(bgpSchemaFile, 'utf8'), bgpSchema())
})

const sampleIn = (file: string) =>
  parse(readFileSync(new URL(`../../netconf/${file}`, import.meta.url), 'utf8'), { merge: true })
const sample = sampleIn('bgp.yaml')
const cluster = sampleIn('cluster.yaml')

describe('examples are taken by both', () => {
  const examples = {
    'a node of a mesh': MESH_NODE,
    'one with everything': RICH_NODE,
    'netconf/bgp.yaml': sample,
    'netconf/cluster.yaml': cluster,
  }
  for (const [title, value] of Object.entries(examples)) {
    test(title, () => {
      assert.deepEqual(refusals(value), [])
      assert.equal(validate(value), true, ajv.errorsText(validate.errors))
    })
  }
})

test('every member has a description', () => {
  const lacking: string[] = []
  const walk = (value: unknown, path: string) => {
    if (typeof value !== 'object' || value === null) return
    for (const [name, member] of Object.entries((value as { properties?: object }).properties ?? {})) {
      // One of several, whose names say it all; and what is said of members elsewhere.
      const isNamed = /\.operations\.items$|\.cluster\.store$|^\.anyOf/.test(path)
      if (!isNamed && typeof (member as { description?: string }).description !== 'string') {
        lacking.push(`${path}.${name}`)
      }
    }
    for (const [key, member] of Object.entries(value)) walk(member, key === 'properties' ? path : `${path}.${key}`)
  }
  walk(schema, '')
  assert.deepEqual(lacking, [])
})

/** Every place in a document. */
function placesOf(value: unknown, path: readonly (string | number)[] = []): (readonly (string | number)[])[] {
  if (typeof value !== 'object' || value === null) return [path]
  const entries = Array.isArray(value) ? [...value.entries()] : Object.entries(value)
  return [path, ...entries.flatMap(([key, member]) => placesOf(member, [...path, key]))]
}

/** With something else in this place; undefined: with nothing. */
function changed(value: unknown, [key, ...rest]: readonly (string | number)[], to: unknown): unknown {
  if (key === undefined) return to
  if (Array.isArray(value)) return value.map((each, i) => (i === key ? changed(each, rest, to) : each))
  const copy = { ...(value as Record<string, unknown>) }
  const member = changed(copy[key], rest, to)
  if (member === undefined) delete copy[key]
  else copy[key] = member
  return copy
}

const anything = fc.oneof(
  fc.constantFrom(
    undefined,
    null,
    true,
    false,
    0,
    1,
    2,
    3,
    254,
    255,
    256,
    4095,
    4096,
    65535,
    65536,
    4294967295,
    4294967296,
  ),
  fc.constantFrom(
    -1,
    1.5,
    '',
    '10.0.0.1',
    '10.0.0.1/24',
    '10.0.0.0/24',
    'fd00::1',
    'fd00::/64',
    'ipv4',
    'self',
    'Accept',
  ),
  fc.constantFrom('65000:1', 'no-export', 'hash', 'rack', 'both', 'as4', [], {}, ['ipv4'], [[]], [null], { value: 1 }),
  fc.jsonValue(),
)

const documents = { 'netconf/bgp.yaml': sample, 'netconf/cluster.yaml': cluster, 'one with everything': RICH_NODE }

for (const [title, document] of Object.entries(documents)) {
  const places = placesOf(document)
  test(`${title} with anything in any place is taken by both, or by neither`, () => {
    fc.assert(
      fc.property(fc.constantFrom(...places), anything, (place, value) => agree(changed(document, place, value))),
      { numRuns: 3000 },
    )
  })
  test(`${title} with a member more is taken by neither`, () => {
    const maps = places.filter((place) => {
      const at = place.reduce((value: unknown, key) => (value as Record<string, unknown>)[key], document)
      return (
        typeof at === 'object' &&
        at !== null &&
        !Array.isArray(at) &&
        !['filters', 'labels'].includes(`${place.at(-1)}`)
      )
    })
    for (const place of maps) {
      const more = changed(document, [...place, 'surplus'], 1)
      assert.equal(validate(more), false, place.join('.'))
      assert.match(refusals(more).join('\n'), /is not known|is not one thing/)
    }
  })
}
