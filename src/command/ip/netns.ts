/** `ip netns add` and `delete`: names of network namespaces. A listing would tell their numbers, which no kernel here does. */
import { isErrno } from '../../kernel/errors.ts'
import { type Arguments, abbreviates } from '../arguments.ts'
import { Exit } from '../exit.ts'
import { notModelled, type Settings } from './settings.ts'

const NOT_MODELLED = ['list', 'show', 'lst', 'help', 'attach', 'set', 'identify', 'pids', 'exec', 'monitor', 'list-id']

export function doNamespace(settings: Settings, args: Arguments): void {
  const { namespaces } = settings.kernel
  const command = args.more ? args.take() : 'list'
  if (abbreviates(command, 'add')) {
    const name = requireName(args)
    refusing('EEXIST', `Cannot create namespace file "/run/netns/${name}": File exists`, () => namespaces.add(name))
  } else if (abbreviates(command, 'delete')) {
    const name = requireName(args)
    const missing = `Cannot remove namespace file "/run/netns/${name}": No such file or directory`
    refusing('ENOENT', missing, () => namespaces.delete(name))
  } else if (abbreviates(command, ...NOT_MODELLED)) throw notModelled(settings, `netns ${command}`)
  else throw new Exit(255, `Command "${command}" is unknown, try "ip netns help".`)
}

function refusing(errno: string, message: string, call: () => unknown): void {
  try {
    call()
  } catch (error) {
    throw isErrno(error, errno) ? new Exit(1, message) : error
  }
}

function requireName(args: Arguments): string {
  if (!args.more) throw new Exit(1, 'No netns name specified')
  const name = args.take()
  if (name === '.' || name === '..' || name.includes('/')) throw new Exit(255, `Invalid netns name "${name}"`)
  return name
}
