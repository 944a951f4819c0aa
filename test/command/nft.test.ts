/**
 * nft on the model. Expected is what nft 1.0.6 listed of the same rules on Linux 6.18 (`nft add rule …; nft list chain …`);
 * test/linux/nft.test.ts asks it again.
 */
import assert from 'node:assert/strict'
import { beforeEach, test } from 'vitest'
import { runLine, runWords } from '../../src/command/run.ts'
import { createModel } from '../../src/model/create.ts'

let kernel = createModel()
const context = () => ({ kernel, now: () => 0, sleep: async () => {} })
const nft = async (...words: string[]) => runWords(['nft', ...words], context())
const succeeds = async (...words: string[]) => {
  const { status, stdout, stderr } = await nft(...words)
  assert.deepEqual([status, stderr], [0, ''], words.join(' '))
  return stdout
}

beforeEach(() => {
  kernel = createModel()
})

// Family, the rule as it is typed, and as it is listed where that is another way.
const rules: readonly (readonly [family: string, typed: string, listed?: string])[] = [
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
  [
    'inet',
    'ct state vmap { established : accept, invalid : drop }',
    'ct state vmap { invalid : drop, established : accept }',
  ],
  ['inet', 'ct state { established, related } accept'],
  ['inet', 'ct state invalid drop'],
  ['inet', 'ct state != established drop'],
  ['inet', 'ct state new tcp dport 22 accept'],
  ['inet', 'ct status dnat accept'],
  ['inet', 'ct mark 0x1 accept', 'ct mark 0x00000001 accept'],
  ['inet', 'ct mark & 0xff == 0x10 accept', 'ct mark & 0x000000ff == 0x00000010 accept'],
  ['inet', 'ct original ip daddr 10.0.0.1 accept'],
  ['inet', 'ct direction reply accept'],
  ['inet', 'ct zone 5 accept'],
  ['inet', 'iifname "eth0" oifname "veth*" accept'],
  ['inet', 'iifname eth0 accept', 'iifname "eth0" accept'],
  ['inet', 'iifname { "eth0", "lo" } accept', 'iifname { "lo", "eth0" } accept'],
  ['inet', 'iifname != "lo" accept'],
  ['inet', 'iif lo accept', 'iif "lo" accept'],
  ['inet', 'iif != "lo" accept'],
  ['inet', 'meta mark & 0xff == 0x10 accept', 'meta mark & 0x000000ff == 0x00000010 accept'],
  ['inet', 'meta mark and 0x4000 != 0 accept', 'meta mark & 0x00004000 != 0x00000000 accept'],
  ['inet', 'mark 0x10 accept', 'meta mark 0x00000010 accept'],
  ['inet', 'meta mark { 1, 2 } accept', 'meta mark { 0x00000001, 0x00000002 } accept'],
  ['inet', 'meta mark set 0x10', 'meta mark set 0x00000010'],
  ['inet', 'meta mark set mark or 0x10', 'meta mark set meta mark | 0x00000010'],
  ['inet', 'meta mark set mark and 0x10', 'meta mark set meta mark & 0x00000010'],
  ['inet', 'meta mark set mark xor 0x10', 'meta mark set meta mark ^ 0x00000010'],
  ['inet', 'ct mark set mark', 'ct mark set meta mark'],
  ['inet', 'meta mark set ct mark'],
  ['inet', 'ct mark set 0x5', 'ct mark set 0x00000005'],
  ['inet', 'icmp type echo-request accept'],
  ['inet', 'icmp type { echo-request, echo-reply } accept', 'icmp type { echo-reply, echo-request } accept'],
  ['inet', 'icmp code 4 accept', 'icmp code frag-needed accept'],
  ['inet', 'icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept'],
  ['inet', 'tcp flags syn accept'],
  ['inet', 'tcp flags & (syn|rst) == syn accept', 'tcp flags syn / syn,rst accept'],
  ['inet', 'tcp flags & (fin|syn|rst|ack) != syn drop', 'tcp flags != syn / fin,syn,rst,ack drop'],
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
  ['inet', 'log group 5 prefix "x"', 'log prefix "x" group 5'],
  ['inet', 'log level debug flags tcp sequence,options'],
  ['inet', 'reject'],
  ['inet', 'reject with tcp reset', 'meta l4proto tcp reject with tcp reset'],
  ['inet', 'reject with icmp port-unreachable'],
  ['inet', 'reject with icmpx admin-prohibited'],
  ['inet', 'reject with icmpv6 no-route'],
  ['inet', 'ip saddr 10.0.0.1 reject', 'ip saddr 10.0.0.1 reject with icmp port-unreachable'],
  ['inet', 'meta pkttype broadcast drop'],
  ['inet', 'pkttype { broadcast, multicast } drop', 'meta pkttype { broadcast, multicast } drop'],
  ['inet', 'ip ttl < 5 drop'],
  ['inet', 'ip ttl 64 accept'],
  ['inet', 'ip dscp cs1 accept'],
  ['inet', 'ip dscp ef accept'],
  ['inet', 'ip dscp { cs1, af11 } accept'],
  ['inet', 'ether saddr 02:00:00:00:00:01 accept'],
  ['inet', 'meta nfproto ipv4 accept'],
  ['inet', 'meta nfproto ipv4 ip saddr 10.0.0.1 accept', 'ip saddr 10.0.0.1 accept'],
  ['inet', 'meta nfproto ipv6 tcp dport 80 accept'],
  ['inet', 'counter accept comment "hello"', 'counter packets 0 bytes 0 accept comment "hello"'],
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
  ['inet', 'udp dport 53 counter accept', 'udp dport 53 counter packets 0 bytes 0 accept'],
  ['inet', 'ip frag-off & 0x1fff != 0 drop', 'ip frag-off & 8191 != 0 drop'],
  ['inet', 'ip length 100 accept'],
  ['inet', 'ip id 5 drop'],
  ['inet', 'skuid 0 accept', 'meta skuid 0 accept'],
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
  [
    'inet',
    'ip saddr vmap { 10.0.0.0/8 : jump x, 1.1.1.1 : drop }',
    'ip saddr vmap { 1.1.1.1 : drop, 10.0.0.0/8 : jump x }',
  ],
  ['inet', 'ip saddr . ip daddr vmap { 10.0.0.1 . 10.0.0.2 : accept }'],
  ['inet', 'iifname . tcp dport { "eth0" . 80 } accept'],
  ['inet', 'meta iifname "eth0" counter', 'iifname "eth0" counter packets 0 bytes 0'],
  ['inet', 'meta length 100 accept'],
  ['inet', 'meta cpu 0 accept'],
  ['inet', 'iifgroup 5 accept'],
  ['inet', 'tcp sequence 5 accept'],
  ['inet', 'tcp window 100 accept'],
  ['inet', 'th dport 53 accept'],
  ['inet', 'meta l4proto 47 accept', 'meta l4proto gre accept'],
  ['inet', 'ether type ip accept'],
  ['inet', 'meta protocol ip accept'],
  ['inet', 'meta protocol { ip, ip6 } accept'],
  ['inet', 'tcp dport 80 ip saddr 10.0.0.1 accept'],
  ['inet', 'ct state established accept comment "a b c"'],
  ['inet', 'sctp dport 5 accept'],
  ['inet', 'icmp type destination-unreachable icmp code frag-needed accept'],
  ['ip', 'ip protocol tcp tcp dport 80 accept', 'tcp dport 80 accept'],
  ['ip', 'reject with tcp reset'],
  ['ip', 'reject with icmp port-unreachable', 'reject'],
  ['ip', 'ip saddr 10.0.0.1 reject'],
  ['ip', 'meta protocol ip accept', 'accept'],
]

