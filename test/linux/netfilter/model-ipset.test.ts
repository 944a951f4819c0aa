/** Rules that look into IP sets, the model's against the kernel's: the same frames match, and sets are filled and counted alike. */
import assert from 'node:assert/strict'
import { afterAll, beforeAll, test } from 'vitest'
import { runLine } from '../../../src/command/run.ts'
import type { LiveKernel } from '../../../src/kernel/live.ts'
import { liveLinux } from '../../../src/linux/live.ts'
import { eventually } from '../../contract/kernel/case.ts'
import { followedModel } from '../../support/followed-model.ts'
import { ipv4Frame, ipv6Frame, PEER_MAC } from './random-frames.ts'

const kernel: LiveKernel = liveLinux()
const model: LiveKernel = followedModel()
const both = [kernel, model]

/** Name, type, entries. */
type SetRow = readonly [name: string, type: string, ...entries: string[]]

const IPV4: readonly SetRow[] = [
  ['a', 'hash:ip', '10.0.0.7', '10.0.8.3', '10.0.0.1'],
  ['k', 'hash:ip netmask 24', '10.0.9.0', '10.0.0.0'],
  ['n', 'hash:net', '10.0.8.0/23', '10.0.9.0/24 nomatch', '224.0.0.0/4', '10.0.0.2'],
  [
    'p',
    'hash:ip,port',
    '10.0.0.1,tcp:80',
    '10.0.0.7,udp:53-80',
    '10.0.0.2,icmp:8/0',
    '10.0.0.0/29,50:0',
    '10.0.0.7,tcp:22',
  ],
  [
    'q',
    'hash:net,port',
    '10.0.0.0/24,tcp:22-100',
    '10.0.0.1,tcp:80 nomatch',
    '10.0.0.0/16,icmp:3/1',
    '192.0.2.0/24,udp:443',
  ],
  ['i', 'hash:ip,port,ip', '10.0.0.7,tcp:80,10.0.0.1', '10.0.0.7,tcp:22-443,10.0.0.2', '10.0.0.9,udp:53,10.0.0.1'],
  [
    'm',
    'hash:ip,port,net',
    '10.0.0.7,tcp:80-1024,10.0.0.0/24',
    '10.0.0.7,tcp:80,10.0.0.1 nomatch',
    '10.0.0.7,udp:53,10.0.0.0/8',
  ],
  ['b', 'bitmap:port range 20-500', '22', '80-90', '443'],
]
const IPV6: readonly SetRow[] = [
  ['a6', 'hash:ip family inet6', '2001:db8::1', '2001:db8::2'],
  ['n6', 'hash:net family inet6', '2001:db8::/32', '2001:db8::2 nomatch'],
  [
    'p6',
    'hash:ip,port family inet6',
    '2001:db8::1,tcp:80',
    '2001:db8::2,icmpv6:8/0',
    '2001:db8::3,50:0',
    '2001:db8::3,udp:53',
  ],
  ['m6', 'hash:ip,port,net family inet6', '2001:db8::1,tcp:22-1024,2001:db8::/64', '2001:db8::1,udp:80,2001:db8::2'],
]

/** How many sides the type wants: one for each of its parts. */
const dimensionOf = (type: string) => type.split(' ')[0]!.split(':')[1]!.split(',').length

/** All ways to say the sides, and with one too few and one too many. */
function sidesOf(dimension: number): string[] {
  const ways = (count: number): string[] =>
    count === 0
      ? ['']
      : ways(count - 1).flatMap((rest) => ['src', 'dst'].map((side) => (rest ? `${rest},${side}` : side)))
  return [...ways(dimension), ...(dimension > 1 ? ['src'] : []), `${'src,'.repeat(dimension)}dst`]
}

async function run(line: string, each: LiveKernel): Promise<string> {
  const { status, stdout, stderr } = await runLine(line, { kernel: each, now: () => 0, sleep: async () => {} })
  assert.equal(status, 0, `${line}: ${stderr}`)
  return stdout
}

beforeAll(async () => {
  for (const each of both) {
    each.links.add({
      kind: 'veth',
      name: 'near',
      mac: '02:00:00:00:00:01',
      up: true,
      peer: { name: 'far', mac: PEER_MAC },
    })
    each.sysctl.set('net/ipv6/conf/near/disable_ipv6', '1')
    for (const link of ['near', 'far', 'lo']) each.links.set(link, { up: true })
    for (const prefix of ['10.0.0.1/24', '10.0.0.2/24']) each.addresses.add({ link: 'far', prefix })
  }
  // What is sent by a link whose carrier Linux has not found yet is lost without a word.
  for (const link of ['near', 'far']) {
    await eventually(() => kernel.links.get(link)?.operState === 'up', `"${link}" is up`)
  }
})
afterAll(() => {
  kernel.links.delete('near')
  kernel.close()
})

