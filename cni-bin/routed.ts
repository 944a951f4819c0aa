/** `routed`, with the IPAM plugins that it calls without executing them. */
import { runPlugin } from '../src/cni/skel.ts'
import { host } from '../src/linux/host.ts'
import { linux } from '../src/linux/linux.ts'
import { blockIpam } from '../src/plugins/block-ipam.ts'
import { hostLocal } from '../src/plugins/host-local.ts'
import { routed } from '../src/plugins/routed.ts'
import { staticIpam } from '../src/plugins/static.ts'

export function start(release: string): void {
  runPlugin(routed, linux, host, { delegates: [blockIpam, hostLocal, staticIpam], release })
}
