/** `flannel`, with the plugins that it delegates to without executing them: bridge, and bridge's IPAM. */
import { runPlugin } from '../src/cni/skel.ts'
import { host } from '../src/linux/host.ts'
import { linux } from '../src/linux/linux.ts'
import { bridge } from '../src/plugins/bridge.ts'
import { flannel } from '../src/plugins/flannel.ts'
import { hostLocal } from '../src/plugins/host-local.ts'
import { staticIpam } from '../src/plugins/static.ts'

export function start(release: string): void {
  runPlugin(flannel, linux, host, { delegates: [bridge, hostLocal, staticIpam], release })
}
