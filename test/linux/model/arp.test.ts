/** ARP of the model beside that of Linux: random settings, questions and answers; the same at every capture, the same neighbours. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { afterAll, beforeAll, test } from 'vitest'
import { ignoring } from '../../../src/kernel/errors.ts'
import type { LiveKernel } from '../../../src/kernel/live.ts'
import type { NeighbourState } from '../../../src/kernel/neighbour.ts'
import { arpFrame, BothKernels, ipv4Frame } from './both-kernels.ts'

const both = new BothKernels('a', 'b', 'c')
const own = { vb: '02:01:00:00:00:01', vc: '02:01:00:00:00:02' } as const

beforeAll(async () => {
  await both.pair('b:eth0', '02:00:00:00:00:01', 'a:vb', own.vb)
  await both.pair('c:eth0', '02:00:00:00:00:02', 'a:vc', own.vc)
  both.each(({ a }) => {
    a!.addresses.add({ link: 'vb', prefix: '10.0.0.1/24' })
    a!.addresses.add({ link: 'vb', prefix: '10.0.0.5/24' })
    a!.addresses.add({ link: 'vb', prefix: '10.2.0.1/24', scope: 'link' })
    a!.addresses.add({ link: 'vc', prefix: '10.1.0.1/24' })
    a!.addresses.add({ link: 'lo', prefix: '10.9.9.9/32' })
    a!.addresses.add({ link: 'lo', prefix: '10.9.9.8/32', scope: 'host' })
    a!.routes.add({ destination: '172.16.0.0/16', gateway: '10.1.0.9' })
    a!.routes.add({ destination: '172.17.0.0/16', gateway: '10.0.0.9' })
    // Redirects and errors are limited by real time there, by the model's here.
    a!.sysctl.set('net/ipv4/icmp_ratemask', '0')
    for (const where of ['all', 'vb', 'vc']) a!.sysctl.set(`net/ipv4/conf/${where}/send_redirects`, '0')
    // A proxy's answer comes at a time that is drawn.
    for (const link of ['vb', 'vc']) a!.sysctl.set(`net/ipv4/neigh/${link}/proxy_delay`, '0')
  })
})
afterAll(() => both.close())

const settings: Record<string, readonly number[]> = {
  arp_ignore: [0, 1, 2, 3, 8],
  arp_announce: [0, 1, 2],
  arp_filter: [0, 1],
  arp_accept: [0, 1, 2],
  proxy_arp: [0, 1],
  proxy_arp_pvlan: [0, 1],
  medium_id: [0, 1, 2, -1],
  drop_gratuitous_arp: [0, 1],
  forwarding: [0, 1],
  rp_filter: [0, 1, 2],
  accept_local: [0, 1],
  route_localnet: [0, 1],
}
const allToo = ['arp_ignore', 'arp_announce', 'arp_filter', 'arp_accept', 'proxy_arp', 'rp_filter', 'accept_local']

const ip = fc.constantFrom(
  '10.0.0.1',
  '10.0.0.2',
  '10.0.0.3',
  '10.0.0.5',
  '10.0.0.255',
  '10.1.0.1',
  '10.1.0.2',
  '10.2.0.1',
  '10.2.0.2',
  '10.9.9.8',
  '10.9.9.9',
  '172.16.0.1',
  '172.17.0.1',
  '192.0.2.1',
  '127.0.0.1',
  '224.0.0.1',
  '0.0.0.0',
)
const neighbourIp = fc.constantFrom('10.0.0.2', '10.0.0.3', '10.1.0.2', '10.1.0.9', '10.2.0.2', '172.16.0.1')
const senderMac = fc.constantFrom('02:00:00:00:00:01', '02:00:00:00:00:11', '02:00:00:00:00:12')
const end = fc.constantFrom('b', 'c')
const portOf = (name: string) => `v${name}` as keyof typeof own

const setting = fc
  .constantFrom(...Object.entries(settings).flatMap(([name, values]) => values.map((value) => [name, value] as const)))
  .chain(([name, value]) =>
    fc.record({
      kind: fc.constant('setting' as const),
      name: fc.constant(name),
      value: fc.constant(value),
      where: fc.constantFrom('vb', 'vc', ...(allToo.includes(name) ? ['all'] : [])),
    }),
  )
const arp = fc.record({
  kind: fc.constant('arp' as const),
  end,
  operation: fc.constantFrom(1, 1, 2, 2, 2, 3),
  to: fc.constantFrom('ff:ff:ff:ff:ff:ff', 'own', 'own', '02:00:00:00:99:99'),
  senderMac,
  sender: fc.oneof(ip, neighbourIp),
  target: fc.oneof(ip, fc.constantFrom('10.0.0.1', '10.1.0.1'), fc.constant('sender')),
  targetMac: fc.constantFrom('00:00:00:00:00:00', 'own', 'sender'),
})
const answer = fc.record({
  kind: fc.constant('arp' as const),
  end,
  operation: fc.constant(2),
  to: fc.constantFrom('own', 'own', 'ff:ff:ff:ff:ff:ff'),
  senderMac,
  sender: neighbourIp,
  target: fc.constantFrom('10.0.0.1', '10.1.0.1', 'sender'),
  targetMac: fc.constantFrom('own', 'sender'),
})
const datagram = fc.record({
  kind: fc.constant('datagram' as const),
  end,
  source: fc.constantFrom('10.0.0.2', '10.1.0.2', '10.2.0.2', '192.0.2.7'),
  destination: neighbourIp,
})
const neighbour = fc.record({
  kind: fc.constant('neighbour' as const),
  operation: fc.constantFrom('add', 'replace', 'replace', 'delete' as const),
  link: fc.constantFrom('vb', 'vc'),
  address: neighbourIp,
  mac: fc.option(fc.constantFrom('02:00:00:00:00:21', '02:00:00:00:00:11'), { nil: undefined, freq: 6 }),
  state: fc.constantFrom<NeighbourState>('permanent', 'stale', 'reachable', 'noarp', 'failed', 'none', 'incomplete'),
  proxy: fc.constantFrom(true, false, false, false),
})
const step = fc.oneof(
  { weight: 3, arbitrary: setting },
  { weight: 6, arbitrary: arp },
  { weight: 4, arbitrary: answer },
  { weight: 4, arbitrary: datagram },
  { weight: 3, arbitrary: neighbour },
)

test('the same is asked, answered and learned', { timeout: 300_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30, size: 'max' }), async (steps) => {
      restore()
      await both.take()
      for (const each of steps) run(each)
      await both.compare()
      assert.deepEqual(neighbours(both.model.a!), neighbours(both.linux.a!))
    }),
    { numRuns: 80, ...(process.env.SEED && { seed: Number(process.env.SEED) }) },
  )
})

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

function run(each: Step): void {
  if (each.kind === 'setting') {
    both.each(({ a }) => a!.sysctl.set(`net/ipv4/conf/${each.where}/${each.name}`, `${each.value}`))
  } else if (each.kind === 'datagram') {
    const { source, destination } = each
    const port = portOf(each.end)
    both.send(`${each.end}:eth0`, ipv4Frame({ to: own[port], from: '02:00:00:00:00:01', source, destination }))
  } else if (each.kind === 'neighbour') {
    const { operation, link, address, mac, state, proxy } = each
    const [linux, model] = both.outcomes(({ a }) => {
      if (operation === 'delete') a!.neighbours.delete({ link, address, proxy })
      else if (proxy) a!.neighbours[operation]({ link, address, proxy })
      else a!.neighbours[operation]({ link, address, state, ...(mac && { mac }) })
    })
    assert.equal(model, linux, JSON.stringify(each))
  } else {
    const port = portOf(each.end)
    const name = (text: string) => (text === 'own' ? own[port] : text === 'sender' ? each.senderMac : text)
    const target = each.target === 'sender' ? each.sender : each.target
    const { operation, sender } = each
    both.send(
      `${each.end}:eth0`,
      arpFrame({
        to: name(each.to),
        from: each.senderMac,
        operation,
        senderMac: each.senderMac,
        sender,
        targetMac: name(each.targetMac),
        target,
      }),
    )
  }
}

/** Settings as in a new namespace but forwarding, and nobody known. */
function restore(): void {
  both.each(({ a }) => {
    for (const name of Object.keys(settings)) {
      const value = name === 'forwarding' ? '1' : '0'
      for (const where of ['vb', 'vc']) a!.sysctl.set(`net/ipv4/conf/${where}/${name}`, value)
      if (allToo.includes(name)) a!.sysctl.set(`net/ipv4/conf/all/${name}`, '0')
    }
    // What waited for an answer ends in an error, which may wait itself.
    while (forgetNeighbours(a!)) {}
  })
}

function forgetNeighbours(kernel: LiveKernel): boolean {
  const known = [false, true].flatMap((proxy) =>
    kernel.neighbours
      .list({ family: 'ipv4', proxy })
      .filter(({ link }) => link !== 'lo')
      .map(({ link, address }) => ({ link, address, proxy })),
  )
  for (const each of known) ignoring('ENOENT', () => kernel.neighbours.delete(each))
  return known.length > 0
}

function neighbours(kernel: (typeof both)['linux'][string]): string[] {
  return [false, true].flatMap((proxy) =>
    kernel!.neighbours
      .list({ family: 'ipv4', proxy })
      .filter(({ link }) => link !== 'lo')
      .map(({ link, address, mac, state }) => `${proxy ? 'proxy ' : ''}${address} dev ${link} ${mac ?? '-'} ${state}`)
      .sort(),
  )
}
