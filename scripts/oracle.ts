/** `npm run oracle -- --golden QUESTIONS --dump OUT [--only S14,S15]`: see src/oracle/oracle.ts. */
import { parseArgs } from 'node:util'
import { inlineMore } from '../src/lab/inlining.ts'
import { answerAll } from '../src/oracle/oracle.ts'

inlineMore()

const { values } = parseArgs({
  options: { golden: { type: 'string' }, dump: { type: 'string' }, only: { type: 'string' } },
})

if (values.golden === undefined || values.dump === undefined) {
  process.stderr.write('Usage: npm run oracle -- --golden QUESTIONS --dump OUT [--only S14,S15]\n')
  process.exitCode = 2
} else {
  const { answered, refused } = await answerAll(values.golden, values.dump, values.only?.split(','))
  for (const { id, reason } of refused) process.stderr.write(`${id}: ${reason}\n`)
  process.stdout.write(`${answered.length} answered, ${refused.length} refused\n`)
  process.exitCode = refused.length > 0 || answered.length === 0 ? 1 : 0
}
