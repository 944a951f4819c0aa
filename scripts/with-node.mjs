/** `npm run overlab`, `oracle`, `bench`: set-up under whatever Node there is, then the script that is named, under the right one. */
import { setUpAndRun } from './setup.mjs'

const [script, ...args] = process.argv.slice(2)
if (script === undefined) {
  console.error('Usage: with-node.mjs SCRIPT [ARGUMENT...]')
  process.exitCode = 2
} else {
  setUpAndRun('ok', script, args)
}
