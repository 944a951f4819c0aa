/**
 * ROADMAP.md's table of test cases that are left out, read by `npm test`.
 *
 *   ## Tests left out
 *
 *   | suite | case | reason |
 *   |-------|------|--------|
 *   | root  | the title of the test, or of its describe with a * behind | why |
 */

export interface LeftOut {
  readonly suite: string
  /** The case's whole name; one that ends with `*` stands for all that begin so. */
  readonly title: string
  readonly reason: string
}

const HEADING = /^## Tests left out$/m

/** Rows without a reason are an error: a case is not left out silently. */
export function parseLeftOut(roadmap: string): LeftOut[] {
  const heading = HEADING.exec(roadmap)
  if (!heading) return []
  const section = roadmap.slice(heading.index + heading[0].length).split(/^## /m)[0]!
  const rows = section.split('\n').filter((line) => line.startsWith('|'))
  return rows.slice(2).map((line) => {
    const [, suite, title, reason] = line.split('|').map((cell) => cell.trim().replace(/^`(.*)`$/, '$1'))
    if (!suite || !title || !reason)
      throw new RangeError(`Cannot read "${line}" of ROADMAP.md: say suite, case, reason`)
    return { suite, title, reason }
  })
}

export function namesCase({ suite, title }: LeftOut, inSuite: string, name: string): boolean {
  if (suite !== inSuite) return false
  return title.endsWith('*') ? name.startsWith(title.slice(0, -1)) : name === title
}
