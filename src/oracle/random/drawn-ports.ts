/** Which ports of a random world NAT may have drawn: those that neither a command nor a frame names. */
import type { Leeway } from '../leeway.ts'
import type { Scenario } from '../scenario.ts'

const TRANSLATES = /masquerade|redirect|[sd]nat/i

/** What may differ besides what always may. Nothing where no rule translates. */
export function leewayOf({ steps }: Scenario): Partial<Leeway> {
  const commands = steps.flatMap((step) => ('run' in step ? [step.run] : []))
  if (!commands.some((command) => TRANSLATES.test(command))) return {}
  return { namedPorts: commands.flatMap((command) => command.match(/\d+/g) ?? []).map(Number) }
}
