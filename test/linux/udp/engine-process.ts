/**
 * An engine as a process of its own, that can be killed: `engine-process.ts a|b`, in any namespace. One line when it is
 * ready.
 */
import { writeSync } from 'node:fs'
import { startUdpEngine } from '../../../src/cli/udp-engine.ts'
import { nodeAddress, PORT, routesOf, type Side, TUN } from './network.ts'

const side = process.argv[2] as Side
const engine = startUdpEngine({ tun: TUN, address: nodeAddress(side), port: PORT, routes: routesOf(side) })
await engine.ready
writeSync(1, 'ready\n')
setInterval(() => {}, 2 ** 30)
