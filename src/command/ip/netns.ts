/** `ip netns list`, `add`, `delete`: names of network namespaces. */
import { isErrno } from '../../kernel/errors.ts'
import { type Arguments, abbreviates } from '../arguments.ts'
import { Exit } from '../exit.ts'
import { notModelled, print, type Settings } from './settings.ts'

export function doNamespace(settings: Settings, args: Arguments): void {
  const { kernel } = settings
  if (!args.more || args.takesBegun('list', 'show', 'lst')) {
    print(settings, (printer) => {
      printer.array(undefined, () => {
        for (const name of kernel.namespaces.list()) printer.object(() => printer.both('name', name, `${name}\n`))
      })
    })
    return
  }
  const command = args.take()
  if (abbreviates(command, 'add')) {
    const name = requireName(args)
    try {
      kernel.namespaces.add(name)
    } catch (error) {
      if (!isErrno(error, 'EEXIST')) throw error
      throw new Exit(1, `Cannot create namespace file "/var/run/netns/${name}": File exists`)
    }
  } else if (abbreviates(command, 'delete')) {
    const name = requireName(args)
    try {
      kernel.namespaces.delete(name)
    } catch (error) {
      if (!isErrno(error, 'ENOENT')) throw error
      throw new Exit(1, `Cannot remove namespace file "/var/run/netns/${name}": No such file or directory`)
    }
  } else throw notModelled(settings, `netns ${command}`)
}

function requireName(args: Arguments): string {
  if (!args.more) throw new Exit(255, 'No netns name specified')
  return args.take()
}