async function agree(iptables: string, sets: readonly SetRow[], frames: readonly Uint8Array[]): Promise<void> {
  const rules = sets.flatMap(([name, type]) =>
    sidesOf(dimensionOf(type)).flatMap((sides) => [
      `-m set --match-set ${name} ${sides}`,
      `-m set ! --match-set ${name} ${sides}`,
      ...(type.includes('net') ? [`-m set --match-set ${name} ${sides} --return-nomatch ! --update-counters`] : []),
    ]),
  )
  const counts = async (each: LiveKernel) => (await run(`${iptables} -t raw -nvxL PREROUTING`, each)).split('\n')
  for (const each of both) {
    for (const [name, type, ...entries] of sets) {
      const initial = type.startsWith('hash') ? ' initval 1' : ''
      await run(`ipset create ${name} ${type} counters${initial}`, each)
      for (const entry of entries) await run(`ipset add ${name} ${entry}`, each)
    }
    for (const rule of rules) await run(`${iptables} -t raw -A PREROUTING -i far ${rule}`, each)
    await run(`${iptables} -t raw -A PREROUTING -i far -j DROP`, each)
    for (const frame of frames) each.packets.send('near', frame)
  }
  const last = async (each: LiveKernel) => (await counts(each)).at(-2)
  const wanted = await last(model)
  assert.match(wanted!, /^ *[1-9]/)
  for (let i = 0; i < 500 && (await last(kernel)) !== wanted; i++) await new Promise((resolve) => setImmediate(resolve))
  const [theirs, ours] = [await counts(kernel), await counts(model)]
  assert.deepEqual(ours, theirs)
  const hits = ours.filter((line) => /^ *[1-9].* match-set/.test(line))
  assert.ok(hits.length > rules.length / 2, `only ${hits.length} of ${rules.length} rules matched anything`)
  const members = async (each: LiveKernel) => (await run('ipset save', each)).split('\n').sort()
  assert.deepEqual(await members(model), await members(kernel))
  for (const each of both) await run(`${iptables} -t raw -F`, each)
  await eventually(() => kernel.ipsets.list().every(({ references }) => references === 0), 'no rule holds a set')
  for (const each of both) await run('ipset destroy', each)
}

const frames = (make: (n: number) => Uint8Array) => Array.from({ length: 1500 }, (_, n) => make(n))

test('IPv4: every type, by every side, finds what the kernel finds', () => agree('iptables', IPV4, frames(ipv4Frame)))

test('IPv6: every type, by every side, finds what the kernel finds', () => agree('ip6tables', IPV6, frames(ipv6Frame)))

test('rules put packets into sets, and take them out, as the kernel does', async () => {
  const lines = [
    'ipset create a hash:ip counters comment initval 1',
    'ipset create n hash:net initval 1',
    'ipset add n 10.7.0.0/20',
    'ipset create p hash:ip,port counters initval 1',
    'ipset create m hash:ip,port,net initval 1',
    'ipset create b bitmap:port range 0-100',
    'ipset create t hash:ip timeout 500 initval 1',
    'ipset create few hash:ip maxelem 2 initval 1',
    'iptables -t raw -A PREROUTING -i far -j SET --add-set a src',
    'iptables -t raw -A PREROUTING -i far -j SET --add-set n dst',
    'iptables -t raw -A PREROUTING -i far -j SET --add-set p src,dst',
    'iptables -t raw -A PREROUTING -i far -j SET --add-set m src,dst,dst',
    'iptables -t raw -A PREROUTING -i far -j SET --add-set b dst',
    'iptables -t raw -A PREROUTING -i far -j SET --add-set t dst --exist --timeout 0',
    'iptables -t raw -A PREROUTING -i far -p udp -j SET --del-set p src,dst',
    'iptables -t raw -A PREROUTING -i far -j DROP',
  ]
  for (const each of both) {
    for (const line of lines) await run(line, each)
    for (let n = 0; n < 400; n++) each.packets.send('near', ipv4Frame(n))
  }
  const dropped = async (each: LiveKernel) => (await run('iptables -t raw -nvxL PREROUTING', each)).split('\n').at(-2)
  const wanted = await dropped(model)
  for (let i = 0; i < 500 && (await dropped(kernel)) !== wanted; i++)
    await new Promise((resolve) => setImmediate(resolve))
  const members = async (each: LiveKernel) => (await run('ipset save', each)).split('\n').sort()
  assert.deepEqual(await members(model), await members(kernel))
  assert.ok((await members(model)).length > 60)
})
