/** A rule is held against a packet: what it asks of headers must fit, what it asks of else is taken for a yes. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { runEach, runWords } from '../../src/command/run.ts'
import { createModel } from '../../src/model/create.ts'
import { couldMatch } from '../../src/trace/could-match.ts'
import { IpProtocol } from '../../src/wire/ipv4.ts'
import { ethernet, ipv4, tcpFrame, udpFrame } from './frames.ts'

const echo = ethernet(ipv4(IpProtocol.icmp, Uint8Array.of(8, 0, 0, 0, 0, 1, 0, 1)))
const cases: { rule: string; frame: Uint8Array; could: boolean; anyPort?: true }[] = [
  { rule: '-s 10.0.0.1', frame: udpFrame(), could: true },
  { rule: '-s 10.0.0.3', frame: udpFrame(), could: false },
  { rule: '-s 10.0.0.0/24 -d 10.0.0.0/30', frame: udpFrame(), could: true },
  { rule: '! -s 10.0.0.0/24', frame: udpFrame(), could: false },
  { rule: '-p udp', frame: udpFrame(), could: true },
  { rule: '-p tcp', frame: udpFrame(), could: false },
  { rule: '-p udp --dport 53', frame: udpFrame(), could: true },
  { rule: '-p udp --dport 54', frame: udpFrame(), could: false },
  { rule: '-p tcp --dport 8080', frame: tcpFrame(2), could: true },
  { rule: '-p icmp --icmp-type echo-request', frame: echo, could: true },
  { rule: '-p icmp --icmp-type fragmentation-needed', frame: echo, could: false },
  { rule: '-p icmp --icmp-type echo-request', frame: udpFrame(), could: false },
  { rule: '-m conntrack --ctstate INVALID', frame: udpFrame(), could: true },
  { rule: '-p udp --dport 53', frame: udpFrame().subarray(0, 34), could: true },
  { rule: '-s 10.0.0.1 -p tcp --dport 54', frame: udpFrame(), could: true, anyPort: true },
  { rule: '-s 10.0.0.3 -p udp --dport 53', frame: udpFrame(), could: false, anyPort: true },
]
for (const { rule, frame, could, anyPort = false } of cases) {
  const which = anyPort ? ' of any protocol and port' : ''
  test(`${rule} ${could ? 'could' : 'could not'} be about ${frame.length} bytes${which}`, async () => {
    const kernel = createModel()
    const context = { kernel, now: () => 0, sleep: async () => {} }
    const { status, stderr } = await runEach(`iptables -A INPUT ${rule} -j DROP`, (words) => runWords(words, context))
    assert.equal(status, 0, stderr)
    const [made] = kernel.nftables.rules({ family: 'ip', table: 'filter', name: 'INPUT' })
    assert.equal(couldMatch(made!.expressions, frame, 14, { anyPort }), could)
  })
}
