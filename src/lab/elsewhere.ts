/**
 * `overlab lab exec --name two-nodes n1 -- ip route …`, run in a node or pod of the same lab: how a fix names another place than
 * the one it was found at.
 */
import { isName } from '../cni/config.ts'

export interface Elsewhere {
  /** Undefined: the lab where the command is run. */
  readonly lab: string | undefined
  readonly place: string
  readonly words: readonly string[]
}

/** Undefined for any other command, and for names that no lab or place can have. */
export function parseElsewhere(words: readonly string[]): Elsewhere | undefined {
  const [program, command, exec, ...all] = words
  if (program !== 'overlab' || command !== 'lab' || exec !== 'exec') return undefined
  const [lab, [target = '', ...rest]] = all[0] === '--name' ? [all[1] ?? '', all.slice(2)] : [undefined, all]
  const place = target.replace(/^(?:pod|node)\//, '')
  if (!isName(place) || (lab !== undefined && !isName(lab))) return undefined
  return { lab, place, words: rest[0] === '--' ? rest.slice(1) : rest }
}

/** The namespace of the place in the lab that this namespace is of, or in that which is named: `/run/netns/ovl-n1@two-nodes`. */
export function siblingPath(namespacePath: string, { place, lab }: Pick<Elsewhere, 'place' | 'lab'>): string {
  return namespacePath.replace(/\/ovl-[^/@]*@([^/]*)$/, (_, own: string) => `/ovl-${place}@${lab ?? own}`)
}
