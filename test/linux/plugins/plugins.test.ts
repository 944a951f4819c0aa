/** The plugins on the real kernel: what people type is iproute2, bridge, nft and iptables themselves. */
import { bridgeContract } from '../../contract/plugins/bridge.ts'
import { bridgeCheckContract } from '../../contract/plugins/bridge-check.ts'
import { flannelContract } from '../../contract/plugins/flannel.ts'
import { loopbackContract } from '../../contract/plugins/loopback.ts'
import { masqueradeContract } from '../../contract/plugins/masquerade.ts'
import { routedContract } from '../../contract/plugins/routed.ts'
import { linux } from './nodes.ts'

for (const contract of [
  loopbackContract,
  bridgeContract,
  bridgeCheckContract,
  flannelContract,
  masqueradeContract,
  routedContract,
])
  contract(linux)
