/** A line of commands, carried out: `ip neigh flush dev cni0; sysctl -qw net.ipv4.ip_forward=1 && ip route`. */
import { abbreviates } from './arguments.ts'
import { bridge } from './bridge/bridge.ts'
import { type Command, type Context, fail, notModelled, type Outcome } from './command.ts'
import { conntrack } from './conntrack.ts'
import { ip } from './ip/ip.ts'
import { ipset } from './ipset/ipset.ts'
import { iptables } from './iptables/iptables.ts'
import { iptablesRestore } from './iptables/restore.ts'
import { iptablesSave } from './iptables/save.ts'
import { nft } from './nft/nft.ts'
import { ping } from './ping.ts'
import { ShellError, splitCommands } from './shell-words.ts'
import { sysctl } from './sysctl.ts'

/** Every program there is. */
const commands: Readonly<Record<string, Command>> = {
  bridge,
  conntrack,
  ip,
  ipset,
  ping,
  sysctl,
  ip6tables: iptables,
  'ip6tables-restore': iptablesRestore,
  'ip6tables-save': iptablesSave,
  iptables,
  'iptables-restore': iptablesRestore,
  'iptables-save': iptablesSave,
  nft,
}

/**
 * Runs the line's commands in their order as sh does: after `&&` only if the one before succeeded, after `||` only if it
 * did not. The outcome's status is the last one's, its texts are all of them.
 */
export function runLine(line: string, context: Context): Promise<Outcome> {
  return runEach(line, (words) => runWords(words, context))
}

/** As runLine, with another way of running a command that is split already: on Linux, the real program. */
export async function runEach(
  line: string,
  run: (words: readonly string[]) => Outcome | Promise<Outcome>,
): Promise<Outcome> {
  try {
    let status = 0
    let stdout = ''
    let stderr = ''
    for (const { joint, words } of splitCommands(line)) {
      if ((joint === '&&' && status !== 0) || (joint === '||' && status === 0)) continue
      const outcome = await run(words)
      status = outcome.status
      stdout += outcome.stdout
      stderr += outcome.stderr
    }
    return { status, stdout, stderr }
  } catch (error) {
    // sh looks at the whole line before it runs anything of it.
    if (error instanceof ShellError) return { status: 2, stdout: '', stderr: `overlab: sh: ${error.message}\n` }
    throw error
  }
}

/** One command, split already. A path before the program's name is left off. */
export async function runWords(words: readonly string[], context: Context): Promise<Outcome> {
  const program = words[0]!.slice(words[0]!.lastIndexOf('/') + 1)
  if (program === 'ip' && words[1] === 'netns' && abbreviates(words[2] ?? '', 'exec')) {
    return runInside(words.slice(3), context)
  }
  const command = Object.hasOwn(commands, program) ? commands[program] : undefined
  return command
    ? command([program, ...words.slice(1)], context)
    : notModelled(program, 'there is no such program here', 127)
}

/** `ip netns exec NAME program …`: the programs that are here, in another namespace. */
async function runInside([name, ...words]: readonly string[], context: Context): Promise<Outcome> {
  if (name === undefined) return fail(1, 'No netns name specified')
  if (words.length === 0) return fail(1, 'No command specified')
  const kernel = context.kernel.enter(name.includes('/') ? name : `/run/netns/${name}`)
  if (!kernel) return fail(255, `Cannot open network namespace "${name}": No such file or directory`)
  try {
    return await runWords(words, { ...context, kernel })
  } finally {
    kernel.close()
  }
}
