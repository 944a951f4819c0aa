/** `bridge`, with the IPAM plugins that it calls without executing them. */
import { runPlugin } from '../src/cni/skel.ts'
import { host } from '../src/linux/host.ts'
import { linux } from '../src/linux/linux.ts'
import { bridge } from '../src/plugins/bridge.ts'
import { hostLocal } from '../src/plugins/host-local.ts'
import { staticIpam } from '../src/plugins/static.ts'

export function start(release: string): void {
  runPlugin(bridge, linux, host, { delegates: [hostLocal, staticIpam], release })
}
