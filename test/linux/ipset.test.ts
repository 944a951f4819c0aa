/**
 * Debian's ipset and iptables as the witness of ours: the same lines are typed into a namespace by the real programs, into
 * another by ours, and into the model by ours.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { runLine } from '../../src/command/run.ts'
import type { LiveKernel } from '../../src/kernel/live.ts'
import { liveLinux } from '../../src/linux/live.ts'
import { createModel } from '../../src/model/create.ts'

const WORLDS: Readonly<Record<string, readonly string[]>> = {
  'sets are made and listed': [
    'ipset create a hash:ip family inet6 netmask 64 timeout 10 counters comment hashsize 100 maxelem 10 bucketsize 7 initval 0x1234',
    'ipset create b hash:net initval 1 timeout 0',
    'ipset create c hash:ip,port initval 2 counters',
    'ipset create d hash:net,port family inet6 initval 3 comment',
    'ipset create e hash:ip,port,ip initval 4 hashsize 1',
    'ipset create f hash:ip,port,net -6 initval 5',
    'ipset create g bitmap:port range 100-80 timeout 30',
    'ipset create h bitmap:port range http-https',
    'ipset save',
    'ipset list -t',
    'ipset list -n',
    'ipset -o save list b',
    'ipset -o plain save b',
    'ipset -! create b hash:net initval 9 timeout 0',
    'ipset -! create b hash:net initval 9 timeout 5',
    'ipset create b hash:net',
    'ipset create x hash:ip netmask 33',
    'ipset create x hash:foo',
    'ipset create x hash:ip foo',
    'ipset create x hash:ip timeout',
    'ipset create x hash:ip timeout 99999999',
    'ipset create x hash:ip family inet5',
    'ipset create x bitmap:port',
    'ipset create x bitmap:port range 5',
    'ipset create aaaaaaaaaabbbbbbbbbbccccccccccdddd hash:ip',
    'ipset create x',
    'ipset create',
    'ipset',
    'ipset foo',
    'ipset version',
  ],
  'entries come and go': [
    'ipset create n hash:net timeout 0 counters comment initval 1',
    'ipset add n 10.0.0.0/8 nomatch timeout 0 packets 3 bytes 4 comment "a b"',
    'ipset add n 10.0.0.0-10.0.0.130',
    'ipset add n 1.2.3.4',
    'ipset save n',
    'ipset test n 10.0.0.5',
    'ipset test n 10.0.200.5',
    'ipset test n 10.0.0.0/8',
    'ipset test n 10.0.0.0/8 nomatch',
    'ipset test n 11.0.0.1',
    'ipset -! add n 10.0.0.0/8',
    'ipset save n',
    'ipset add n 10.0.0.0/0',
    'ipset add n 10.0.0.0/33',
    'ipset add n fd00::/33',
    'ipset add n 0.0.0.0-255.255.255.255',
    'ipset del n 1.2.3.4',
    'ipset del n 1.2.3.4',
    'ipset -! del n 1.2.3.4',
    'ipset create i hash:ip netmask 24 initval 1',
    'ipset add i 10.1.0.0/22',
    'ipset add i 10.1.1.77',
    'ipset add i 0.0.0.0',
    'ipset add i 10.2.0.5-10.2.2.1',
    'ipset test i 10.1.2.99',
    'ipset save i',
    'ipset add i 10.3.0.1 timeout 5',
    'ipset add i 10.3.0.1 packets 5',
    'ipset add i 10.3.0.1 comment x',
    'ipset add i 10.3.0.1 nomatch',
    'ipset create v hash:ip family inet6 netmask 64 initval 1',
    'ipset add v fd00:1::77',
    'ipset add v fd00:2::/64',
    'ipset add v 10.0.0.1',
    'ipset add v ::1',
    'ipset save v',
    'ipset create q hash:ip,port initval 1',
    'ipset add q 10.0.0.1,80',
    'ipset add q 10.0.0.1,udp:53-54',
    'ipset add q 10.0.0.1,vrrp:0',
    'ipset add q 10.0.0.1,vrrp:5',
    'ipset add q 10.0.0.1,132:5',
    'ipset add q 10.0.0.1,icmp:3/4',
    'ipset add q 10.0.0.1,icmp:77/1',
    'ipset add q 10.0.0.1,icmp:ping',
    'ipset add q 10.0.4.0/30,tcp:http',
    'ipset add q 10.0.0.1',
    'ipset add q 10.0.0.1,80,90,100',
    'ipset add q',
    'ipset save q',
    'ipset create r hash:ip,port,ip initval 1',
    'ipset add r 10.0.0.1-10.0.0.3,tcp:80-81,10.9.9.9',
    'ipset add r 10.0.0.1,80',
    'ipset save r',
    'ipset create s hash:ip,port,net family inet6 initval 1',
    'ipset add s fd00::1,icmpv6:echo-request,fd00:9::/32',
    'ipset add s fd00::1,tcp:80,fd00:9::/32 nomatch',
    'ipset test s fd00::1,tcp:80,fd00:9::77',
    'ipset test s fd00::1,icmpv6:128/0,fd00:9::77',
    'ipset save s',
    'ipset create b bitmap:port range 80-100',
    'ipset add b 85-87',
    'ipset add b http',
    'ipset add b 200',
    'ipset add b 85',
    'ipset add b sctp:85',
    'ipset test b 86',
    'ipset test b 90',
    'ipset list b',
    'ipset create full hash:ip maxelem 2 initval 1',
    'ipset add full 10.0.0.1-10.0.0.9',
    'ipset -q add q 10.0.0.1,80',
    'ipset add nope 1.1.1.1',
    'ipset rename q n',
    'ipset rename q w',
    'ipset rename q w2',
    'ipset create w2 hash:ip,port initval 8',
    'ipset swap w w2',
    'ipset save w2',
    'ipset swap w n',
    'ipset swap w nope',
    'ipset swap nope w',
    'ipset flush w2',
    'ipset flush nope',
    'ipset list w2',
    'ipset destroy nope',
    'ipset destroy w2',
    'ipset flush',
    'ipset list',
    'ipset destroy',
    'ipset list',
  ],
  'rules look into sets': [
    'ipset create a hash:ip initval 1',
    'ipset create b hash:ip,port,net initval 1',
    'ipset create v hash:ip family inet6 initval 1',
    'ipset create t hash:ip timeout 50 initval 1',
    'iptables -A INPUT -m set --match-set a src -j ACCEPT',
    'iptables -A INPUT -m set ! --match-set b src,dst,dst --return-nomatch ! --update-counters -j DROP',
    'iptables -A FORWARD -j SET --add-set t src --exist --timeout 5',
    'iptables -A FORWARD -j SET --add-set a src --del-set b src,dst,src',
    'iptables -A INPUT -m set --match-set nope src',
    'iptables -A INPUT -m set --match-set v src',
    'iptables -A INPUT -m set --match-set a src,foo',
    'iptables -A INPUT -m set --match-set a src,src,src,src,src,src,src',
    'iptables -A INPUT -m set',
    'iptables -A INPUT -j SET',
    'iptables -A INPUT -j SET --del-set a src --exist',
    'ip6tables -A INPUT -m set --match-set v dst -j DROP',
    'iptables -S',
    'iptables -nvL',
    'ip6tables -S',
    'ipset list -t a',
    'ipset destroy a',
    'ipset rename a c',
    'nft list ruleset',
  ],
}

/** Lines of a file, as `ipset restore` reads them. */
const FILES: readonly string[] = [
  'create r1 hash:ip initval 1\nadd r1 1.1.1.1\n# a comment\n\nadd r1 1.1.1.2\n',
  'add r1 1.1.1.3\nadd r1 1.1.1.1\nadd r1 1.1.1.4\n',
  'add r1 foo\n',
  'create r2 hash:net comment initval 2\nadd r2 10.0.0.0/8 comment "two words"\n',
  'restore\n',
]

