/** `npm test` and `npm run ok`: set-up under whatever Node there is, then scripts/test.ts under the right one. */
import { setUpAndRun } from './setup.mjs'

const args = process.argv.slice(2)
const started = setUpAndRun(args[0] === 'ok' ? 'ok' : 'test', 'scripts/test.ts', args)
if (!started) console.log('0 passed, 1 failed')
