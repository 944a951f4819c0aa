/** `ip tuntap add` and `delete`: persistent TUN and TAP devices. iptuntap.c of iproute2. */
import { isErrno } from '../../kernel/errors.ts'
import { type Arguments, abbreviates, garbage, readUnsigned } from '../arguments.ts'
import { Exit } from '../exit.ts'
import { notModelled, type Settings } from './settings.ts'

export function doTuntap(settings: Settings, args: Arguments): void {
  const command = args.more ? args.take() : 'show'
  if (abbreviates(command, 'add')) addTun(settings, parseTun(settings, args))
  else if (abbreviates(command, 'delete')) deleteTun(settings, parseTun(settings, args))
  else if (abbreviates(command, 'show', 'lst', 'list', 'help')) throw notModelled(settings, `tuntap ${command}`)
  else throw new Exit(255, `Command "${command}" is unknown, try "ip tuntap help".`)
}

interface TypedTun {
  name?: string
  mode: 'tun' | 'tap'
  owner?: number
  group?: number
  multiQueue: boolean
}

function parseTun(settings: Settings, args: Arguments): TypedTun {
  let mode: 'tun' | 'tap' | undefined
  const tun: Omit<TypedTun, 'mode'> = { multiQueue: false }
  while (args.more) {
    if (args.takesBegun('mode')) {
      const text = args.take()
      if (abbreviates(text, 'tun')) mode = 'tun'
      else if (abbreviates(text, 'tap')) mode = 'tap'
      else throw new Exit(255, `Unknown tunnel mode "${text}"`)
    } else if (args.takesBegun('user')) tun.owner = readId(settings, args.take())
    else if (args.takesBegun('group')) tun.group = readId(settings, args.take())
    else if (args.takesBegun('multi_queue')) tun.multiQueue = true
    else if (['pi', 'vnet_hdr', 'one_queue'].some((word) => abbreviates(args.next, word))) {
      throw notModelled(settings, `tuntap with "${args.next}"`)
    } else {
      if (!args.takes('dev')) args.takes('name')
      if (tun.name !== undefined) throw garbage('name', args.next)
      tun.name = args.take()
    }
  }
  if (!mode) throw new Exit(1, 'You failed to specify a tunnel mode')
  return { ...tun, mode }
}

/** A name would have to be looked up among the machine's users. */
function readId(settings: Settings, text: string): number {
  const id = readUnsigned(text)
  if (id === undefined) throw notModelled(settings, 'tuntap with the name of a user or a group')
  return id
}

function addTun({ kernel }: Settings, { mode, owner, group, multiQueue, ...typed }: TypedTun): void {
  const names = new Set(kernel.links.list().map((link) => link.name))
  let name = typed.name
  for (let number = 0; name === undefined; number++) if (!names.has(`${mode}${number}`)) name = `${mode}${number}`
  const tun = {
    mode,
    ...(owner !== undefined && { owner }),
    ...(group !== undefined && { group }),
    ...(multiQueue && { multiQueue }),
  }
  try {
    kernel.links.add({ kind: 'tun', name, tun })
  } catch (error) {
    if (isErrno(error, 'EEXIST', 'EBUSY')) throw new Exit(1, 'ioctl(TUNSETIFF): Device or resource busy')
    throw error
  }
}

/** It is opened, so made if it is not there, and let go. */
function deleteTun({ kernel }: Settings, { name }: TypedTun): void {
  if (name === undefined) return
  const link = kernel.links.get(name)
  if (link && link.kind !== 'tun') throw new Exit(1, 'ioctl(TUNSETIFF): Invalid argument')
  if (link) kernel.links.delete(name)
}
