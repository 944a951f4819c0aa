/** How ipset gives up: lib/errcode.c of ipset 7.17, and what its parser says. */
import type { KernelError } from '../../kernel/errors.ts'
import { errnoText } from '../errno-text.ts'
import { Exit } from '../exit.ts'

const VERSION = 'ipset v7.17'

/** The words for a refusal of the kernel's. Those that mean something else for a command stand under `command errno`. */
const REFUSALS: Readonly<Record<string, string>> = {
  ENOENT: 'The set with the given name does not exist',
  ERANGE: 'The specified range is too large, split it up into smaller ranges',
  'create EEXIST': 'Set cannot be created: set with the same name already exists',
  'add IPSET_ERR_EXIST': "Element cannot be added to the set: it's already added",
  'del IPSET_ERR_EXIST': "Element cannot be deleted from the set: it's not added",
  'swap IPSET_ERR_EXIST_SETNAME2': 'Sets cannot be swapped: the second set does not exist',
  'rename IPSET_ERR_EXIST_SETNAME2': 'Set cannot be renamed: a set with the new name already exists',
  IPSET_ERR_PROTOCOL: 'Kernel error received: ipset protocol error',
  IPSET_ERR_FIND_TYPE: 'Kernel error received: set type not supported',
  IPSET_ERR_MAX_SETS: 'Kernel error received: maximal number of sets reached, cannot create more.',
  IPSET_ERR_BUSY: 'Set cannot be destroyed: it is in use by a kernel component',
  IPSET_ERR_REFERENCED: 'Set cannot be renamed: it is in use by another system',
  IPSET_ERR_TYPE_MISMATCH: 'The sets cannot be swapped: their type does not match',
  IPSET_ERR_INVALID_CIDR: 'The value of the CIDR parameter of the IP address is invalid',
  IPSET_ERR_INVALID_NETMASK: 'The value of the netmask parameter is invalid',
  IPSET_ERR_INVALID_FAMILY: 'Protocol family not supported by the set type',
  IPSET_ERR_TIMEOUT: 'Timeout cannot be used: set was created without timeout support',
  IPSET_ERR_IPADDR_IPV4: 'An IPv4 address is expected, but not received',
  IPSET_ERR_IPADDR_IPV6: 'An IPv6 address is expected, but not received',
  IPSET_ERR_COUNTER: 'Packet/byte counters cannot be used: set was created without counter support',
  IPSET_ERR_COMMENT: 'Comment cannot be used: set was created without comment support',
  IPSET_ERR_HASH_FULL: 'Hash is full, cannot add more elements',
  IPSET_ERR_HASH_ELEM: 'Null-valued element, cannot be stored in a hash type of set',
  IPSET_ERR_INVALID_PROTO: 'Invalid protocol specified',
  IPSET_ERR_MISSING_PROTO: 'Protocol missing, but must be specified',
  IPSET_ERR_HASH_RANGE_UNSUPPORTED: 'Range is not supported in the "net" component of the element',
  IPSET_ERR_HASH_RANGE: 'Invalid range, covers the whole address space',
  IPSET_ERR_BITMAP_RANGE: 'Element is out of the range of the set',
  IPSET_ERR_BITMAP_RANGE_SIZE: 'The range you specified exceeds the size limit of the set type',
}

/** What is wrong with the words; `line` is that of the file, where there is one. */
export function syntaxError(message: string): Exit {
  return new Exit(1, `${VERSION}: Syntax error: ${message}`)
}

/** What is wrong with how the program is used. */
export function usageError(message: string): Exit {
  return new Exit(2, `${VERSION}: ${message}\nTry \`ipset help' for more information.`)
}

export function refusedBy({ errno }: KernelError, command: string): Exit {
  const text = REFUSALS[`${command} ${errno}`] ?? REFUSALS[errno] ?? `Kernel error received: ${errnoText(errno)}`
  return new Exit(1, `${VERSION}: ${text}`)
}

/** The same, of a line of a file; how the program is used has none. */
export function atLine(exit: Exit, line: number): Exit {
  const { status, message } = exit
  if (status !== 1) return exit
  return new Exit(status, message.replace(`${VERSION}: `, `${VERSION}: Error in line ${line}: `))
}
