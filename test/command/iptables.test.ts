/**
 * iptables on the model. Expected is what iptables 1.8.9 over nf_tables wrote of the same commands on Linux 6.18
 * (`iptables …; iptables-save`); test/linux/iptables.test.ts asks it again.
 */
import assert from 'node:assert/strict'
import { beforeEach, test } from 'vitest'
import { runLine } from '../../src/command/run.ts'
import type { NftRule } from '../../src/kernel/nftables.ts'
import { createModel } from '../../src/model/create.ts'

let kernel = createModel()
const run = (line: string, stdin = '') =>
  runLine(line, { kernel, now: () => 0, sleep: async () => {}, readStdin: () => stdin })
const succeeds = async (line: string) => {
  const { status, stdout, stderr } = await run(line)
  assert.deepEqual([status, stderr], [0, ''], line)
  return stdout
}

beforeEach(() => {
  kernel = createModel()
})

// What is typed, and what iptables-save writes of it.
const rows: readonly (readonly [typed: string, saved: string])[] = [
  [
    'iptables -t nat -A POSTROUTING -s 10.244.0.0/16 -d 10.244.0.0/16 -j RETURN',
    '-A POSTROUTING -s 10.244.0.0/16 -d 10.244.0.0/16 -j RETURN',
  ],
  [
    'iptables -t nat -A POSTROUTING -s 10.244.0.0/16 ! -d 224.0.0.0/4 -j MASQUERADE',
    '-A POSTROUTING -s 10.244.0.0/16 ! -d 224.0.0.0/4 -j MASQUERADE',
  ],
  [
    'iptables -A INPUT -p icmp --icmp-type fragmentation-needed -j DROP',
    '-A INPUT -p icmp -m icmp --icmp-type 3/4 -j DROP',
  ],
  [
    'iptables -t mangle -A FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu',
    '-A FORWARD -p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu',
  ],
  ['iptables -A INPUT -p udp --dport 8472 -j DROP', '-A INPUT -p udp -m udp --dport 8472 -j DROP'],
  [
    'iptables -A INPUT -p udp --dport 8472 -j REJECT',
    '-A INPUT -p udp -m udp --dport 8472 -j REJECT --reject-with icmp-port-unreachable',
  ],
  [
    'iptables -t nat -A PREROUTING -d 10.96.0.10/32 -p tcp --dport 80 -j DNAT --to-destination 10.244.1.2:8080',
    '-A PREROUTING -d 10.96.0.10/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.244.1.2:8080',
  ],
  [
    'iptables -A FORWARD -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT',
    '-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
  ],
  [
    'iptables -A FORWARD -d 10.244.1.2 -s 10.244.0.2 -p tcp --dport 8080 -j ACCEPT',
    '-A FORWARD -s 10.244.0.2/32 -d 10.244.1.2/32 -p tcp -m tcp --dport 8080 -j ACCEPT',
  ],
  ['iptables -A FORWARD -i eth0 -o veth+ -j ACCEPT', '-A FORWARD -i eth0 -o veth+ -j ACCEPT'],
  ['iptables -A FORWARD ! -i eth0 ! -o ve+ -j ACCEPT', '-A FORWARD ! -i eth0 ! -o ve+ -j ACCEPT'],
  ['iptables -A FORWARD -s 10.0.0.0/8 -j ACCEPT', '-A FORWARD -s 10.0.0.0/8 -j ACCEPT'],
  ['iptables -A FORWARD -s 10.128.0.0/9 -j ACCEPT', '-A FORWARD -s 10.128.0.0/9 -j ACCEPT'],
  ['iptables -A FORWARD -s 10.0.0.0/255.0.255.0 -j ACCEPT', '-A FORWARD -s 10.0.0.0/255.0.255.0 -j ACCEPT'],
  ['iptables -A FORWARD -s 0.0.0.0/0 -j ACCEPT', '-A FORWARD -j ACCEPT'],
  ['iptables -A FORWARD ! -s 10.0.0.1 -j ACCEPT', '-A FORWARD ! -s 10.0.0.1/32 -j ACCEPT'],
  ['iptables -A FORWARD -p tcp -j ACCEPT', '-A FORWARD -p tcp -j ACCEPT'],
  ['iptables -A FORWARD ! -p tcp -j ACCEPT', '-A FORWARD ! -p tcp -j ACCEPT'],
  ['iptables -A FORWARD -p all -j ACCEPT', '-A FORWARD -j ACCEPT'],
  ['iptables -A FORWARD -f -j ACCEPT', '-A FORWARD -f -j ACCEPT'],
  ['iptables -A FORWARD ! -f -j ACCEPT', '-A FORWARD ! -f -j ACCEPT'],
  [
    'iptables -A FORWARD -p tcp --sport 1:1024 --dport 80 -j ACCEPT',
    '-A FORWARD -p tcp -m tcp --sport 1:1024 --dport 80 -j ACCEPT',
  ],
  [
    'iptables -A FORWARD -p tcp ! --sport 1:1024 ! --dport 80 -j ACCEPT',
    '-A FORWARD -p tcp -m tcp ! --sport 1:1024 ! --dport 80 -j ACCEPT',
  ],
  ['iptables -A FORWARD -p tcp --syn -j ACCEPT', '-A FORWARD -p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -j ACCEPT'],
  [
    'iptables -A FORWARD -p tcp ! --syn -j ACCEPT',
    '-A FORWARD -p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN -j ACCEPT',
  ],
  [
    'iptables -A FORWARD -p tcp --tcp-flags ALL NONE -j ACCEPT',
    '-A FORWARD -p tcp -m tcp --tcp-flags FIN,SYN,RST,PSH,ACK,URG NONE -j ACCEPT',
  ],
  ['iptables -A FORWARD -p tcp --tcp-option 5 -j ACCEPT', '-A FORWARD -p tcp -m tcp --tcp-option 5 -j ACCEPT'],
  ['iptables -A FORWARD -p tcp --dport 0:65535 -j ACCEPT', '-A FORWARD -p tcp -m tcp -j ACCEPT'],
  ['iptables -A FORWARD -p udp --sport 53:53 -j ACCEPT', '-A FORWARD -p udp -m udp --sport 53 -j ACCEPT'],
  ['iptables -A FORWARD -p udp --dport 100: -j ACCEPT', '-A FORWARD -p udp -m udp --dport 100:65535 -j ACCEPT'],
  [
    'iptables -A FORWARD -p udp ! --dport 100:200 --sport 1 -j ACCEPT',
    '-A FORWARD -p udp -m udp --sport 1 ! --dport 100:200 -j ACCEPT',
  ],
  ['iptables -A FORWARD -p icmp -j ACCEPT', '-A FORWARD -p icmp -j ACCEPT'],
  ['iptables -A FORWARD -p icmp --icmp-type 8 -j ACCEPT', '-A FORWARD -p icmp -m icmp --icmp-type 8 -j ACCEPT'],
  [
    'iptables -A FORWARD -p icmp ! --icmp-type echo-reply -j ACCEPT',
    '-A FORWARD -p icmp -m icmp ! --icmp-type 0 -j ACCEPT',
  ],
  ['iptables -A FORWARD -p icmp --icmp-type any -j ACCEPT', '-A FORWARD -p icmp -m icmp --icmp-type any -j ACCEPT'],
  ['iptables -A FORWARD -p icmp --icmp-type 3 -j ACCEPT', '-A FORWARD -p icmp -m icmp --icmp-type 3 -j ACCEPT'],
  [
    'iptables -A FORWARD -m comment --comment "hello world" -j ACCEPT',
    '-A FORWARD -m comment --comment "hello world" -j ACCEPT',
  ],
  ['iptables -A FORWARD -m comment --comment "hello" -j ACCEPT', '-A FORWARD -m comment --comment hello -j ACCEPT'],
  ['iptables -A FORWARD -m mark --mark 0x4000/0x4000 -j ACCEPT', '-A FORWARD -m mark --mark 0x4000/0x4000 -j ACCEPT'],
  [
    'iptables -A FORWARD -m mark ! --mark 0x4000/0x4000 -j ACCEPT',
    '-A FORWARD -m mark ! --mark 0x4000/0x4000 -j ACCEPT',
  ],
  ['iptables -A FORWARD -m mark --mark 1 -j ACCEPT', '-A FORWARD -m mark --mark 0x1 -j ACCEPT'],
  ['iptables -A FORWARD -m connmark --mark 1/0xff -j ACCEPT', '-A FORWARD -m connmark --mark 0x1/0xff -j ACCEPT'],
  ['iptables -A FORWARD -m limit --limit 5/min -j ACCEPT', '-A FORWARD -m limit --limit 5/min -j ACCEPT'],
  [
    'iptables -A FORWARD -m limit --limit 10/s --limit-burst 20 -j ACCEPT',
    '-A FORWARD -m limit --limit 10/sec --limit-burst 20 -j ACCEPT',
  ],
  [
    'iptables -A FORWARD -m multiport -p tcp --dports 80,443,1000:2000 -j ACCEPT',
    '-A FORWARD -p tcp -m multiport --dports 80,443,1000:2000 -j ACCEPT',
  ],
  [
    'iptables -A FORWARD -m multiport -p udp ! --sports 80 -j ACCEPT',
    '-A FORWARD -p udp -m multiport ! --sports 80 -j ACCEPT',
  ],
  ['iptables -A FORWARD -m addrtype --dst-type LOCAL -j ACCEPT', '-A FORWARD -m addrtype --dst-type LOCAL -j ACCEPT'],
  [
    'iptables -A FORWARD -m addrtype ! --src-type LOCAL,UNICAST --limit-iface-in -j ACCEPT',
    '-A FORWARD -m addrtype ! --src-type UNICAST,LOCAL --limit-iface-in -j ACCEPT',
  ],
  [
    'iptables -A FORWARD -m statistic --mode random --probability 0.33333333349 -j ACCEPT',
    '-A FORWARD -m statistic --mode random --probability 0.33333333349 -j ACCEPT',
  ],
  [
    'iptables -A FORWARD -m statistic --mode nth --every 3 --packet 0 -j ACCEPT',
    '-A FORWARD -m statistic --mode nth --every 3 --packet 0 -j ACCEPT',
  ],
  [
    'iptables -A FORWARD -m recent --name foo --set --rsource -j ACCEPT',
    '-A FORWARD -m recent --set --name foo --mask 255.255.255.255 --rsource -j ACCEPT',
  ],
  [
    'iptables -A FORWARD -m recent --name foo --rcheck --seconds 10800 --reap --mask 255.255.255.255 --rsource -j ACCEPT',
    '-A FORWARD -m recent --rcheck --seconds 10800 --reap --name foo --mask 255.255.255.255 --rsource -j ACCEPT',
  ],
  [
    'iptables -A FORWARD -m physdev --physdev-in veth1 --physdev-is-bridged -j ACCEPT',
    '-A FORWARD -m physdev --physdev-in veth1 --physdev-is-bridged -j ACCEPT',
  ],
  [
    'iptables -A FORWARD -m physdev --physdev-out veth+ -j ACCEPT',
    '-A FORWARD -m physdev --physdev-out veth+ -j ACCEPT',
  ],
  ['iptables -t raw -A PREROUTING -m rpfilter --invert -j DROP', '-A PREROUTING -m rpfilter --invert -j DROP'],
  [
    'iptables -t raw -A PREROUTING -m rpfilter --validmark --loose --accept-local -j DROP',
    '-A PREROUTING -m rpfilter --loose --validmark --accept-local -j DROP',
  ],
  [
    'iptables -A FORWARD -m pkttype --pkt-type broadcast -j ACCEPT',
    '-A FORWARD -m pkttype --pkt-type broadcast -j ACCEPT',
  ],
  [
    'iptables -A FORWARD -m pkttype ! --pkt-type multicast -j ACCEPT',
    '-A FORWARD -m pkttype ! --pkt-type multicast -j ACCEPT',
  ],
  [
    'iptables -A FORWARD -p tcp -m tcpmss --mss 1400:1500 -j ACCEPT',
    '-A FORWARD -p tcp -m tcpmss --mss 1400:1500 -j ACCEPT',
  ],
  ['iptables -A FORWARD -m state --state NEW,INVALID -j ACCEPT', '-A FORWARD -m state --state INVALID,NEW -j ACCEPT'],
  ['iptables -A FORWARD -m conntrack --ctstate DNAT -j ACCEPT', '-A FORWARD -m conntrack --ctstate DNAT -j ACCEPT'],
  [
    'iptables -A FORWARD -m conntrack ! --ctstate NEW --ctorigdst 10.0.0.0/8 --ctproto 6 -j ACCEPT',
    '-A FORWARD -m conntrack ! --ctstate NEW --ctproto 6 --ctorigdst 10.0.0.0/8 -j ACCEPT',
  ],
  [
    'iptables -A FORWARD -m conntrack --ctorigdstport 80 --ctdir ORIGINAL --ctstatus ASSURED,CONFIRMED -j ACCEPT',
    '-A FORWARD -m conntrack --ctorigdstport 80 --ctstatus ASSURED,CONFIRMED --ctdir ORIGINAL -j ACCEPT',
  ],
  ['iptables -t mangle -A PREROUTING -j MARK --set-mark 1', '-A PREROUTING -j MARK --set-xmark 0x1/0xffffffff'],
  [
    'iptables -t mangle -A PREROUTING -j MARK --set-xmark 0x4000/0x4000',
    '-A PREROUTING -j MARK --set-xmark 0x4000/0x4000',
  ],
  ['iptables -t mangle -A PREROUTING -j MARK --or-mark 0x8000', '-A PREROUTING -j MARK --set-xmark 0x8000/0x8000'],
  ['iptables -t mangle -A PREROUTING -j MARK --and-mark 0xff', '-A PREROUTING -j MARK --set-xmark 0x0/0xffffff00'],
  ['iptables -t mangle -A PREROUTING -j MARK --xor-mark 0xff', '-A PREROUTING -j MARK --set-xmark 0xff/0x0'],
  [
    'iptables -t mangle -A PREROUTING -j CONNMARK --save-mark',
    '-A PREROUTING -j CONNMARK --save-mark --nfmask 0xffffffff --ctmask 0xffffffff',
  ],
  [
    'iptables -t mangle -A PREROUTING -j CONNMARK --restore-mark --nfmask 0xff --ctmask 0xff',
    '-A PREROUTING -j CONNMARK --restore-mark --nfmask 0xff --ctmask 0xff',
  ],
  ['iptables -t mangle -A PREROUTING -j CONNMARK --set-mark 5', '-A PREROUTING -j CONNMARK --set-xmark 0x5/0xffffffff'],
  [
    'iptables -t mangle -A PREROUTING -j CONNMARK --set-xmark 0x5/0xff',
    '-A PREROUTING -j CONNMARK --set-xmark 0x5/0xff',
  ],
  ['iptables -t mangle -A FORWARD -p tcp -j TCPMSS --set-mss 1400', '-A FORWARD -p tcp -j TCPMSS --set-mss 1400'],
  ['iptables -t raw -A PREROUTING -j CT --notrack', '-A PREROUTING -j CT --notrack'],
  ['iptables -t raw -A PREROUTING -j NOTRACK', '-A PREROUTING -j NOTRACK'],
  ['iptables -t raw -A PREROUTING -j TRACE', '-A PREROUTING -j TRACE'],
  [
    'iptables -A FORWARD -j LOG --log-prefix "foo bar: " --log-level debug',
    '-A FORWARD -j LOG --log-prefix "foo bar: " --log-level 7',
  ],
  ['iptables -A FORWARD -j LOG', '-A FORWARD -j LOG'],
  [
    'iptables -A FORWARD -j LOG --log-prefix x --log-tcp-options --log-ip-options --log-uid --log-tcp-sequence',
    '-A FORWARD -j LOG --log-prefix x --log-tcp-sequence --log-tcp-options --log-ip-options --log-uid',
  ],
  [
    'iptables -A FORWARD -j NFLOG --nflog-group 5 --nflog-prefix "abc"',
    '-A FORWARD -j NFLOG --nflog-prefix abc --nflog-group 5',
  ],
  ['iptables -A FORWARD -j NFLOG', '-A FORWARD -j NFLOG'],
  [
    'iptables -A FORWARD -j REJECT --reject-with icmp-host-prohibited',
    '-A FORWARD -j REJECT --reject-with icmp-host-prohibited',
  ],
  [
    'iptables -A FORWARD -p tcp -j REJECT --reject-with tcp-reset',
    '-A FORWARD -p tcp -j REJECT --reject-with tcp-reset',
  ],
  ['iptables -t nat -A POSTROUTING -j MASQUERADE --random-fully', '-A POSTROUTING -j MASQUERADE --random-fully'],
  [
    'iptables -t nat -A POSTROUTING -p tcp -j MASQUERADE --to-ports 1024-2000 --random',
    '-A POSTROUTING -p tcp -j MASQUERADE --to-ports 1024-2000 --random',
  ],
  ['iptables -t nat -A POSTROUTING -j SNAT --to-source 1.2.3.4', '-A POSTROUTING -j SNAT --to-source 1.2.3.4'],
  [
    'iptables -t nat -A POSTROUTING -p tcp -j SNAT --to-source 1.2.3.4-1.2.3.9:1000-2000 --random-fully --persistent',
    '-A POSTROUTING -p tcp -j SNAT --to-source 1.2.3.4-1.2.3.9:1000-2000 --random-fully --persistent',
  ],
  [
    'iptables -t nat -A PREROUTING -p tcp -j DNAT --to-destination :8080',
    '-A PREROUTING -p tcp -j DNAT --to-destination :8080',
  ],
  [
    'iptables -t nat -A PREROUTING -j DNAT --to-destination 1.2.3.4 --random',
    '-A PREROUTING -j DNAT --to-destination 1.2.3.4 --random',
  ],
  [
    'iptables -t nat -A PREROUTING -p tcp -j REDIRECT --to-ports 8080',
    '-A PREROUTING -p tcp -j REDIRECT --to-ports 8080',
  ],
  [
    'iptables -t nat -A PREROUTING -p tcp -j REDIRECT --to-ports 8080-8090 --random',
    '-A PREROUTING -p tcp -j REDIRECT --to-ports 8080-8090 --random',
  ],
  ['iptables -t nat -A PREROUTING -j REDIRECT', '-A PREROUTING -j REDIRECT'],
  ['iptables -A FORWARD', '-A FORWARD'],
  [
    'iptables -A FORWARD -s 10.0.0.1 -d 10.0.0.2 -i eth0 -o eth1 -p udp -m udp --sport 1 --dport 2 -m comment --comment x -j DROP',
    '-A FORWARD -s 10.0.0.1/32 -d 10.0.0.2/32 -i eth0 -o eth1 -p udp -m udp --sport 1 --dport 2 -m comment --comment x -j DROP',
  ],
  ['ip6tables -A FORWARD -s fd00::/64 ! -d fd00::1 -j DROP', '-A FORWARD -s fd00::/64 ! -d fd00::1/128 -j DROP'],
  ['ip6tables -A FORWARD -p icmpv6 -j DROP', '-A FORWARD -p ipv6-icmp -j DROP'],
  [
    'ip6tables -A FORWARD -p icmpv6 --icmpv6-type echo-request -j DROP',
    '-A FORWARD -p ipv6-icmp -m icmp6 --icmpv6-type 128 -j DROP',
  ],
  [
    'ip6tables -A FORWARD -p tcp --dport 80 -j REJECT',
    '-A FORWARD -p tcp -m tcp --dport 80 -j REJECT --reject-with icmp6-port-unreachable',
  ],
  [
    'ip6tables -A FORWARD -j REJECT --reject-with icmp6-adm-prohibited',
    '-A FORWARD -j REJECT --reject-with icmp6-adm-prohibited',
  ],
  [
    `ip6tables -t nat -A PREROUTING -p tcp --dport 80 -j DNAT --to-destination '[fd00::2]:80'`,
    '-A PREROUTING -p tcp -m tcp --dport 80 -j DNAT --to-destination [fd00::2]:80',
  ],
  [
    'ip6tables -t nat -A PREROUTING -p tcp -j DNAT --to-destination fd00::2',
    '-A PREROUTING -p tcp -j DNAT --to-destination fd00::2',
  ],
  ['ip6tables -t nat -A POSTROUTING -j MASQUERADE', '-A POSTROUTING -j MASQUERADE'],
]

