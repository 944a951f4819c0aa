/** Called by the Vagrantfile: set-up under whatever Node there is, then pack.ts under the right one. */
import { setUpAndRun } from '../setup.mjs'

setUpAndRun('pack', 'scripts/vagrant/pack.ts', process.argv.slice(2))
