/** conntrack's lines, as conntrack-tools 1.4.7 printed them of connections that the kernel had. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import type { Context } from '../../src/command/command.ts'
import { runLine } from '../../src/command/run.ts'
import type { ConntrackEntry } from '../../src/kernel/conntrack.ts'
import { KernelError } from '../../src/kernel/errors.ts'

/** `ping -c1 127.0.0.1`, a TCP connection, a datagram whose destination was translated, one of IPv6. */
const entries: readonly ConntrackEntry[] = [
  {
    family: 'ipv4',
    protocol: 1,
    original: { source: '127.0.0.1', destination: '127.0.0.1', icmpType: 8, icmpCode: 0, icmpId: 7142 },
    reply: { source: '127.0.0.1', destination: '127.0.0.1', icmpType: 0, icmpCode: 0, icmpId: 7142 },
    timeout: 28,
    mark: 0,
    seenReply: true,
    assured: false,
  },
  {
    family: 'ipv4',
    protocol: 6,
    state: 'ESTABLISHED',
    original: { source: '127.0.0.1', destination: '127.0.0.1', sourcePort: 38828, destinationPort: 8080 },
    reply: { source: '127.0.0.1', destination: '127.0.0.1', sourcePort: 8080, destinationPort: 38828 },
    timeout: 431999,
    mark: 0,
    seenReply: true,
    assured: true,
  },
  {
    family: 'ipv4',
    protocol: 17,
    original: { source: '127.0.0.1', destination: '127.0.0.9', sourcePort: 4000, destinationPort: 77 },
    reply: { source: '127.0.0.1', destination: '127.0.0.1', sourcePort: 78, destinationPort: 4000 },
    timeout: 29,
    mark: 0,
    seenReply: false,
    assured: false,
  },
  {
    family: 'ipv6',
    protocol: 58,
    original: { source: '::1', destination: '::1', icmpType: 128, icmpCode: 0, icmpId: 7143 },
    reply: { source: '::1', destination: '::1', icmpType: 129, icmpCode: 0, icmpId: 7143 },
    timeout: 28,
    mark: 0,
    seenReply: true,
    assured: false,
  },
]
const icmp =
  'icmp     1 28 src=127.0.0.1 dst=127.0.0.1 type=8 code=0 id=7142 src=127.0.0.1 dst=127.0.0.1 type=0 code=0 id=7142 mark=0 use=1\n'
const tcp =
  'tcp      6 431999 ESTABLISHED src=127.0.0.1 dst=127.0.0.1 sport=38828 dport=8080 src=127.0.0.1 dst=127.0.0.1 sport=8080 dport=38828 [ASSURED] mark=0 use=1\n'
const udp =
  'udp      17 29 src=127.0.0.1 dst=127.0.0.9 sport=4000 dport=77 [UNREPLIED] src=127.0.0.1 dst=127.0.0.1 sport=78 dport=4000 mark=0 use=1\n'
const icmpv6 =
  'icmpv6   58 28 src=::1 dst=::1 type=128 code=0 id=7143 src=::1 dst=::1 type=129 code=0 id=7143 mark=0 use=1\n'
const told = (count: number, what = 'shown') =>
  `conntrack v1.4.7 (conntrack-tools): ${count} flow entries have been ${what}.\n`
const help = "Try `conntrack -h' or 'conntrack --help' for more information.\n"

function machine(): Context {
  let table = [...entries]
  const conntrack = {
    list: ({ family, protocol }: { family?: string; protocol?: number } = {}) =>
      table.filter((entry) => (!family || entry.family === family) && (!protocol || entry.protocol === protocol)),
    flush: () => {
      table = []
    },
    delete: ({ original }: ConntrackEntry) => {
      if (!table.some((entry) => entry.original === original)) throw new KernelError('ENOENT', 'delete a connection')
      table = table.filter((entry) => entry.original !== original)
    },
  }
  return { kernel: { conntrack } as unknown as Context['kernel'], now: () => 0, sleep: async () => {} }
}

const rows: readonly {
  readonly line: string
  readonly stdout?: string
  readonly stderr?: string
  readonly status?: number
}[] = [
  { line: 'conntrack -L', stdout: icmp + tcp + udp + icmpv6, stderr: told(4) },
  { line: 'conntrack -L -p tcp', stdout: tcp, stderr: told(1) },
  { line: 'conntrack -L -f ipv6', stdout: icmpv6, stderr: told(1) },
  { line: 'conntrack -L -p udp --dport 77', stdout: udp, stderr: told(1) },
  { line: 'conntrack -L -p tcp --state ESTABLISHED', stdout: tcp, stderr: told(1) },
  { line: 'conntrack -L --orig-dst 127.0.0.9', stdout: udp, stderr: told(1) },
  { line: 'conntrack -L -s 127.0.0.0/8 -u ASSURED', stdout: tcp, stderr: told(1) },
  { line: 'conntrack -L -p icmp -o extended', stdout: `ipv4     2 ${icmp}`, stderr: told(1) },
  { line: 'conntrack -C', stdout: '4\n' },
  {
    line: 'conntrack -D -p udp; conntrack -D -p udp; conntrack -C',
    stdout: `${udp}3\n`,
    stderr: told(1, 'deleted') + told(0, 'deleted'),
  },
  { line: 'conntrack -D -p sctp', stderr: told(0, 'deleted'), status: 1 },
  {
    line: 'conntrack -F; conntrack -L',
    stderr: `conntrack v1.4.7 (conntrack-tools): connection tracking table has been emptied.\n${told(0)}`,
  },
  {
    line: 'conntrack -L --dport 77',
    stderr: `conntrack v1.4.7 (conntrack-tools): unknown option \`--dport'\n${help}`,
    status: 2,
  },
  {
    line: 'conntrack -L -p bogus',
    stderr: `conntrack v1.4.7 (conntrack-tools): \`bogus' unsupported protocol\n${help}`,
    status: 2,
  },
  {
    line: 'conntrack -L -D',
    stderr: `conntrack v1.4.7 (conntrack-tools): Invalid commands combination\n${help}`,
    status: 2,
  },
]
for (const { line, stdout = '', stderr = '', status = 0 } of rows) {
  test(line, async () => assert.deepEqual(await runLine(line, machine()), { status, stdout, stderr }))
}
