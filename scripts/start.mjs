/** `npm start`: set-up under whatever Node there is, the executables, then the lab under the right one. */
import { setUpAndRun } from './setup.mjs'

setUpAndRun('start', 'scripts/start.ts', process.argv.slice(2))
