/** `loopback`. */
import { runPlugin } from '../src/cni/skel.ts'
import { host } from '../src/linux/host.ts'
import { linux } from '../src/linux/linux.ts'
import { loopback } from '../src/plugins/loopback.ts'

export function start(release: string): void {
  runPlugin(loopback, linux, host, { release })
}
