/**
 * Two containers on one bridge, from a program: what `overlab cni add` does, in code. As root:
 *
 *   node examples/two-containers.ts
 */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { parseNetwork } from '../src/cni/runtime/network.ts'
import { addNetwork, deleteNetwork } from '../src/cni/runtime/runtime.ts'
import { host } from '../src/linux/host.ts'
import { liveLinux } from '../src/linux/live.ts'

/** Addresses and results. */
const DIRECTORY = '/run/overlab-example'

const network = parseNetwork(
  JSON.stringify({
    cniVersion: '1.1.0',
    name: 'example',
    plugins: [
      {
        type: 'bridge',
        bridge: 'example0',
        isGateway: true,
        ipam: { type: 'host-local', subnet: '10.99.0.0/24', dataDir: `${DIRECTORY}/ipam` },
      },
    ],
  }),
  'examples/two-containers.ts',
)
const runtime = {
  host,
  pluginDirectories: [join(import.meta.dirname, '../cni-bin')],
  cacheDirectory: DIRECTORY,
}

const kernel = liveLinux()
const containers = ['example-a', 'example-b'].map((containerId) => ({
  containerId,
  ifName: 'eth0',
  netns: kernel.namespaces.add(containerId),
  args: [],
  capabilityArgs: {},
}))
try {
  const addresses = containers.map((container) => {
    const { ips } = addNetwork(network, container, runtime) as unknown as { ips: { address: string }[] }
    return ips[0]!.address.split('/')[0]!
  })
  const a = kernel.enter(containers[0]!.netns)!
  console.log(`${addresses[0]} pings ${addresses[1]}:`, await a.ping(addresses[1]!))
  a.close()
} finally {
  for (const container of containers) {
    deleteNetwork(network, container, runtime)
    kernel.namespaces.delete(container.containerId)
  }
  kernel.links.delete('example0') // the plugin leaves the bridge to those who come next
  rmSync(DIRECTORY, { recursive: true })
}
