/**
 * iptables is the witness: rules that our command makes are its rules to the byte, and what it has made ours tells in its
 * words. iptables 1.8.9 over nf_tables.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { beforeAll, test } from 'vitest'
import { runLine } from '../../src/command/run.ts'
import type { NftRule } from '../../src/kernel/nftables.ts'
import { linux } from '../../src/linux/linux.ts'
import { liveLinux } from '../../src/linux/live.ts'

/** Lines as they are typed: forms that lessons, flannel, kube-proxy and Calico use, and the rarer ones of each extension. */
const lines = [
  'iptables -t nat -A POSTROUTING -s 10.244.0.0/16 -d 10.244.0.0/16 -j RETURN',
  'iptables -t nat -A POSTROUTING -s 10.244.0.0/16 ! -d 224.0.0.0/4 -j MASQUERADE',
  'iptables -A INPUT -p icmp --icmp-type fragmentation-needed -j DROP',
  'iptables -t mangle -A FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu',
  'iptables -A INPUT -p udp --dport 8472 -j DROP',
  'iptables -A INPUT -p udp --dport 8472 -j REJECT',
  'iptables -t nat -A PREROUTING -d 10.96.0.10/32 -p tcp --dport 80 -j DNAT --to-destination 10.244.1.2:8080',
  'iptables -A FORWARD -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT',
  'iptables -A FORWARD -d 10.244.1.2 -s 10.244.0.2 -p tcp --dport 8080 -j ACCEPT',
  'iptables -A FORWARD -i eth0 -o veth+ -j ACCEPT',
  'iptables -A FORWARD ! -i eth0 ! -o ve+ -j ACCEPT',
  'iptables -A FORWARD -i + -j ACCEPT',
  'iptables -A FORWARD -s 10.0.0.0/8 -j ACCEPT',
  'iptables -A FORWARD -s 10.128.0.0/9 -j ACCEPT',
  'iptables -A FORWARD -s 10.0.0.0/255.0.255.0 -j ACCEPT',
  'iptables -A FORWARD -s 0.0.0.0/0 -j ACCEPT',
  'iptables -A FORWARD ! -s 10.0.0.1 -j ACCEPT',
  'iptables -A FORWARD -p tcp -j ACCEPT',
  'iptables -A FORWARD ! -p tcp -j ACCEPT',
  'iptables -A FORWARD -p all -j ACCEPT',
  'iptables -A FORWARD -f -j ACCEPT',
  'iptables -A FORWARD ! -f -j ACCEPT',
  'iptables -A FORWARD -p tcp --sport 1:1024 --dport 80 -j ACCEPT',
  'iptables -A FORWARD -p tcp ! --sport 1:1024 ! --dport 80 -j ACCEPT',
  'iptables -A FORWARD -p tcp --syn -j ACCEPT',
  'iptables -A FORWARD -p tcp ! --syn -j ACCEPT',
  'iptables -A FORWARD -p tcp --tcp-flags ALL NONE -j ACCEPT',
  'iptables -A FORWARD -p tcp --tcp-option 5 -j ACCEPT',
  'iptables -A FORWARD -p tcp --dport 0:65535 -j ACCEPT',
  'iptables -A FORWARD -p udp --sport 53:53 -j ACCEPT',
  'iptables -A FORWARD -p udp --dport 100: -j ACCEPT',
  'iptables -A FORWARD -p udp ! --dport 100:200 --sport 1 -j ACCEPT',
  'iptables -A FORWARD -p icmp -j ACCEPT',
  'iptables -A FORWARD -p icmp --icmp-type 8 -j ACCEPT',
  'iptables -A FORWARD -p icmp ! --icmp-type echo-reply -j ACCEPT',
  'iptables -A FORWARD -p icmp --icmp-type any -j ACCEPT',
  'iptables -A FORWARD -p icmp --icmp-type 3 -j ACCEPT',
  'iptables -A FORWARD -m comment --comment "hello world" -j ACCEPT',
  'iptables -A FORWARD -m comment --comment "hello" -j ACCEPT',
  'iptables -A FORWARD -m mark --mark 0x4000/0x4000 -j ACCEPT',
  'iptables -A FORWARD -m mark ! --mark 0x4000/0x4000 -j ACCEPT',
  'iptables -A FORWARD -m mark --mark 1 -j ACCEPT',
  'iptables -A FORWARD -m connmark --mark 1/0xff -j ACCEPT',
  'iptables -A FORWARD -m limit --limit 5/min -j ACCEPT',
  'iptables -A FORWARD -m limit --limit 10/s --limit-burst 20 -j ACCEPT',
  'iptables -A FORWARD -m multiport -p tcp --dports 80,443,1000:2000 -j ACCEPT',
  'iptables -A FORWARD -m multiport -p udp ! --sports 80 -j ACCEPT',
  'iptables -A FORWARD -m addrtype --dst-type LOCAL -j ACCEPT',
  'iptables -A FORWARD -m addrtype ! --src-type LOCAL,UNICAST --limit-iface-in -j ACCEPT',
  'iptables -A FORWARD -m statistic --mode random --probability 0.33333333349 -j ACCEPT',
  'iptables -A FORWARD -m statistic --mode nth --every 3 --packet 0 -j ACCEPT',
  'iptables -A FORWARD -m recent --name foo --set --rsource -j ACCEPT',
  'iptables -A FORWARD -m recent --name foo --rcheck --seconds 10800 --reap --rsource -j ACCEPT',
  'iptables -A FORWARD -m physdev --physdev-in veth1 --physdev-is-bridged -j ACCEPT',
  'iptables -A FORWARD -m physdev --physdev-out veth+ -j ACCEPT',
  'iptables -t raw -A PREROUTING -m rpfilter --invert -j DROP',
  'iptables -t raw -A PREROUTING -m rpfilter --validmark --loose --accept-local -j DROP',
  'iptables -A FORWARD -m pkttype --pkt-type broadcast -j ACCEPT',
  'iptables -A FORWARD -m pkttype ! --pkt-type multicast -j ACCEPT',
  'iptables -A FORWARD -p tcp -m tcpmss --mss 1400:1500 -j ACCEPT',
  'iptables -A FORWARD -m state --state NEW,INVALID -j ACCEPT',
  'iptables -A FORWARD -m conntrack --ctstate DNAT -j ACCEPT',
  'iptables -A FORWARD -m conntrack ! --ctstate NEW --ctorigdst 10.0.0.0/8 --ctproto 6 -j ACCEPT',
  'iptables -A FORWARD -m conntrack --ctorigdstport 80 --ctdir ORIGINAL --ctstatus ASSURED,CONFIRMED -j ACCEPT',
  'iptables -t mangle -A PREROUTING -j MARK --set-mark 1',
  'iptables -t mangle -A PREROUTING -j MARK --set-xmark 0x4000/0x4000',
  'iptables -t mangle -A PREROUTING -j MARK --or-mark 0x8000',
  'iptables -t mangle -A PREROUTING -j MARK --and-mark 0xff',
  'iptables -t mangle -A PREROUTING -j MARK --xor-mark 0xff',
  'iptables -t mangle -A PREROUTING -j CONNMARK --save-mark',
  'iptables -t mangle -A PREROUTING -j CONNMARK --restore-mark --nfmask 0xff --ctmask 0xff',
  'iptables -t mangle -A PREROUTING -j CONNMARK --set-mark 5',
  'iptables -t mangle -A PREROUTING -j CONNMARK --set-xmark 0x5/0xff',
  'iptables -t mangle -A FORWARD -p tcp -j TCPMSS --set-mss 1400',
  'iptables -t raw -A PREROUTING -j CT --notrack',
  'iptables -t raw -A PREROUTING -j CT --zone 5',
  'iptables -t raw -A PREROUTING -j NOTRACK',
  'iptables -t raw -A PREROUTING -j TRACE',
  'iptables -A FORWARD -j LOG --log-prefix "foo bar: " --log-level debug',
  'iptables -A FORWARD -j LOG',
  'iptables -A FORWARD -j LOG --log-prefix x --log-tcp-options --log-ip-options --log-uid --log-tcp-sequence',
  'iptables -A FORWARD -j NFLOG --nflog-group 5 --nflog-prefix "abc"',
  'iptables -A FORWARD -j NFLOG',
  'iptables -A FORWARD -j REJECT --reject-with icmp-host-prohibited',
  'iptables -A FORWARD -p tcp -j REJECT --reject-with tcp-reset',
  'iptables -t nat -A POSTROUTING -j MASQUERADE --random-fully',
  'iptables -t nat -A POSTROUTING -p tcp -j MASQUERADE --to-ports 1024-2000 --random',
  'iptables -t nat -A POSTROUTING -j SNAT --to-source 1.2.3.4',
  'iptables -t nat -A POSTROUTING -p tcp -j SNAT --to-source 1.2.3.4-1.2.3.9:1000-2000 --random-fully --persistent',
  'iptables -t nat -A PREROUTING -p tcp -j DNAT --to-destination :8080',
  'iptables -t nat -A PREROUTING -j DNAT --to-destination 1.2.3.4 --random',
  'iptables -t nat -A PREROUTING -p tcp -j REDIRECT --to-ports 8080',
  'iptables -t nat -A PREROUTING -p tcp -j REDIRECT --to-ports 8080-8090 --random',
  'iptables -t nat -A PREROUTING -j REDIRECT',
  'iptables -A FORWARD',
  'iptables -A FORWARD -s 10.0.0.1 -d 10.0.0.2 -i eth0 -o eth1 -p udp -m udp --sport 1 --dport 2 -m comment --comment x -j DROP',
  'ip6tables -A FORWARD -s fd00::/64 ! -d fd00::1 -j DROP',
  'ip6tables -A FORWARD -p icmpv6 -j DROP',
  'ip6tables -A FORWARD -p icmpv6 --icmpv6-type echo-request -j DROP',
  'ip6tables -A FORWARD -p tcp --dport 80 -j REJECT',
  'ip6tables -A FORWARD -j REJECT --reject-with icmp6-adm-prohibited',
  `ip6tables -t nat -A PREROUTING -p tcp --dport 80 -j DNAT --to-destination '[fd00::2]:80'`,
  'ip6tables -t nat -A PREROUTING -p tcp -j DNAT --to-destination fd00::2',
  'ip6tables -t nat -A POSTROUTING -j MASQUERADE',
  'iptables -A FORWARD -p tcp --dport :1024 -j ACCEPT',
  'iptables -A FORWARD -p tcp ! --sport :1024 -j ACCEPT',
  'iptables -A FORWARD -p tcp ! --sport 1 ! --dport 2 -j ACCEPT',
  'iptables -A FORWARD -p tcp --sport 0 --dport 2 -j ACCEPT',
  'iptables -A FORWARD -p tcp --syn --dport ssh -j ACCEPT',
  'iptables -A FORWARD -p 47 -j ACCEPT',
  'iptables -A FORWARD -p udp -m udp -j ACCEPT',
  'iptables -A FORWARD ! -o + -j ACCEPT',
  'iptables -A FORWARD -m conntrack --ctstate INVALID,NEW,UNTRACKED,SNAT,DNAT -j ACCEPT',
  'iptables -A FORWARD -m conntrack ! --ctorigsrc 10.0.0.1 --ctreplsrc 10.0.0.0/24 ! --ctrepldst 10.1.2.3 -j ACCEPT',
  'iptables -A FORWARD -m conntrack --ctorigsrcport 1000:2000 --ctreplsrcport 80 ! --ctrepldstport 90 -j ACCEPT',
  'iptables -A FORWARD -m conntrack --ctstatus NONE --ctdir REPLY -j ACCEPT',
  'iptables -A FORWARD -m state ! --state ESTABLISHED -j ACCEPT',
  'iptables -A FORWARD -m limit --limit 1/day --limit-burst 1 -j ACCEPT',
  'iptables -A FORWARD -m limit --limit 7/hour -j ACCEPT',
  'iptables -A FORWARD -m limit --limit 1000/s -j ACCEPT',
  'iptables -A FORWARD -p udp -m multiport --ports 53,1000:2000,5353 -j ACCEPT',
  'iptables -A FORWARD -m addrtype --src-type BROADCAST,MULTICAST ! --dst-type UNICAST -j ACCEPT',
  'iptables -A FORWARD -m statistic --mode random ! --probability 0.5 -j ACCEPT',
  'iptables -A FORWARD -m statistic --mode nth ! --every 10 --packet 3 -j ACCEPT',
  'iptables -A FORWARD -m recent ! --update --seconds 60 --hitcount 4 --rdest -j ACCEPT',
  'iptables -A FORWARD -m recent --remove --name a_longer_name -j ACCEPT',
  'iptables -A FORWARD -m physdev ! --physdev-in veth+ --physdev-is-in --physdev-is-out -j ACCEPT',
  'iptables -A FORWARD -m connmark ! --mark 0x10/0xf0 -j ACCEPT',
  `iptables -A FORWARD -m comment --comment 'it is "so" \\ and not' -j ACCEPT`,
  'iptables -A FORWARD -p tcp -m tcpmss ! --mss 536 -j ACCEPT',
  'iptables -A FORWARD -p icmp --icmp-type 3/0:4 -j ACCEPT',
  'iptables -A FORWARD -p icmp --icmp-type parameter-problem -j ACCEPT',
  'iptables -A FORWARD -j LOG --log-level info --log-macdecode',
  'iptables -A FORWARD -j NFLOG --nflog-size 64 --nflog-threshold 5',
  'iptables -A FORWARD -j REJECT --reject-with icmp-admin',
  'iptables -t mangle -A PREROUTING -j CONNMARK --save-mark --mask 0xff',
  'iptables -t mangle -A PREROUTING -j CONNMARK --save-mark --nfmask 0xf0 --ctmask 0x0f',
  'iptables -t mangle -A PREROUTING -j CONNMARK --or-mark 0x10',
  'iptables -t mangle -A PREROUTING -j CONNMARK --and-mark 0x10',
  'iptables -t mangle -A PREROUTING -j MARK --set-mark 0x10/0xf0',
  'iptables -t nat -A PREROUTING -p udp -j DNAT --to-destination 10.0.0.1-10.0.0.9:53-54 --persistent',
  'iptables -t nat -A POSTROUTING -p icmp -j SNAT --to-source 10.0.0.1 --random',
  'iptables -t security -A INPUT -s 10.0.0.1 -j ACCEPT',
  'iptables -A INPUT -s 10.0.0.1,10.0.0.2 -d 10.1.0.0/16,10.2.0.0/16 -j DROP',
  'ip6tables -A FORWARD -s fd00::/61 -d fd00::1/ffff::ffff -j DROP',
  'ip6tables -A FORWARD -p tcp --syn -j REJECT --reject-with tcp-reset',
  'ip6tables -A FORWARD -m conntrack --ctorigsrc fd00::1 --ctrepldst fd00::/64 -j ACCEPT',
  'ip6tables -A FORWARD -m recent --set -j ACCEPT',
  'ip6tables -A FORWARD -p icmpv6 ! --icmpv6-type 1/4 -j DROP',
  'ip6tables -t nat -A POSTROUTING -p tcp -j SNAT --to-source fd00::1-fd00::9',
  'ip6tables -t nat -A POSTROUTING -p tcp -j MASQUERADE --to-ports 1000-2000',
  'ip6tables -t nat -A PREROUTING -p udp -j REDIRECT --to-ports 53',
  'ip6tables -t mangle -A FORWARD -p tcp -j TCPMSS --set-mss 1200',
]

