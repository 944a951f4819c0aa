/** Runs in the machine that scripts/kernels.ts starts: the scenarios in the file that the first argument names, on the kernel there. */
import { readFileSync } from 'node:fs'
import { linuxMachine } from '../src/cli/machine.ts'
import type { FixedScenario } from '../src/oracle/fixed.ts'
import { runHere } from '../src/oracle/second-kernel.ts'

await runHere(JSON.parse(readFileSync(process.argv[2]!, 'utf8')) as FixedScenario[], linuxMachine([]))
process.exit(0)
