/**
 * What the kernel takes for a hundred thousand routes by itself: the same messages as the speaker's, encoded before, in datagrams
 * as long as the speaker's. No speaker that writes each route by rtnetlink can be faster than that.
 */
import { spawnSync } from 'node:child_process'
import { requireLinkIndex } from '../src/linux/netlink/link-index.ts'
import { RouteBatch } from '../src/linux/netlink/route-batch.ts'
import { MAX_BATCH, NETLINK_ROUTE, NetlinkSocket, openNetlink } from '../src/linux/netlink/socket.ts'
import type { Options } from './bench.ts'
import type { Part } from './parts.ts'
import { median } from './statistics.ts'

const ROUTES = { usual: 100_000, quick: 10_000 }
const LINK = 'limit0'

const titleOf = ({ quick }: Pick<Options, 'quick'>) =>
  `the kernel by itself, ${(quick ? ROUTES.quick : ROUTES.usual).toLocaleString('en')} routes`
const names = (options: Pick<Options, 'quick'>) => ({
  add: `${titleOf(options)} added`,
  delete: `${titleOf(options)} deleted`,
  cpu: `${titleOf(options)} added, CPU`,
})

export const limit: Part<Pick<Options, 'runs' | 'quick'>> = {
  name: 'limit',
  rows: (options) => Object.values(names(options)).map((name) => ({ name, unit: 'ms' })),
  async run(options, tell) {
    const { add, delete: del, cpu } = names(options)
    for (const argv of [
      ['link', 'add', LINK, 'type', 'veth', 'peer', 'name', `${LINK}p`],
      ['address', 'add', '10.0.0.1/24', 'dev', LINK],
      ['link', 'set', LINK, 'up'],
      ['link', 'set', `${LINK}p`, 'up'],
    ]) {
      const { status, stderr } = spawnSync('ip', argv, { encoding: 'utf8' })
      if (status !== 0) throw new Error(`Cannot "ip ${argv.join(' ')}": ${stderr}`)
    }
    const socket = new NetlinkSocket(openNetlink(NETLINK_ROUTE))
    try {
      const index = requireLinkIndex(socket.descriptor, LINK, 'write routes')
      const routes = destinations(options.quick ? ROUTES.quick : ROUTES.usual)
      const rounds = Array.from({ length: options.runs }, () => ({
        added: write(socket, datagrams('add', routes, index)),
        deleted: write(socket, datagrams('delete', routes, index)),
      }))
      tell(add, median(rounds.map(({ added }) => added.time)))
      tell(del, median(rounds.map(({ deleted }) => deleted.time)))
      tell(cpu, median(rounds.map(({ added }) => added.cpu)))
    } finally {
      socket.close()
      spawnSync('ip', ['link', 'delete', LINK])
    }
  },
}

/** As those of test/interop/bgp/feeder.py: a fifth /24, half /26, the rest /32. */
function destinations(count: number): string[] {
  const octets = (address: number) => `${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`
  return Array.from({ length: count }, (_, i) => {
    if (i < 0.2 * count) return `20.${octets(i << 8)}/24`
    if (i < 0.7 * count) return `60.${octets((i - 0.2 * count) << 6)}/26`
    return `100.${octets((i - 0.7 * count) * 3 + 1)}/32`
  })
}

function datagrams(operation: 'add' | 'delete', routes: readonly string[], index: number): Uint8Array[] {
  const all: Uint8Array[] = []
  const batch = new RouteBatch(() => index)
  for (const [i, destination] of routes.entries()) {
    batch.add(operation, { destination, gateway: '10.0.0.2', link: LINK, metric: 32, protocol: 182, table: 254 })
    if (batch.count === MAX_BATCH || i === routes.length - 1) all.push(batch.take().slice())
  }
  return all
}

/** Milliseconds. */
function write(socket: NetlinkSocket, all: readonly Uint8Array[]): { readonly time: number; readonly cpu: number } {
  const [begin, used] = [performance.now(), process.cpuUsage()]
  for (const datagram of all) {
    const [refused] = socket.batch('write routes', datagram)
    if (refused) throw new Error(`The kernel refuses: ${refused.refusal.errno}`)
  }
  const { user, system } = process.cpuUsage(used)
  return { time: performance.now() - begin, cpu: (user + system) / 1000 }
}
