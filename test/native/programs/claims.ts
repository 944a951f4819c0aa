/** The claims about Sys, of the implementation in an executable. DIRECTORY is an empty folder; answers title and failure. */
import { sys } from '#sys'
import type { Sys } from '../../../src/linux/sys.ts'
import { sysClaims } from '../../linux/sys-claims.ts'

const called = new Set<string>()
const recorded = {} as Record<string, unknown>
for (const name of Object.keys(sys) as (keyof Sys)[]) {
  recorded[name] = (...values: unknown[]) => {
    called.add(name)
    return (sys[name] as (...given: unknown[]) => unknown)(...values)
  }
}

function assert(holds: boolean, message: string): void {
  if (!holds) throw new Error(message)
}

const claims = sysClaims(recorded as unknown as Sys, assert, sys.environment().DIRECTORY!)
const results = claims.map(({ title, check }) => {
  try {
    check()
    return { title }
  } catch (error) {
    return { title, failure: String(error) }
  }
})
const uncalled = Object.keys(sys).filter((name) => !called.has(name))
const report = sys.encode(JSON.stringify({ results, uncalled }))
sys.write(1, report, report.length)
sys.exit(0)