/** All that is listed of the tables. */
const listings = ['iptables', 'ip6tables'].flatMap((program) =>
  ['filter', 'nat', 'mangle', 'raw', 'security'].flatMap((table) =>
    ['-S', '-v -S', '-L -n -v', '-L', '-L -v -x --line-numbers'].map((verb) => `${program} -t ${table} ${verb}`),
  ),
)

const kernel = liveLinux()
const context = { kernel, now: () => 0, sleep: async () => {} }
const run = (line: string) => runLine(line, context)
// nft warns of every table that iptables has made; what is said of a failure stands in the error.
const real = (line: string): string => execFileSync('sh', ['-c', line], { encoding: 'utf8', stdio: 'pipe' })
const flush = () => execFileSync('nft', ['flush', 'ruleset'])
/** As the kernel has them: extensions in their bytes. */
const rules = (): NftRule[] => linux.nftables.list().rules.map(({ handle: _handle, ...rule }) => rule)

const theirs: { readonly added: NftRule[]; readonly told: string[]; readonly listedByUs: string[] } = {
  added: [],
  told: [],
  listedByUs: [],
}
const ours: { readonly added: NftRule[]; readonly told: string[] } = { added: [], told: [] }

beforeAll(async () => {
  for (const line of lines) real(line)
  theirs.added.push(...rules())
  for (const listing of listings) {
    theirs.told.push(real(listing))
    theirs.listedByUs.push((await run(listing)).stdout)
  }
  flush()
  for (const line of lines) assert.deepEqual(await run(line), { status: 0, stdout: '', stderr: '' }, line)
  ours.added.push(...rules())
  for (const listing of listings) ours.told.push(real(listing))
})

