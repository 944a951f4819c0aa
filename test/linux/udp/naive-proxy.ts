/**
 * The plainest data path: a packet per read, sendto, recv and write, without offloads, as flannel's proxy_amd64.c
 * works. What ours must understand and is measured against.
 *
 *   naive-proxy.ts TUN ADDRESS PORT SUBNET=NODE …      in the node's namespace; it writes one line when it is ready
 */
import { writeSync } from 'node:fs'
import koffi from 'koffi'
import { sys } from '#sys'
import { parseIpv4 } from '../../../src/address/ipv4.ts'
import { contains, parsePrefix } from '../../../src/address/prefix.ts'
import { Ifreq } from '../../../src/linux/ifreq.ts'
import { AF_INET, encodeSocketAddress } from '../../../src/linux/socket-address.ts'
import { addressed } from '../../../src/linux/sys.addressed.ts'
import { fixedMemory } from '../../../src/linux/sys.live.ts'

const O_RDWR = 2
const O_NONBLOCK = 0o4000
const TUNSETIFF = 0x400454ca
const IFF_TUN = 1
const IFF_NO_PI = 0x1000
const SOCK_DGRAM = 2
const MSG_DONTWAIT = 0x40
const POLLIN = 1
const SOCKET_ADDRESS = 16
/** flannel takes the TUN device's MTU, which is not set yet when this begins. */
const BUFFER = 1472

const libc = koffi.load(null)
const recv: (...values: number[]) => number = libc.func('int64_t recv(int, uintptr_t, size_t, int)')
const write: (...values: number[]) => number = libc.func('int64_t write(int, uintptr_t, size_t)')

const [name, address, port, ...routes] = process.argv.slice(2)
const tun = must('open', sys.open('/dev/net/tun', O_RDWR | O_NONBLOCK, 0))
const request = new Ifreq()
request.name = name!
request.flags = IFF_TUN | IFF_NO_PI
must('TUNSETIFF', sys.ioctl(tun, TUNSETIFF, request.bytes))
const socket = must('socket', sys.socket(AF_INET, SOCK_DGRAM, 0))
must('bind', sys.bind(socket, encodeSocketAddress(AF_INET, parseIpv4(address!), Number(port))))

const packet = fixedMemory(BUFFER)
const [bytes, at] = [packet.bytes, Number(packet.address)]
const nodes = routes.map((route) => {
  const [subnet, node] = route.split('=')
  const target = fixedMemory(SOCKET_ADDRESS)
  target.bytes.set(encodeSocketAddress(AF_INET, parseIpv4(node!), Number(port)))
  return { prefix: parsePrefix(subnet!), target: Number(target.address) }
})
/** By destination; the last answers are kept, as flannel moves the last hit to the front. */
const found = new Map<number, number | undefined>()
const fds = fixedMemory(16)
const view = new DataView(fds.bytes.buffer, fds.bytes.byteOffset)
for (const [i, descriptor] of [tun, socket].entries()) {
  view.setInt32(8 * i, descriptor, true)
  view.setInt16(8 * i + 4, POLLIN, true)
}
writeSync(1, 'ready\n')

for (;;) {
  addressed.poll(Number(fds.address), 2, -1)
  for (let busy = true; busy; ) {
    busy = false
    const read = addressed.read(tun, at, BUFFER)
    if (read >= 20) {
      busy = true
      const target = targetOf()
      if (target !== undefined && decrementTtl()) addressed.sendto(socket, at, read, 0, target, SOCKET_ADDRESS)
    }
    const received = recv(socket, at, BUFFER, MSG_DONTWAIT)
    if (received >= 20) {
      busy = true
      if (decrementTtl()) write(tun, at, received)
    }
  }
}

function targetOf(): number | undefined {
  const destination = (bytes[16]! << 24) | (bytes[17]! << 16) | (bytes[18]! << 8) | bytes[19]!
  if (!found.has(destination)) {
    const ip = bytes.slice(16, 20)
    found.set(destination, nodes.find(({ prefix }) => contains(prefix, ip))?.target)
  }
  return found.get(destination)
}

function decrementTtl(): boolean {
  bytes[8]!--
  const sum = ((bytes[10]! << 8) | bytes[11]!) + 0x100
  const folded = (sum & 0xffff) + (sum >>> 16)
  bytes[10] = folded >>> 8
  bytes[11] = folded
  return bytes[8] !== 0
}

function must(call: string, result: number): number {
  if (result < 0) throw new Error(`Cannot ${call}: errno ${-result}`)
  return result
}
