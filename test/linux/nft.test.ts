/**
 * nft is the witness: what we read it reads alike, and what it has made we show in its words. nftables 1.0.6.
 */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { beforeEach, test } from 'vitest'
import { runWords } from '../../src/command/run.ts'
import { liveLinux } from '../../src/linux/live.ts'

const kernel = liveLinux()
const nft = async (text: string) =>
  runWords(['nft', ...(text.startsWith('-n ') ? ['-n', text.slice(3)] : [text])], {
    kernel,
    now: () => 0,
    sleep: async () => {},
  })
const real = (text: string) => spawnSync('nft', [text], { encoding: 'utf8' })

const SETS = [
  'set s { type ipv4_addr; flags interval; }',
  'set p { type ipv4_addr . inet_service; }',
  'map m { type inet_service : verdict; }',
].join('\n')

/** Family, rule as it is typed, hook where it must be another than forward. */
const rules: readonly (readonly [family: string, rule: string])[] = [
  ['inet', 'tcp dport 80 accept'],
  ['inet', 'tcp sport 1 tcp dport 80 accept'],
  ['inet', 'ip saddr 10.0.0.1 ip daddr 10.0.0.2 accept'],
  ['inet', 'ip saddr 10.0.0.0/8 tcp dport 1-1024 drop'],
  ['inet', 'ip saddr 10.0.0.0/9 drop'],
  ['inet', 'ip saddr != 10.0.0.0/9 drop'],
  ['inet', 'ip saddr != 10.0.0.0/8 drop'],
  ['inet', 'ip6 saddr fd00::/61 drop'],
  ['inet', 'ip6 saddr fd00::/64 ip6 daddr fd00::1 drop'],
  ['inet', 'ip protocol tcp tcp dport 80 accept'],
  ['inet', 'meta l4proto tcp accept'],
  ['inet', 'meta l4proto { tcp, udp } th dport 53 accept'],
  ['inet', 'meta l4proto { tcp, udp } accept'],
  ['inet', 'tcp dport { 80, 443 } accept'],
  ['inet', 'tcp dport != { 80, 443 } accept'],
  ['inet', 'tcp dport { 1-10, 443 } accept'],
  ['inet', 'tcp dport vmap { 80 : accept, 443 : jump x }'],
  ['inet', 'ip saddr . tcp dport { 10.0.0.1 . 80 } accept'],
  ['inet', 'ip saddr . tcp dport { 10.0.0.0/24 . 80-90, 10.0.1.1 . 22 } accept'],
  ['inet', 'ct state established,related accept'],
  ['inet', 'ct state vmap { established : accept, invalid : drop }'],
  ['inet', 'ct state { established, related } accept'],
  ['inet', 'ct state invalid drop'],
  ['inet', 'ct state != established drop'],
  ['inet', 'ct state new tcp dport 22 accept'],
  ['inet', 'ct status dnat accept'],
  ['inet', 'ct mark 0x1 accept'],
  ['inet', 'ct mark & 0xff == 0x10 accept'],
  ['inet', 'ct original ip daddr 10.0.0.1 accept'],
  ['inet', 'ct direction reply accept'],
  ['inet', 'ct zone 5 accept'],
  ['inet', 'iifname "eth0" oifname "veth*" accept'],
  ['inet', 'iifname eth0 accept'],
  ['inet', 'iifname { "eth0", "lo" } accept'],
  ['inet', 'iifname != "lo" accept'],
  ['inet', 'iif lo accept'],
  ['inet', 'iif != "lo" accept'],
  ['inet', 'meta mark & 0xff == 0x10 accept'],
  ['inet', 'meta mark and 0x4000 != 0 accept'],
  ['inet', 'mark 0x10 accept'],
  ['inet', 'meta mark { 1, 2 } accept'],
  ['inet', 'meta mark set 0x10'],
  ['inet', 'meta mark set mark or 0x10'],
  ['inet', 'meta mark set mark and 0x10'],
  ['inet', 'meta mark set mark xor 0x10'],
  ['inet', 'ct mark set mark'],
  ['inet', 'meta mark set ct mark'],
  ['inet', 'ct mark set 0x5'],
  ['inet', 'icmp type echo-request accept'],
  ['inet', 'icmp type { echo-request, echo-reply } accept'],
  ['inet', 'icmp code 4 accept'],
  ['inet', 'icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept'],
  ['inet', 'tcp flags syn accept'],
  ['inet', 'tcp flags & (syn|rst) == syn accept'],
  ['inet', 'tcp flags & (fin|syn|rst|ack) != syn drop'],
  ['inet', 'tcp flags syn / syn,rst accept'],
  ['inet', 'tcp flags == syn accept'],
  ['inet', 'fib daddr type local accept'],
  ['inet', 'fib daddr type { local, broadcast } accept'],
  ['inet', 'fib saddr . iif oif missing drop'],
  ['inet', 'fib saddr . iif oif 0 drop'],
  ['inet', 'fib saddr oif exists drop'],
  ['inet', 'limit rate 10/second burst 20 packets accept'],
  ['inet', 'limit rate 10/minute accept'],
  ['inet', 'limit rate over 10 mbytes/second drop'],
  ['inet', 'limit rate 100 kbytes/second burst 512 kbytes accept'],
  ['inet', 'log prefix "foo" level info flags all'],
  ['inet', 'log'],
  ['inet', 'log group 5 prefix "x"'],
  ['inet', 'log level debug flags tcp sequence,options'],
  ['inet', 'reject'],
  ['inet', 'reject with tcp reset'],
  ['inet', 'reject with icmp port-unreachable'],
  ['inet', 'reject with icmpx admin-prohibited'],
  ['inet', 'reject with icmpv6 no-route'],
  ['inet', 'ip saddr 10.0.0.1 reject'],
  ['inet', 'meta pkttype broadcast drop'],
  ['inet', 'pkttype { broadcast, multicast } drop'],
  ['inet', 'ip ttl < 5 drop'],
  ['inet', 'ip ttl 64 accept'],
  ['inet', 'ip dscp cs1 accept'],
  ['inet', 'ip dscp ef accept'],
  ['inet', 'ip dscp { cs1, af11 } accept'],
  ['inet', 'ether saddr 02:00:00:00:00:01 accept'],
  ['inet', 'meta nfproto ipv4 accept'],
  ['inet', 'meta nfproto ipv4 ip saddr 10.0.0.1 accept'],
  ['inet', 'meta nfproto ipv6 tcp dport 80 accept'],
  ['inet', 'counter accept comment "hello"'],
  ['inet', 'counter packets 5 bytes 6'],
  ['inet', 'tcp dport != 80 drop'],
  ['inet', 'tcp dport != 80-90 drop'],
  ['inet', 'tcp dport > 80 drop'],
  ['inet', 'tcp dport >= 80 drop'],
  ['inet', 'tcp dport 80-90 accept'],
  ['inet', 'ip protocol icmp accept'],
  ['inet', 'ip protocol { tcp, udp } accept'],
  ['inet', 'ip6 nexthdr tcp accept'],
  ['inet', 'ip6 hoplimit 5 accept'],
  ['inet', 'udp length 8 accept'],
  ['inet', 'udp dport 53 counter accept'],
  ['inet', 'ip frag-off & 0x1fff != 0 drop'],
  ['inet', 'ip length 100 accept'],
  ['inet', 'ip id 5 drop'],
  ['inet', 'skuid 0 accept'],
  ['inet', 'notrack'],
  ['inet', 'meta nftrace set 1'],
  ['inet', 'ip version 4 accept'],
  ['inet', 'ip saddr @s drop'],
  ['inet', 'ip saddr != @s drop'],
  ['inet', 'ip saddr . tcp dport @p accept'],
  ['inet', 'tcp dport vmap @m'],
  ['inet', 'jump x'],
  ['inet', 'goto x'],
  ['inet', 'return'],
  ['inet', 'continue'],
  ['inet', 'drop'],
  ['inet', 'accept'],
  ['inet', 'ip saddr { 10.0.0.0/8, 192.168.0.0/16 } accept'],
  ['inet', 'ip saddr { 10.0.0.1, 10.0.0.5-10.0.0.9, 10.1.0.0/16 } accept'],
  ['inet', 'ip saddr vmap { 10.0.0.0/8 : jump x, 1.1.1.1 : drop }'],
  ['inet', 'ip saddr . ip daddr vmap { 10.0.0.1 . 10.0.0.2 : accept }'],
  ['inet', 'iifname . tcp dport { "eth0" . 80 } accept'],
  ['inet', 'meta iifname "eth0" counter'],
  ['inet', 'meta length 100 accept'],
  ['inet', 'meta cpu 0 accept'],
  ['inet', 'iifgroup 5 accept'],
  ['inet', 'tcp sequence 5 accept'],
  ['inet', 'tcp window 100 accept'],
  ['inet', 'th dport 53 accept'],
  ['inet', 'meta l4proto 47 accept'],
  ['inet', 'ether type ip accept'],
  ['inet', 'meta protocol ip accept'],
  ['inet', 'meta protocol { ip, ip6 } accept'],
  ['inet', 'tcp dport 80 ip saddr 10.0.0.1 accept'],
  ['inet', 'ct state established accept comment "a b c"'],
  ['inet', 'sctp dport 5 accept'],
  ['inet', 'icmp type destination-unreachable icmp code frag-needed accept'],
  ['ip', 'ip protocol tcp tcp dport 80 accept'],
  ['ip', 'reject with tcp reset'],
  ['ip', 'reject with icmp port-unreachable'],
  ['ip', 'ip saddr 10.0.0.1 reject'],
  ['ip', 'meta protocol ip accept'],
]