test('our rules are those that iptables makes, expression by expression', () => {
  assert.equal(ours.added.length, theirs.added.length)
  for (const [index, rule] of theirs.added.entries()) assert.deepEqual(ours.added[index], rule)
})

for (const [index, listing] of listings.entries()) {
  test(`${listing} shows our rules as it shows its own`, () => assert.equal(ours.told[index], theirs.told[index]))
  test(`${listing} of ours shows iptables' rules as it does`, () =>
    assert.equal(theirs.listedByUs[index], theirs.told[index]))
}

test('iptables finds every rule that we made, and we those that it made', async () => {
  for (const line of lines) real(line.replace(' -A ', ' -C '))
  for (const line of lines) real(line.replace(' -A ', ' -D '))
  assert.deepEqual(rules(), [])
  for (const line of lines) real(line)
  for (const line of lines) assert.equal((await run(line.replace(' -A ', ' -D '))).status, 0, line)
  assert.deepEqual(rules(), [])
})

/** A command and what is typed into it, one after the other in one namespace; what each prints must be the same. */
const restored = `*nat
:PREROUTING ACCEPT [0:0]
:KUBE-SERVICES - [0:0]
:KUBE-MARK-MASQ - [0:0]
:KUBE-POSTROUTING - [0:0]
:KUBE-SVC-ABCDEFGHIJKLMNOP - [0:0]
:KUBE-SEP-AAAAAAAAAAAAAAAA - [0:0]
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
[7:420] -A KUBE-MARK-MASQ -j MARK --or-mark 0x4000
-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN
-A KUBE-POSTROUTING -j MARK --xor-mark 0x4000
-A KUBE-POSTROUTING -m comment --comment "kubernetes service traffic requiring SNAT" -j MASQUERADE --random-fully
-A KUBE-SERVICES -d 10.96.0.10/32 -p tcp -m comment --comment "default/nginx cluster IP" -m tcp --dport 80 -j KUBE-SVC-ABCDEFGHIJKLMNOP
-A KUBE-SVC-ABCDEFGHIJKLMNOP -m statistic --mode random --probability 0.50000000000 -j KUBE-SEP-AAAAAAAAAAAAAAAA
-A KUBE-SEP-AAAAAAAAAAAAAAAA -s 10.244.1.2/32 -j KUBE-MARK-MASQ
-A KUBE-SEP-AAAAAAAAAAAAAAAA -p tcp -m tcp -j DNAT --to-destination 10.244.1.2:8080
COMMIT
*filter
:FORWARD DROP [3:4]
:KUBE-FORWARD - [0:0]
-A FORWARD -j KUBE-FORWARD
-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP
-A KUBE-FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
COMMIT
`
const added = `*nat
:KUBE-SVC-ABCDEFGHIJKLMNOP - [0:0]
-I KUBE-SERVICES 2 -d 10.96.0.11 -j KUBE-MARK-MASQ
-I KUBE-SERVICES -d 10.96.0.12 -j KUBE-MARK-MASQ
-D KUBE-SEP-AAAAAAAAAAAAAAAA -s 10.244.1.2/32 -j KUBE-MARK-MASQ
COMMIT
`
const refusedByKernel = '*filter\n-A FORWARD -j ACCEPT\n-A FORWARD -j MASQUERADE\n-A FORWARD -j DROP\nCOMMIT\n'
const story: readonly (readonly [line: string, stdin?: string])[] = [
  ['iptables -L FOO'],
  ['iptables -S FOO'],
  ['iptables -L -t foo'],
  ['iptables -A FOO -j ACCEPT'],
  ['iptables -D FORWARD -j ACCEPT'],
  ['iptables -C FORWARD -j ACCEPT'],
  ['iptables -D FORWARD 1'],
  ['iptables -F FOO'],
  ['iptables -X FOO'],
  ['iptables -Z'],
  ['iptables -Z FORWARD'],
  ['iptables -N A'],
  ['iptables -N A'],
  ['iptables -N FORWARD'],
  ['iptables -N DNAT'],
  ['iptables -N C'],
  ['iptables -X C'],
  ['iptables -A FORWARD -j A'],
  ['iptables -X A'],
  ['iptables -X'],
  ['iptables -A A -j DROP'],
  ['iptables -F FORWARD'],
  ['iptables -X A'],
  ['iptables -X FORWARD'],
  ['iptables -P FORWARD DROP'],
  ['iptables -X FORWARD'],
  ['iptables -P A DROP'],
  ['iptables -P FORWARD REJECT'],
  ['iptables -P FORWARD'],
  ['iptables -I FORWARD 5 -j DROP'],
  ['iptables -I FORWARD 1 -j DROP'],
  ['iptables -I FORWARD 2 -j ACCEPT'],
  ['iptables -R FORWARD 3 -j ACCEPT'],
  ['iptables -R FORWARD 1 -j B'],
  ['iptables -S -v'],
  ['iptables -D FORWARD 9'],
  ['iptables -D FORWARD -j B'],
  ['iptables -L FORWARD 1'],
  ['iptables -L -v'],
  ['iptables -L FORWARD 1 -v -n'],
  ['iptables -L --line-numbers'],
  ['iptables -v -A FORWARD -s 10.0.0.0/8 -p tcp --dport 80 -j ACCEPT'],
  ['iptables -v -D FORWARD -s 10.0.0.0/8 -p tcp --dport 80 -j ACCEPT'],
  ['iptables -v -F'],
  ['iptables -v -X'],
  ['iptables -A FORWARD -j MASQUERADE'],
  ['iptables -t nat -A POSTROUTING -j DROP'],
  ['iptables -t nat -A POSTROUTING -i eth0 -j ACCEPT'],
  ['iptables -A FORWARD -m foo -j ACCEPT'],
  ['iptables -A FORWARD --dport 80 -j ACCEPT'],
  ['iptables -A FORWARD -p tcp --foo 80 -j ACCEPT'],
  ['iptables -A FORWARD -j FOO'],
  ['iptables -A FORWARD -s foo -j ACCEPT'],
  ['iptables -A FORWARD foo -j ACCEPT'],
  ['iptables -A FORWARD -p tcp --dport foo'],
  ['iptables -A FORWARD -p udp --dport foo'],
  ['iptables -A FORWARD -p foo'],
  ['iptables -A FORWARD -m conntrack'],
  ['iptables -A FORWARD -m conntrack --ctstate foo'],
  ['iptables -A FORWARD -m limit --limit 0'],
  ['iptables'],
  ['iptables -V'],
  ['iptables -A FORWARD -m tcp --dport 80'],
  ['iptables -A FORWARD -m multiport --dports 80'],
  ['iptables -A FORWARD -p tcp -m multiport --dports 80 --sports 80'],
  ['iptables -A FORWARD -m mark --mark foo'],
  ['iptables -A FORWARD -m statistic --mode random'],
  ['iptables -t mangle -A FORWARD -j MARK'],
  ['iptables -t nat -A PREROUTING -j DNAT'],
  ['iptables -t nat -A PREROUTING -j DNAT --to 1.2.3.4:80'],
  ['iptables -t nat -A PREROUTING -j DNAT --to foo'],
  ['iptables -A FORWARD -j REJECT --reject-with foo'],
  ['iptables -A FORWARD -p tcp -j ACCEPT -p udp'],
  ['iptables -A FORWARD -j'],
  ['iptables -L -A FORWARD'],
  ['iptables -A FORWARD ! -j ACCEPT'],
  ['iptables -A FORWARD -n'],
  ['iptables -L -s 10.0.0.1'],
  ['iptables -t raw -A OUTPUT -m rpfilter -j ACCEPT'],
  ['iptables -A FORWARD -j TCPMSS --clamp-mss-to-pmtu'],
  ['iptables -A FORWARD -p tcp -m tcpmss --mss 5:1'],
  ['iptables -A INPUT -m addrtype --dst-type foo'],
  ['iptables -A INPUT -p icmp --icmp-type foo'],
  ['iptables -A INPUT -p icmp --icmp-type t'],
  ['iptables -A INPUT -p tcp -j REJECT --reject-with tcp-reset -m comment --comment "a b"'],
  ['iptables -A INPUT -j LOG --log-prefix ""'],
  ['iptables-restore', restored],
  ['iptables-save'],
  ['iptables-save -c'],
  ['iptables-save -t nat'],
  ['iptables -t nat -L -n -v'],
  ['iptables -t nat -L'],
  ['iptables -t nat -S'],
  ['iptables-restore -c', restored],
  ['iptables-save -c'],
  ['iptables -L -v -n'],
  ['iptables -S -v'],
  ['iptables-restore --noflush', added],
  ['iptables-save'],
  ['iptables-restore -n', added],
  ['iptables-save'],
  ['iptables -Z'],
  ['iptables -t nat -Z'],
  ['iptables -t nat -Z KUBE-MARK-MASQ'],
  ['iptables-save -c'],
  ['iptables-save -t foo'],
  ['iptables-save -t raw'],
  ['iptables-restore', '*filter\n-A FORWARD -j NONE\nCOMMIT\n'],
  ['iptables-restore', '*filter\n:INPUT ACCEPT [0:0]\n-A FORWARD -p tcp --foo\nCOMMIT\n'],
  ['iptables-restore', refusedByKernel],
  ['iptables-restore', '*filter\n:INPUT ACCEPT [0:0]\n-A FOO -j ACCEPT\nCOMMIT\n'],
  ['iptables-restore', '*filter\n-A FORWARD -j ACCEPT\n'],
  ['iptables-restore', '*foo\nCOMMIT\n'],
  ['iptables-restore', 'foo\n'],
  ['iptables-restore -t', '*filter\nCOMMIT\n'],
  ['iptables-restore', '*filter\nCOMMIT\n'],
  ['iptables-save'],
  ['iptables-restore -T nat', restored],
  ['iptables-restore -T filter', restored],
  ['iptables-save'],
  ['ip6tables-restore', '*filter\nCOMMIT\n'],
  ['ip6tables-save'],
  ['ip6tables -A INPUT -s fd00::1,fd00::2 -d fd01::/64 -j ACCEPT'],
  ['ip6tables -A INPUT -s ::/0 -j ACCEPT'],
  ['ip6tables -I INPUT 2 -s fd00::5,fd00::6 -p udp --dport 53 -j ACCEPT'],
  ['ip6tables -S'],
  ['ip6tables -L -n'],
  ['ip6tables -L'],
  ['ip6tables -A INPUT -f -j ACCEPT'],
  ['ip6tables -A INPUT -s 10.0.0.1 -j ACCEPT'],
  ['iptables -A INPUT -s fd00::1 -j ACCEPT'],
  ['iptables -A INPUT -s 10.0.0.1,10.0.0.2,10.1/16 -j ACCEPT'],
  ['iptables -A INPUT -s 10.0.0.1,10.0.0.2 ! -d 1.1.1.1 -j ACCEPT'],
  ['iptables -D INPUT -s 10.0.0.1,10.0.0.2 -j ACCEPT'],
  ['iptables -S INPUT'],
  ['iptables -L INPUT'],
  ['iptables -A INPUT -s 127.0.0.1 -d 169.254.0.0/16 -j ACCEPT'],
  ['iptables -A INPUT -s localhost -j ACCEPT'],
  ['iptables -L INPUT'],
  ['iptables -L INPUT 2'],
  ['iptables -L INPUT 20'],
  ['iptables -S INPUT 2'],
  ['iptables -v -C INPUT -s 127.0.0.1 -j ACCEPT'],
  ['iptables -w -A INPUT -j ACCEPT'],
  ['iptables -w 5 -A INPUT -j ACCEPT'],
  ['iptables --append INPUT --protocol tcp --destination-port 22 --jump ACCEPT'],
  ['iptables -A INPUT -p tcp --destination-p 22 -j ACCEPT'],
  ['iptables -AINPUT -ptcp -jACCEPT'],
  ['iptables -vnL INPUT'],
  ['iptables -nvxL INPUT --line'],
  ['iptables -A INPUT -c 5 100 -j ACCEPT'],
  ['iptables -L INPUT -v'],
  ['iptables -L INPUT -v -Z'],
  ['iptables -A INPUT -c 123456789 987654321000 -j ACCEPT'],
  ['iptables -L INPUT -v'],
  ['iptables -4 -A INPUT -j ACCEPT'],
  ['iptables -6 -A INPUT -j ACCEPT'],
  ['iptables -A INPUT -g KUBE-FORWARD'],
  ['iptables -L INPUT -v -n'],
  ['iptables -L KUBE-FORWARD'],
  ['iptables -t mangle -S'],
]

test('a story told to both is answered in the same words, and leaves the same rules', async () => {
  kernel.namespaces.add('theirs')
  flush()
  for (const [line, stdin = ''] of story) {
    const answer = await runLine(line, { ...context, readStdin: () => stdin })
    const [status, stdout, stderr] = tell(line, stdin)
    assert.deepEqual(withoutTime(answer), withoutTime({ status, stdout, stderr }), line)
    const [left, right] = [real('nft list ruleset'), real('ip netns exec theirs nft list ruleset')]
    assert.equal(left, right, `the ruleset after ${line}`)
  }
})

/** The real program's status, stdout and stderr. */
function tell(line: string, stdin: string): [number, string, string] {
  const script = `ip netns exec theirs ${line} >/run/out 2>/run/err; echo $?`
  const status = Number(execFileSync('sh', ['-c', script], { encoding: 'utf8', input: stdin }))
  return [status, real('cat /run/out'), real('cat /run/err')]
}

function withoutTime({ status, stdout, stderr }: { status: number; stdout: string; stderr: string }) {
  return { status, stdout: stdout.replace(/ on \w{3} \w{3} .*$/gm, ''), stderr }
}
