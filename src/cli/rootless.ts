/**
 * Labs without root: in a user namespace one is root, over network and mount namespaces that belong to it.
 * user_namespaces(7); all of it by util-linux' unshare(1) and nsenter(1), since Node has threads, and a process with
 * threads may not change its user namespace.
 *
 * Such namespaces end with their last process. So a lab that shall stay has a holder, a `sleep` that does nothing but be
 * in them, and every later command enters them through it:
 *
 *   <runtime directory>/lab/<name>/holder.json     its id
 *
 * The holder is known again by its environment too, so one whose id was never written down, because somebody killed us
 * just then, is found and ended all the same.
 */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { passThrough } from './child.ts'
import { ENDS_WITH_US } from './ends-with-us.ts'
import { CommandError, Exit } from './exit.ts'

const HOLDER = 'OVERLAB_LAB_HOLDER'

/** What comes first inside: a /run of our own, so that names and state are seen by nobody else. */
const OWN_RUN = 'mount -t tmpfs none /run && '

/** A lab that ends with the command runs in namespaces of the command's own, and ends with us, however we end. */
export async function runInOwnNamespaces(): Promise<number> {
  requireUserNamespaces()
  const argv = unshareArguments('exec setpriv --pdeathsig KILL -- "$@"', ...ourselves())
  return passThrough(spawn('unshare', argv, { stdio: 'inherit', env: { ...process.env, [ENDS_WITH_US]: '1' } }))
}

/** Runs this very command in the lab's namespaces, which it makes first where they are not there. */
export async function runInLabNamespaces(lab: string): Promise<number> {
  const found = findHolder(lab)
  const holder = found ?? (await startHolder(lab))
  const status = await enter(holder)
  if (status !== Exit.yes && found === undefined) endHolder(lab)
  return status
}

/** Runs this very command in the lab's namespaces. Undefined when it has none. */
export async function runInside(lab: string): Promise<number | undefined> {
  const holder = findHolder(lab)
  return holder === undefined ? undefined : enter(holder)
}

/** Ends whatever holds the lab's namespaces, and with it these. Succeeds twice. */
export function endHolder(lab: string): void {
  const directory = labDirectory(lab)
  for (const id of holdersOf(directory)) process.kill(id, 'SIGKILL')
  rmSync(directory, { recursive: true, force: true })
  try {
    rmdirSync(dirname(directory))
    rmdirSync(runtimeDirectory())
  } catch {} // another lab's are there, or nothing was
}

function enter(holder: number): Promise<number> {
  const namespaces = ['--user', '--net', '--mount', '--preserve-credentials', `--wdns=${process.cwd()}`]
  const argv = ['--target', String(holder), ...namespaces, '--', ...ourselves()]
  return passThrough(spawn('nsenter', argv, { stdio: 'inherit' }))
}

async function startHolder(lab: string): Promise<number> {
  requireUserNamespaces()
  const directory = labDirectory(lab)
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  if (statSync(runtimeDirectory()).uid !== process.getuid!()) {
    throw new CommandError(Exit.environment, `"${runtimeDirectory()}" belongs to somebody else: set XDG_RUNTIME_DIR`)
  }
  const argv = unshareArguments('echo ready && exec sleep infinity >/dev/null 2>&1')
  const env = { PATH: process.env.PATH, [HOLDER]: directory }
  const child = spawn('unshare', argv, { detached: true, stdio: ['ignore', 'pipe', 'inherit'], env })
  const ready = once(child.stdout, 'data')
  const [first] = await Promise.race([ready, once(child, 'exit')])
  if (String(first).trim() !== 'ready') throw new CommandError(Exit.environment, 'Cannot hold namespaces for a lab')
  child.stdout.destroy()
  child.unref()
  writeFileSync(join(directory, 'holder.json'), `${JSON.stringify({ id: child.pid })}\n`)
  return child.pid!
}

/** The one that is written down, if it is still itself; else whichever there is. */
function findHolder(lab: string): number | undefined {
  const directory = labDirectory(lab)
  if (!existsSync(directory)) return undefined
  const file = join(directory, 'holder.json')
  const id: unknown = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')).id : undefined
  return typeof id === 'number' && isHolder(id, directory) ? id : holdersOf(directory)[0]
}

function holdersOf(directory: string): number[] {
  const ids = readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name))
  return ids.map(Number).filter((id) => isHolder(id, directory))
}

function isHolder(id: number, directory: string): boolean {
  try {
    return readFileSync(`/proc/${id}/environ`, 'utf8').split('\0').includes(`${HOLDER}=${directory}`)
  } catch {
    return false // somebody else's, or gone
  }
}

function unshareArguments(script: string, ...argv: string[]): string[] {
  return ['--user', '--map-root-user', '--net', '--mount', '--', 'sh', '-c', OWN_RUN + script, 'overlab', ...argv]
}

const ourselves = () => [process.execPath, ...process.execArgv, ...process.argv.slice(1)]

function requireUserNamespaces(): void {
  const { error, status, stderr } = spawnSync('unshare', unshareArguments('true'), { encoding: 'utf8' })
  if (status === 0) return
  const reason = error ? 'the program unshare (util-linux) is not here' : stderr.trim().split('\n').at(-1)
  throw new CommandError(
    Exit.environment,
    `A lab needs root, or a kernel that lets uid ${process.getuid!()} have user namespaces (${reason})`,
  )
}

const labDirectory = (lab: string) => join(runtimeDirectory(), 'lab', lab)

/** Below $XDG_RUNTIME_DIR, which is the user's own: XDG Base Directory Specification. */
export function runtimeDirectory(): string {
  const { XDG_RUNTIME_DIR } = process.env
  // Where there are no user ids, the temporary directory is the user's own.
  return XDG_RUNTIME_DIR ? join(XDG_RUNTIME_DIR, 'overlab') : join(tmpdir(), `overlab-${process.getuid?.() ?? 'lab'}`)
}
