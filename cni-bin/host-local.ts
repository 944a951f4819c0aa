/** `host-local`, which asks no kernel: reservations are files. */
import { runPlugin } from '../src/cni/skel.ts'
import { host } from '../src/linux/host.ts'
import { hostLocal } from '../src/plugins/host-local.ts'

export function start(release: string): void {
  runPlugin(hostLocal, undefined, host, { release })
}
