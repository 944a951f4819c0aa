/** `npm run oracle -- --mutant NAME|all [--cases N] [--seed S] [--json FILE]`: what is printed of a search. */
import { kinds } from '../random/kinds.ts'
import { chooseMutants, searchMutants } from './search.ts'

/** Cases within which every mutant must be found. */
export const ENOUGH = 500

/** What npm test counts by. */
export interface MutantReport {
  readonly found: readonly string[]
  readonly lost: readonly string[]
}

/** RangeError when there is no such mutant. */
export async function reportMutants(
  name: string,
  { cases, seed, write }: { readonly cases: number; readonly seed: number; write(line: string): void },
): Promise<MutantReport> {
  const wanted = chooseMutants(name)
  const left = await searchMutants(wanted, {
    kinds,
    seed,
    cases,
    found({ mutant, cases: number, scenario, difference }) {
      write(`${mutant.name}: found in case ${number}, ${scenario}: ${difference.what}`)
    },
  })
  for (const { name: lost, what } of left) write(`${lost}: not found in ${cases} cases (${what})`)
  write(`${wanted.length - left.length} found, ${left.length} not found`)
  const found = wanted.filter((mutant) => !left.includes(mutant))
  return { found: found.map((mutant) => mutant.name), lost: left.map((mutant) => mutant.name) }
}