for (const [family, typed, listed = typed] of rules) {
  test(`${family}: ${typed} is listed as nft lists it, and what is listed makes it again`, async () => {
    await succeeds(`table ${family} t {
      set s { type ipv4_addr; flags interval; }
      set p { type ipv4_addr . inet_service; }
      map m { type inet_service : verdict; }
      chain x { }
      chain c { }
    }`)
    await succeeds(`add rule ${family} t c ${typed}`)
    assert.equal(await ruleOf(family), listed)
    await succeeds(`flush chain ${family} t c`)
    await succeeds(`add rule ${family} t c ${listed}`)
    assert.equal(await ruleOf(family), listed)
  })
}

async function ruleOf(family: string): Promise<string | undefined> {
  const lines = (await succeeds(`list chain ${family} t c`)).split('\n')
  return lines[2]?.trim()
}

test('sets, maps and chains are listed as nft lists them', async () => {
  const text = `table inet t {
	comment "all of it"
	set addresses {
		type ipv4_addr
		flags interval
		elements = { 1.2.3.4, 10.0.0.0/8,
			     192.168.1.1-192.168.1.9 }
	}

	set ports {
		type inet_service
		elements = { 22, 80, 443, 1000, 2000,
			     3000 }
	}

	map verdicts {
		type inet_service : verdict
		elements = { 22 : drop, 80 : accept, 443 : jump user }
	}

	map targets {
		type ipv4_addr . inet_service : ipv4_addr . inet_service
		elements = { 10.96.0.10 . 80 : 10.244.1.2 . 8080 }
	}

	chain in {
		comment "from outside"
		type filter hook input priority filter + 5; policy drop;
		iifname "lo" accept
		ct state established,related accept
		tcp dport vmap @verdicts
		ip saddr @addresses tcp dport { 80, 443 } counter packets 0 bytes 0 accept comment "web"
	}

	chain user {
	}
}
`
  await succeeds(text)
  assert.equal(await succeeds('list ruleset'), text)
  assert.equal(await succeeds('list tables'), 'table inet t\n')
})

