/**
 * BGP of a lab on the real kernel: `overlab bgp run`, BIRD, or FRR's zebra and bgpd, in their node's namespace. speaker.json says
 * which processes they are, speaker.log what they said. Ours is asked by its socket, bgp.sock.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { KernelAnswer, StatusAnswer } from '../bgp/control/answer.ts'
import type { RouteRow, WhyRow } from '../bgp/views.ts'
import { BIRD_CONFIG } from '../lab/bgp/bird.ts'
import { BGPD_CONFIG, ZEBRA_CONFIG } from '../lab/bgp/frr.ts'
import { CONFIG, type SpeakerPlace, type SpeakerSessions, type Speakers } from '../lab/speakers.ts'
import type { RouterKind } from '../lab/topology.ts'
import { ask } from './bgp/control-client.ts'
import { commandThatEndsWithUs, nodeCommand } from './ends-with-us.ts'
import { CommandError, Exit } from './exit.ts'
import { type NodeCommand, nodeProcesses } from './lab-process.ts'

const MAIN = join(import.meta.dirname, import.meta.filename.endsWith('.ts') ? 'main.ts' : 'main.js')

/** Where Debian puts programs that nobody types: the last is FRR's. */
const SYSTEM_DIRECTORIES = ['/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/lib/frr']

/** What each of the others is made of, and the Debian package that has it. */
const PROGRAMS: Readonly<Record<Exclude<RouterKind, 'overlab'>, { programs: readonly string[]; package: string }>> = {
  bird: { programs: ['bird'], package: 'bird2' },
  frr: { programs: ['zebra', 'bgpd'], package: 'frr' },
}

/** Seconds that zebra leaves routes in the kernel for that it finds there at its beginning. */
const KEPT_BY_ZEBRA = 60

/** The groups of FRR's that its programs want to be in /etc/group, whoever they run as. */
const FRR_GROUPS = ['frr', 'frrvty']

const processOf = ({ directory }: SpeakerPlace) => nodeProcesses(directory, 'speaker')
const socketOf = ({ directory }: SpeakerPlace) => `${directory}/bgp.sock`

export function linuxSpeakers(): Speakers {
  return {
    requirePrograms(place) {
      if (place.kind === 'overlab') return
      for (const program of PROGRAMS[place.kind].programs) programOf(program, place)
    },

    start(place, { restarted }) {
      processOf(place).start(place.namespacePath, commandsOf(place, restarted), environment())
    },

    kill(place) {
      processOf(place).kill()
    },

    async condition(place) {
      const isRunning = processOf(place).areAlive
      const sessions = isRunning && place.kind === 'overlab' ? await sessionsOf(place) : undefined
      return { kind: place.kind, isRunning, sessions }
    },

    async why(place, address) {
      if (place.kind !== 'overlab' || !processOf(place).areAlive) return undefined
      return (await asked(() => ask<WhyRow, object>(socketOf(place), 'why', { prefix: address })))?.rows ?? []
    },

    lastWords: (place) => processOf(place).lastWords,
  }
}

/** Undefined while it does not answer. */
async function sessionsOf(place: SpeakerPlace): Promise<SpeakerSessions | undefined> {
  const socket = socketOf(place)
  const [status, routes, kernel] = await Promise.all([
    asked(() => ask<never, StatusAnswer>(socket, 'status')),
    asked(() => ask<RouteRow, object>(socket, 'routes', { family: 'ipv4' })),
    asked(() => ask<never, KernelAnswer>(socket, 'kernel')),
  ])
  if (!status || !routes || !kernel) return undefined
  const { established, neighbors: wanted, problems } = status.done
  const prefixes = routes.rows.flatMap(({ prefix, best, stale }) => (best && !stale ? [prefix] : []))
  return { established, wanted, problems, prefixes, isSettled: kernel.done.isSettled }
}

async function asked<T>(question: () => Promise<T>): Promise<T | undefined> {
  try {
    return await question()
  } catch (error) {
    if (error instanceof CommandError) return undefined
    throw error
  }
}

function commandsOf(place: SpeakerPlace, restarted: boolean): NodeCommand[] {
  const { directory, kind } = place
  const file = (name: string) => `${directory}/${name}`
  switch (kind) {
    case 'overlab': {
      const graceful = restarted ? ['--graceful-restart'] : []
      return [nodeCommand(MAIN, 'bgp', 'run', '--config', file(CONFIG), '--socket', socketOf(place), ...graceful)]
    }
    case 'bird': {
      const recover = restarted ? ['-R'] : []
      return [
        commandThatEndsWithUs(
          programOf('bird', place),
          '-f',
          '-c',
          file(BIRD_CONFIG),
          '-s',
          file('bird.ctl'),
          ...recover,
        ),
      ]
    }
    case 'frr': {
      mkdirSync(file('vty'), { recursive: true })
      const common = `--vty_socket ${file('vty')} -z ${file('zserv.api')} -u root -g root -P 0 --log stdout`.split(' ')
      const keep = restarted ? ['-K', String(KEPT_BY_ZEBRA)] : []
      const program = (name: string, config: string, ...more: string[]) => {
        const own = ['-f', file(config), '-i', file(`${name}.pid`), ...more]
        return asFrr(directory, programOf(name, place), ...common, ...own)
      }
      return [program('zebra', ZEBRA_CONFIG, ...keep), program('bgpd', BGPD_CONFIG)]
    }
  }
}

/** Absolute. CommandError when there is none. */
function programOf(name: string, { node, kind, programs }: SpeakerPlace): string {
  const directories = programs ? [programs] : [...(process.env.PATH ?? '').split(':'), ...SYSTEM_DIRECTORIES]
  const found = directories
    .filter(Boolean)
    .map((directory) => join(directory, name))
    .find(existsSync)
  if (found !== undefined) return found
  const where = programs ? `in "${programs}"` : `in PATH and ${SYSTEM_DIRECTORIES.join(', ')}`
  const debian = PROGRAMS[kind as Exclude<RouterKind, 'overlab'>].package
  throw new CommandError(
    Exit.environment,
    `Cannot run ${kind} on node "${node}": no program "${name}" ${where}; install Debian's ${debian}, or say where it is: topology.nodes.${node}.bgp.programs`,
  )
}

/**
 * FRR's programs keep things in /run/frr, and look for their groups in /etc/group, whoever they run as: they see a /run of their
 * own, with nothing in it but the node's directory, and an /etc/group that has them.
 */
function asFrr(directory: string, program: string, ...argv: string[]): NodeCommand {
  const groups = readFileSync('/etc/group', 'utf8')
  const missing = FRR_GROUPS.filter((name) => !new RegExp(`^${name}:`, 'm').test(groups))
  writeFileSync(`${directory}/group`, groups + missing.map((name) => `${name}:x:0:\n`).join(''))
  const script = [
    'cd "$0"',
    'mount -n -t tmpfs tmpfs /run',
    'mkdir -p "$0"',
    'mount -n -c --bind . "$0"', // it is hidden behind the new /run but for who stands in it
    'mount -n --bind group /etc/group',
    'exec "$@"',
  ]
  return commandThatEndsWithUs('unshare', '--mount', 'sh', '-c', script.join(' && '), directory, program, ...argv)
}

/** Ours, without what is meant for a speaker of the machine's own. */
function environment(): NodeJS.ProcessEnv {
  const others = ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID', 'OVERLAB_BGP_SOCKET']
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !others.includes(name)))
}