beforeEach(() => {
  execFileSync('nft', ['flush', 'ruleset'])
})

for (const [family, rule] of rules) {
  test(`${family}: ${rule} is read and shown as nft does`, async () => {
    const table = `table ${family} t {\n${SETS}\nchain x { }\nchain c { type filter hook forward priority 0\n }\n}`
    assert.equal(real(table).status, 0)
    assert.equal(real(`add rule ${family} t c ${rule}`).status, 0)
    const theirs = real('list ruleset').stdout
    const bytes = debugged(family)
    assert.equal((await nft('list ruleset')).stdout, theirs)
    assert.equal(
      (await nft('-n list ruleset')).stdout,
      execFileSync('nft', ['-n', 'list', 'ruleset'], { encoding: 'utf8' }),
    )
    execFileSync('nft', ['flush', 'ruleset'])
    assert.deepEqual(await nft(table), { status: 0, stdout: '', stderr: '' })
    assert.deepEqual(await nft(`add rule ${family} t c ${rule}`), { status: 0, stdout: '', stderr: '' })
    assert.equal(real('list ruleset').stdout, theirs)
    assert.deepEqual(debugged(family), bytes)
  })
}

/** The rule's expressions as the kernel has them. */
function debugged(family: string): string[] {
  const text = execFileSync('nft', ['--debug=netlink', 'list', 'chain', family, 't', 'c'], { encoding: 'utf8' })
  return text
    .split('\n')
    .filter((line) => line.startsWith('  [ '))
    .map((line) => line.replace(/__(?:set|map)\d+/, ''))
}