for (const [typed, saved] of rows) {
  test(`${typed} is told as iptables tells it, found again and deleted`, async () => {
    const save = typed.startsWith('ip6') ? 'ip6tables-save' : 'iptables-save'
    await succeeds(typed)
    assert.deepEqual(rulesOf(await succeeds(save)), [saved])
    await succeeds(typed.replace(' -A ', ' -C '))
    await succeeds(typed.replace(' -A ', ' -D '))
    assert.deepEqual(rulesOf(await succeeds(save)), [])
  })
  test(`${saved} makes the same rule again`, async () => {
    await succeeds(typed)
    const [before] = rules()
    const save = typed.startsWith('ip6') ? 'ip6tables' : 'iptables'
    const text = await succeeds(`${save}-save`)
    assert.equal((await run(`${save}-restore`, text)).status, 0)
    assert.deepEqual(rules(), [before])
  })
}

function rulesOf(saved: string): string[] {
  return saved.split('\n').filter((line) => line.startsWith('-A'))
}

function rules(): NftRule[] {
  return kernel.nftables.list().rules.map(({ handle: _handle, ...rule }) => rule)
}

test('nothing is made by looking: a table comes with its first chain, a built-in chain with its first rule', async () => {
  for (const verb of ['-L', '-S', '-F', '-X', '-Z']) await succeeds(`iptables ${verb}`)
  assert.deepEqual(kernel.nftables.list().tables, [])
  await succeeds('iptables -A FORWARD -j ACCEPT')
  assert.deepEqual(
    kernel.nftables.list().chains.map(({ name, base }) => [name, base?.type, base?.hook, base?.priority, base?.policy]),
    [['FORWARD', 'filter', 'forward', 0, 'accept']],
  )
})

