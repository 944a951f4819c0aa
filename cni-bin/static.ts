/** `static`, which asks no kernel: the addresses stand in the configuration. */
import { runPlugin } from '../src/cni/skel.ts'
import { host } from '../src/linux/host.ts'
import { staticIpam } from '../src/plugins/static.ts'

export function start(release: string): void {
  runPlugin(staticIpam, undefined, host, { release })
}
