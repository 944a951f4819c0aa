/** The options of a flannel network: https://github.com/flannel-io/cni-plugin */
import { pathAt } from '../../cni/config.ts'
import type { NetworkConfig } from '../../cni/plugin.ts'

export interface FlannelConfig extends NetworkConfig {
  /** What the daemon says of this node's subnet: subnet-env.ts. */
  readonly subnetFile: string
  /** Where ADD notes what the delegate was given: scratch.ts. */
  readonly dataDir: string
}

/** What is said of the delegate is read when it is needed: DEL must clean up whatever the configuration has become. */
export function parseFlannelConfig(config: NetworkConfig): FlannelConfig {
  return {
    ...config,
    subnetFile: pathAt(config.json, 'subnetFile', '/run/flannel/subnet.env'),
    dataDir: pathAt(config.json, 'dataDir', '/var/lib/cni/flannel').replace(/\/+$/, ''),
  }
}