// Priorities of the built-in chains: NF_IP_PRI_*.
const chains = [
  ['raw', 'PREROUTING', 'filter', -300],
  ['mangle', 'PREROUTING', 'filter', -150],
  ['mangle', 'OUTPUT', 'route', -150],
  ['nat', 'PREROUTING', 'nat', -100],
  ['nat', 'INPUT', 'nat', 100],
  ['nat', 'OUTPUT', 'nat', -100],
  ['nat', 'POSTROUTING', 'nat', 100],
  ['filter', 'INPUT', 'filter', 0],
  ['security', 'FORWARD', 'filter', 150],
] as const

for (const [table, chain, type, priority] of chains) {
  test(`${chain} of ${table} is a chain of type ${type} at ${priority}`, async () => {
    await succeeds(`iptables -t ${table} -A ${chain} -j ACCEPT`)
    const [made] = kernel.nftables.list().chains
    assert.deepEqual([made?.base?.type, made?.base?.priority], [type, priority])
  })
}

// What cannot be done, the status, and what is said.
const HELP = "Try `iptables -h' or 'iptables --help' for more information.\n"
const V = 'iptables v1.8.9 (nf_tables): '
const refusals: readonly (readonly [line: string, status: number, stderr: string])[] = [
  ['iptables -A FOO -j ACCEPT', 1, 'iptables: No chain/target/match by that name.\n'],
  ['iptables -D FORWARD -j ACCEPT', 1, 'iptables: Bad rule (does a matching rule exist in that chain?).\n'],
  ['iptables -I FORWARD 5 -j DROP', 1, 'iptables: Index of insertion too big.\n'],
  ['iptables -N FORWARD', 1, 'iptables: Chain already exists.\n'],
  ['iptables -P FOO DROP', 1, 'iptables: Bad built-in chain name.\n'],
  ['iptables -A FORWARD -j FOO', 2, `${V}Chain 'FOO' does not exist\n${HELP}`],
  ['iptables -A FORWARD --dport 80 -j ACCEPT', 2, `${V}unknown option "--dport"\n${HELP}`],
  ['iptables -A FORWARD -m foo', 2, `${V}Couldn't load match \`foo':No such file or directory\n\n${HELP}`],
  ['iptables -A FORWARD -p foo', 2, `${V}unknown protocol "foo" specified\n${HELP}`],
  ['iptables -A FORWARD -s foo', 2, `${V}host/network \`foo' not found\n${HELP}`],
  ['iptables -t foo -L', 3, `${V}table 'foo' does not exist\nPerhaps iptables or your kernel needs to be upgraded.\n`],
  ['iptables -A FORWARD -m set --match-set x src', 2, `${V}Set x doesn't exist.\n\n${HELP}`],
  ['iptables -A FORWARD -j TPROXY --on-port 1', 2, 'overlab: iptables: not modelled: -j TPROXY\n'],
  ['iptables -A FORWARD -m u32 --u32 0', 2, 'overlab: iptables: not modelled: -m u32\n'],
]

