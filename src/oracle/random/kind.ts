/**
 * A kind of random world: situations of one subject, with commands and frames, drawn by fast-check, which also makes a case
 * that fails as small as it can. What a kind draws first is the plain thing: that is what shrinking leads to.
 */
import type fc from 'fast-check'
import type { Scenario } from '../scenario.ts'

export interface Kind {
  /** As `--kind` names it: `bridge`. */
  readonly name: string
  /** Its id and the topology's name are the campaign's to give: the kind leaves NAME in both. */
  readonly scenarios: fc.Arbitrary<Scenario>
}

/** Id and topology name of a scenario that has none yet. */
export const NAME = 'random'
