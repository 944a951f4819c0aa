/**
 * Before each root test file: a network and a mount namespace of its own, with empty /run and /var/lib.
 *
 * Whatever a test leaves behind dies with its process, files run in parallel, and the machine is not touched. Children inherit
 * the namespaces. Node's pool threads do not, because they are older: tests use the synchronous file calls below /run and /var/lib.
 */
import { spawnSync } from 'node:child_process'
import { sys } from '#sys'

// linux/sched.h
const CLONE_NEWNS = 0x20000
const CLONE_NEWNET = 0x4000_0000
// linux/mount.h
const MS_MOVE = 0x2000
const MS_REC = 0x4000
const MS_PRIVATE = 0x40000

// They are hidden below.
const emptied = ['/run', '/var/lib']
if (emptied.some((folder) => import.meta.dirname.startsWith(`${folder}/`))) {
  throw new Error(`Cannot test in ${import.meta.dirname}: keep the checkout outside of ${emptied.join(' and ')}`)
}

must('unshare the namespaces', sys.unshare(CLONE_NEWNS | CLONE_NEWNET))
// Or the mounts below would reach the machine.
must('make the mounts private', sys.mount('none', '/', '', MS_REC | MS_PRIVATE, ''))
for (const folder of emptied) must(`mount ${folder}`, sys.mount('tmpfs', folder, 'tmpfs', 0, ''))
// /sys shows the network namespace of whoever mounted it. What lies on it moves over to the new one: containers need cgroups.
const [cgroups, shelter] = ['/sys/fs/cgroup', '/run/cgroup']
sys.mkdir(shelter, 0o755)
const moved = sys.mount(cgroups, shelter, '', MS_MOVE, '') === 0 // not, where a kernel has no cgroups
must('mount /sys', sys.mount('sysfs', '/sys', 'sysfs', 0, ''))
if (moved) must('move the cgroups back', sys.mount(shelter, cgroups, '', MS_MOVE, ''))
sys.rmdir(shelter)
spawnSync('ip', ['link', 'set', 'lo', 'up'])

function must(step: string, result: number): void {
  if (result < 0) throw new Error(`Cannot ${step} for this test file: errno ${-result}`)
}