for (const [line, status, stderr] of refusals) {
  test(`${line} is refused and changes nothing`, async () => {
    assert.deepEqual(await run(line), { status, stdout: '', stderr })
    assert.deepEqual(kernel.nftables.list().tables, [])
  })
}

test('-I, -R and -D by number keep the order of the others', async () => {
  for (const line of [
    '-A FORWARD -s 10.0.0.1',
    '-A FORWARD -s 10.0.0.2',
    '-I FORWARD -s 10.0.0.3',
    '-I FORWARD 2 -s 10.0.0.4',
  ]) {
    await succeeds(`iptables ${line}`)
  }
  await succeeds('iptables -R FORWARD 3 -s 10.0.0.5')
  await succeeds('iptables -D FORWARD 1')
  assert.equal(
    await succeeds('iptables -S FORWARD'),
    '-P FORWARD ACCEPT\n-A FORWARD -s 10.0.0.4/32\n-A FORWARD -s 10.0.0.5/32\n-A FORWARD -s 10.0.0.2/32\n',
  )
})

test('-E takes the rules along, and all that lead there', async () => {
  await succeeds('iptables -N A')
  await succeeds('iptables -A A -j DROP')
  await succeeds('iptables -A FORWARD -j A')
  await succeeds('iptables -E A B')
  const text = '-P INPUT ACCEPT\n-P FORWARD ACCEPT\n-P OUTPUT ACCEPT\n-N B\n-A FORWARD -j B\n-A B -j DROP\n'
  assert.equal(await succeeds('iptables -S'), text)
})

