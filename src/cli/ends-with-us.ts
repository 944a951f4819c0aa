/** Processes of a lab that nobody would find again once we are gone: they end with us. setpriv(1), PR_SET_PDEATHSIG. */

/** In the environment of a command whose lab is so. */
export const ENDS_WITH_US = 'OVERLAB_LAB_ENDS_WITH_US'

/** Node with these arguments, as spawn takes it. */
export function nodeCommand(...argv: readonly string[]): [program: string, argv: string[]] {
  const { execPath, execArgv } = process
  return commandThatEndsWithUs(execPath, ...execArgv, ...argv)
}

/** Any program, as spawn takes it. */
export function commandThatEndsWithUs(program: string, ...argv: readonly string[]): [program: string, argv: string[]] {
  if (!process.env[ENDS_WITH_US]) return [program, [...argv]]
  return ['setpriv', ['--pdeathsig', 'KILL', '--', program, ...argv]]
}
