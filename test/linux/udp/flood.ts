/** Sends UDP as fast as it goes: `flood.ts ADDRESS PORT SIZE`. It writes one line when it has begun. */
import { writeSync } from 'node:fs'
import { sys } from '#sys'
import { parseIpv4 } from '../../../src/address/ipv4.ts'
import { AF_INET, encodeSocketAddress } from '../../../src/linux/socket-address.ts'

const SOCK_DGRAM = 2

const [address, port, size] = process.argv.slice(2)
const target = encodeSocketAddress(AF_INET, parseIpv4(address!), Number(port))
const bytes = new Uint8Array(Number(size)).fill(0x66)
const socket = sys.socket(AF_INET, SOCK_DGRAM, 0)
writeSync(1, 'ready\n')
for (;;) sys.sendto(socket, bytes, bytes.length, 0, target)
