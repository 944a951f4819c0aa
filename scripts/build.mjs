/** `npm run build`: set-up under whatever Node there is, then scripts/build.ts under the right one. */
import { setUpAndRun } from './setup.mjs'

setUpAndRun('start', 'scripts/build.ts', process.argv.slice(2))
