/** Runs in the machine that scripts/kernels.ts starts: the questions in the first argument's folder, on the kernel that is there. */
import { linuxMachine } from '../src/cli/machine.ts'
import { runHere } from '../src/oracle/second-kernel.ts'

const [questions, only] = process.argv.slice(2)
await runHere(questions!, only?.split(','), linuxMachine([]))
process.exit(0)
