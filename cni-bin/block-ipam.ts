/** `block-ipam`, which asks no kernel: pools and blocks are in a directory, or a daemon's. */
import { runPlugin } from '../src/cni/skel.ts'
import { host } from '../src/linux/host.ts'
import { blockIpam } from '../src/plugins/block-ipam.ts'

export function start(release: string): void {
  runPlugin(blockIpam, undefined, host, { release })
}