test('iptables-restore is all or nothing, table by table', async () => {
  const text = '*filter\n:FORWARD DROP [0:0]\n-A FORWARD -j ACCEPT\nCOMMIT\n*nat\n-A POSTROUTING -j NONE\nCOMMIT\n'
  const { status, stderr } = await run('iptables-restore', text)
  assert.equal(status, 2)
  assert.match(stderr, /Chain 'NONE' does not exist\nError occurred at line: 7\n/)
  assert.equal(await succeeds('iptables -S FORWARD'), '-P FORWARD DROP\n-A FORWARD -j ACCEPT\n')
  assert.equal(kernel.nftables.list().tables.length, 1)
})

test('iptables-restore --noflush keeps the other chains, and empties those that it names', async () => {
  await run('iptables-restore', '*filter\n:A - [0:0]\n:B - [0:0]\n-A A -j ACCEPT\n-A B -j DROP\nCOMMIT\n')
  await run('iptables-restore -n', '*filter\n:A - [0:0]\n-A A -s 10.0.0.1 -j RETURN\n-I B -j A\nCOMMIT\n')
  const { stdout } = await run('iptables -S')
  assert.deepEqual(rulesOf(stdout), ['-A A -s 10.0.0.1/32 -j RETURN', '-A B -j A', '-A B -j DROP'])
})

test('iptables-restore -c takes the counters over, and -Z sets them to zero', async () => {
  await run('iptables-restore -c', '*filter\n:INPUT DROP [3:4]\n[5:6] -A INPUT -j ACCEPT\nCOMMIT\n')
  assert.equal(await succeeds('iptables -v -S INPUT'), '-P INPUT DROP -c 3 4\n-A INPUT -c 5 6 -j ACCEPT\n')
  await succeeds('iptables -Z')
  assert.equal(await succeeds('iptables -v -S INPUT'), '-P INPUT DROP -c 0 0\n-A INPUT -c 0 0 -j ACCEPT\n')
})

test('iptables-save says when, by the clock that it is given', async () => {
  await succeeds('iptables -N A')
  const { stdout } = await runLine('iptables-save', {
    kernel,
    now: () => Date.UTC(2024, 1, 29, 23, 59, 59),
    sleep: async () => {},
  })
  assert.match(stdout, /^# Generated by iptables-save v1\.8\.9 \(nf_tables\) on Thu Feb 29 23:59:59 2024\n\*filter\n/)
})
