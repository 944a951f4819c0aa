/** How iptables gives up: xtables_error() and the exit status that goes with it, libxtables/xtables.c. */

const STATUS = { other: 1, parameter: 2, version: 3, resource: 4 } as const

/** A message that iptables prints behind its name and version. */
export class IptablesError extends Error {
  override readonly name = 'IptablesError'
  readonly status: number
  readonly problem: keyof typeof STATUS

  constructor(problem: keyof typeof STATUS, message: string) {
    super(message)
    this.problem = problem
    this.status = STATUS[problem]
  }
}

/** What was typed is wrong; iptables points at its help behind the message. */
export function badParameter(message: string): IptablesError {
  return new IptablesError('parameter', message)
}

/** A refusal in plain words, `iptables: No chain/target/match by that name.`, status 1. */
export class PlainError extends Error {
  override readonly name = 'PlainError'
}

/** iptables can do this, this room cannot: the form's own words. */
export class NotModelledError extends Error {
  override readonly name = 'NotModelledError'
}
