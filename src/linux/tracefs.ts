/**
 * Where the kernel's tracing is set up and read, as files: Documentation/trace/ftrace.rst.
 *
 * Where nobody has mounted tracefs, it is mounted for a descriptor alone and at no place: fsopen(2), fsmount(2). So nobody
 * else meets the kernel's files, and however this process ends the mount goes with it.
 */
import { existsSync, readdirSync } from 'node:fs'
import { sys } from '#sys'
import { succeed } from './errno.ts'
import { live } from './sys.live.ts'

export interface Tracefs {
  readonly path: string
  close(): void
}

const MOUNT_POINTS = ['/sys/kernel/tracing', '/sys/kernel/debug/tracing'] as const

const FSOPEN_CLOEXEC = 1
const FSMOUNT_CLOEXEC = 1
const FSCONFIG_CMD_CREATE = 6

/** KernelError when there is none, and none can be mounted: in a user namespace one is root, but not over that. */
export function openTracefs(): Tracefs {
  const path = MOUNT_POINTS.find((each) => existsSync(each) && readdirSync(each).includes('instances'))
  return path === undefined ? mountedAlone() : { path, close() {} }
}

function mountedAlone(): Tracefs {
  const call = 'mount tracefs'
  const context = succeed(live.fsopen('tracefs', FSOPEN_CLOEXEC), call)
  try {
    succeed(live.fsconfig(context, FSCONFIG_CMD_CREATE), call)
    const mount = succeed(live.fsmount(context, FSMOUNT_CLOEXEC, 0), call)
    return { path: `/proc/self/fd/${mount}`, close: () => void sys.close(mount) }
  } finally {
    sys.close(context)
  }
}
