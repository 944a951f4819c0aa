/**
 * schema/validate-topology.js from schema/topology.schema.json: compiling a schema takes ten times as long as a trace, so it is
 * done once and kept. `npm run schema` writes it; a test says when it is old.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import standaloneCode from 'ajv/dist/standalone/index.js'

const directory = join(import.meta.dirname, '../schema')
export const validatorFile = join(directory, 'validate-topology.js')

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

if (import.meta.main) writeFileSync(validatorFile, compileValidator())