/** Who the three are, apart from order, time and memory. */
function comparable({ status, stdout, stderr }: { status: number | null; stdout: string; stderr: string }) {
  const lines = stdout
    .split('\n')
    .filter((line) => !line.startsWith('Size in memory:') && !line.startsWith('# '))
    .map((line) => line.replace(/timeout [1-9][0-9]* /g, 'timeout T ').replace(/timeout [1-9][0-9]*$/, 'timeout T'))
  return { status, stdout: inOrder(lines), stderr: stderr.split('\n').filter((line) => !line.startsWith('# ')) }
}

/** Members, each run of them by themselves: a hash has them in an order of its own. */
function inOrder(lines: readonly string[]): string[] {
  const isMember = (line: string) => /^(add \S+ )?[0-9a-f:.]+[,/ ]|^(add \S+ )?[0-9a-f.]*[:.][0-9a-f:.]*$/.test(line)
  const ordered: string[] = []
  for (let i = 0; i < lines.length; ) {
    let end = i
    while (end < lines.length && isMember(lines[end]!)) end++
    ordered.push(...lines.slice(i, end).sort())
    if (end < lines.length) ordered.push(lines[end]!)
    i = end + 1
  }
  return ordered
}

const root = liveLinux()
const model = createModel()
const names = { real: 'ovi-set-real', ours: 'ovi-set-ours', model: 'ovi-set-model' }

for (const [about, lines] of [...Object.entries(WORLDS), ['ipset restore', []] as const]) {
  describe(about, () => {
    let ours: LiveKernel
    let modelled: LiveKernel

    beforeAll(() => {
      root.namespaces.add(names.real)
      ours = root.enter(root.namespaces.add(names.ours))!
      modelled = model.enter(model.namespaces.add(names.model))!
    })
    afterAll(() => {
      ours.close()
      modelled.close()
      root.namespaces.delete(names.real)
      root.namespaces.delete(names.ours)
      model.namespaces.delete(names.model)
    })

    const compare = async (line: string, stdin = '') => {
      const argv = ['netns', 'exec', names.real, 'sh', '-c', line]
      const real = comparable(spawnSync('ip', argv, { encoding: 'utf8', input: stdin }))
      const context = { now: () => 0, sleep: async () => {}, readStdin: () => stdin }
      assert.deepEqual(comparable(await runLine(line, { ...context, kernel: ours })), real, 'ours on Linux')
      assert.deepEqual(comparable(await runLine(line, { ...context, kernel: modelled })), real, 'ours on the model')
    }
    for (const line of lines) test(line, () => compare(line))
    if (lines.length > 0) return
    for (const file of FILES) test(file, () => compare('ipset restore', file))
    test('restore -!', () => compare('ipset restore -!', FILES[0]))
    test('what was saved restores the same', async () => {
      await compare('ipset save')
      const { stdout } = await runLine('ipset save', { kernel: ours, now: () => 0, sleep: async () => {} })
      await compare('ipset destroy')
      await compare('ipset restore', stdout)
      await compare('ipset save')
    })
  })
}
