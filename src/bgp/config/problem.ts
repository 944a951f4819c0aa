/** What is wrong with a configuration, and where. */

export type Path = readonly (string | number)[]

export interface Problem {
  readonly path: Path
  /** Goes on after the path: `is 2, expected 0 or 3 to 65535`. */
  readonly what: string
}

/** A configuration that cannot be used. The message has a line for each thing that is wrong. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly problems: readonly Problem[]

  constructor(problems: readonly Problem[]) {
    super(problems.map(describeProblem).join('\n'))
    this.problems = problems
  }
}

/** `neighbors[2].holdTime is 2, expected 0 or 3 to 65535`. */
export function describeProblem({ path, what }: Problem): string {
  return `${formatPath(path)} ${what}`
}

/** `neighbors[2].holdTime`, `filters["to the rack"].exportV4[0]`; `It` for the whole. */
export function formatPath(path: Path): string {
  let text = ''
  for (const key of path) {
    if (typeof key === 'number') text += `[${key}]`
    else if (/^[\w-]+$/.test(key)) text += text === '' ? key : `.${key}`
    else text += `[${JSON.stringify(key)}]`
  }
  return text || 'It'
}

/** What `call` throws is collected, and undefined answered in place of what it would have. */
export function collecting<T>(problems: Problem[], call: () => T): T | undefined {
  try {
    return call()
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    problems.push(...error.problems)
    return undefined
  }
}
