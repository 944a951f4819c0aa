/**
 * `overlab lab exec --name two-nodes n1 -- ip route …`, run in a node or pod of the same lab: how a fix names another place than the one it was
 * found at.
 */

/** Undefined for any other command. */
export function parseElsewhere(
  words: readonly string[],
): { readonly place: string; readonly words: readonly string[] } | undefined {
  const [program, lab, exec, ...all] = words
  if (program !== 'overlab' || lab !== 'lab' || exec !== 'exec') return undefined
  const [place, ...rest] = all[0] === '--name' ? all.slice(2) : all
  return place === undefined ? undefined : { place, words: rest[0] === '--' ? rest.slice(1) : rest }
}

/** The namespace of another place of the lab that this namespace is of: `/run/netns/ovl-n1@two-nodes`. */
export function siblingPath(namespacePath: string, place: string): string {
  return namespacePath.replace(/\/ovl-[^/]*@/, `/ovl-${place}@`)
}