test('elements come and go', async () => {
  await succeeds('table ip t { set s { type ipv4_addr\n }\n }')
  await succeeds('add element ip t s { 10.0.0.1, 10.0.0.2 comment "x" }')
  await succeeds('add element ip t s { 10.0.0.1 }')
  const again = await nft('create element ip t s { 10.0.0.1 }')
  assert.deepEqual([again.status, again.stderr], [1, 'Error: Could not process rule: File exists\n'])
  await succeeds('delete element ip t s { 10.0.0.1 }')
  assert.match(await succeeds('list set ip t s'), /elements = \{ 10\.0\.0\.2 comment "x" \}/)
})

test('rules are inserted, replaced and deleted by their handles', async () => {
  await succeeds('table ip t { chain c { }\n }')
  for (const port of [1, 2]) await succeeds(`add rule ip t c tcp dport ${port} accept`)
  await succeeds('insert rule ip t c tcp dport 3 accept')
  const handles = (await succeeds('-a', 'list', 'chain', 'ip', 't', 'c')).match(/(?<=# handle )\d+/g)!
  await succeeds(`replace rule ip t c handle ${handles[1]} tcp dport 4 drop`)
  await succeeds(`delete rule ip t c handle ${handles[2]}`)
  const rules = (await succeeds('list chain ip t c')).match(/tcp dport .*/g)
  assert.deepEqual(rules, ['tcp dport 3 accept', 'tcp dport 4 drop'])
})

test('a file is taken as a whole or not at all', async () => {
  const stdin = 'table ip t { chain c { }\n }\nadd rule ip t nowhere accept\n'
  const { status, stderr } = await runLine('nft -f -', { ...context(), readStdin: () => stdin })
  assert.deepEqual([status, stderr], [1, 'Error: Could not process rule: No such file or directory\n'])
  assert.equal(await succeeds('list ruleset'), '')
})

test('a rule of iptables is listed in the words that nft has for it', async () => {
  await runLine(
    'iptables -A FORWARD -p tcp -m comment --comment x -m conntrack --ctstate NEW -m tcp --dport 80 -m recent --set -j LOG --log-prefix y',
    context(),
  )
  const { stdout, stderr } = await nft('list ruleset')
  assert.equal(stderr, '# Warning: table ip filter is managed by iptables-nft, do not touch!\n')
  assert.match(
    stdout,
    /^\t\tmeta l4proto tcp {2}ct state new tcp dport 80 xt match recent counter packets 0 bytes 0 log prefix "y"$/m,
  )
})

// What nft can do and this cannot.
const notHere = [
  ['nft monitor', 'monitor'],
  ['nft reset rules', 'reset'],
  ['nft add counter ip t c', 'counter'],
  ['nft add rule ip t c vlan id 5 accept', 'vlan'],
  ['nft add rule ip t c queue num 1', 'queue'],
]

for (const [line, thing] of notHere) {
  test(`${line} is refused by the name of ${thing}`, async () => {
    await succeeds('table ip t { chain c { }\n }')
    const { status, stderr } = await runLine(line!, context())
    assert.equal(status, 2)
    assert.match(stderr, new RegExp(`^overlab: nft: not modelled: .*${thing}`))
  })
}

// What cannot be a name, and what nft 1.0.6 calls it.
const unnameable = [
  ['add chain ip t mark', 'mark'],
  ['add chain ip t icmpv6', 'icmpv6'],
  ['add chain ip t 1abc', 'number'],
  ['add chain ip t "abc"', 'quoted string'],
  ['add chain ip t a*', 'string with a trailing asterisk'],
  ['add chain ip meta c', 'meta'],
  ['add table ip rule', 'rule'],
  ['table ip t { chain limit { }', 'limit'],
  ['table ip t { set time { type ipv4_addr', 'time'],
  ['list table mark', 'mark'],
  ['add rule ip t c ip saddr @ct', 'ct'],
] as const

for (const [line, called] of unnameable) {
  test(`nft ${line} is a syntax error: ${called} is no name`, async () => {
    await succeeds('table ip t { chain c { }\n }')
    const { status, stderr } = await nft(line)
    assert.deepEqual([status, stderr], [1, `Error: syntax error, unexpected ${called}, expecting string\n`])
  })
}

for (const name of ['last', '_b', 'a/b', 'a.b', 'marks']) {
  test(`a chain may be called ${name}`, async () => {
    await succeeds('add table ip t')
    await succeeds(`add chain ip t ${name}`)
    assert.match(await succeeds('list table ip t'), new RegExp(`\\tchain ${name} `))
  })
}

test('in JSON anything is a name', async () => {
  await succeeds('add table ip t')
  const chain = { family: 'ip', table: 't', name: 'mark' }
  await succeeds('-j', JSON.stringify({ nftables: [{ add: { chain } }] }))
  assert.match(await succeeds('list table ip t'), /\tchain mark /)
})

const unknown = "Can't parse symbolic invalid expressions"
const unmapped = 'transport protocol mapping is only valid after transport protocol match'

// What nft 1.0.6 says of the rule in a table of family ip, in a chain for nat.
const transports: readonly (readonly [rule: string, refused?: string])[] = [
  ['ct original proto-dst 80 drop', unknown],
  ['ct reply proto-src { 80, 443 } drop', unknown],
  ['ip protocol != tcp ct original proto-dst 80 drop', unknown],
  ['meta l4proto 6-17 ct original proto-dst 80 drop', unknown],
  ['ip protocol 47 ct original proto-dst 80 drop', unknown],
  ['ct original proto-dst 80 meta l4proto tcp drop', unknown],
  ['meta l4proto 47 ct original proto-dst 80 drop'],
  ['meta l4proto { tcp, udp } ct original proto-dst 80 drop'],
  ['ct protocol tcp ct original proto-dst 80 drop'],
  ['ct protocol { 47, esp } ct original proto-dst 80 drop'],
  ['tcp dport != 5 ct original proto-dst 80 drop'],
  ['ip protocol { tcp, udp } dnat to 1.1.1.1:80'],
  ['ip protocol 47 dnat to 1.1.1.1:80', unmapped],
  ['meta l4proto udp tcp dport 80', 'conflicting protocols specified: udp vs. tcp'],
  ['meta l4proto { tcp, udp } udp dport 80', 'conflicting protocols specified: tcp vs. udp'],
  ['meta l4proto 47 tcp dport 80', 'conflicting protocols specified: unknown vs. tcp'],
]

for (const [rule, refused] of transports) {
  test(`nft ${refused === undefined ? 'takes' : 'refuses'}: ${rule}`, async () => {
    await succeeds('table ip t { chain c { type nat hook prerouting priority 0 ; }\n }')
    const { status, stderr } = await nft(`add rule ip t c ${rule}`)
    assert.deepEqual([status, stderr], refused === undefined ? [0, ''] : [1, `Error: ${refused}\n`])
  })
}
