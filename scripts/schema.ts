/**
 * What is made of schemas, or is one that is made. `npm run schema` writes both; tests say when they are old.
 *
 *   schema/validate-topology.js   from schema/topology.schema.json: compiling a schema takes ten times as long as a trace
 *   schema/bgp.schema.json        from the shapes that read the configuration: src/cluster/config.ts
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import standaloneCode from 'ajv/dist/standalone/index.js'
import { configSchema } from '../src/cluster/config.ts'

const directory = join(import.meta.dirname, '../schema')
export const validatorFile = join(directory, 'validate-topology.js')
export const bgpSchemaFile = join(directory, 'bgp.schema.json')

export function compileValidator(): string {
  const schema = JSON.parse(readFileSync(join(directory, 'topology.schema.json'), 'utf8'))
  const ajv = new Ajv2020({ allErrors: true, strict: false, verbose: true, code: { source: true, esm: true } })
  const code = standaloneCode.default(ajv, ajv.compile(schema))
  // The only thing that the code takes from elsewhere is how ajv counts characters.
  const counted = code.replace(
    /const (\w+) = require\("ajv\/dist\/runtime\/ucs2length"\)\.default;/g,
    'const $1 = (text) => [...text].length;',
  )
  if (counted.includes('require(')) throw new Error('Cannot keep the validator: it needs a module')
  return `// Compiled from topology.schema.json by npm run schema. Do not edit.\n${counted}\n`
}

export function bgpSchema(): string {
  return `${JSON.stringify(configSchema, undefined, 1)}\n`
}

if (import.meta.main) {
  writeFileSync(validatorFile, compileValidator())
  writeFileSync(bgpSchemaFile, bgpSchema())
}
