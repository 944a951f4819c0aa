/** BFD with BIRD's, 100 ms × 3, over a veth pair; tshark says what our packets are. */
import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, test } from 'vitest'
import { sys } from '#sys'
import { Bfd, type BfdWatch } from '../../src/bfd/bfd.ts'
import { BfdThread } from '../../src/cli/bfd-thread.ts'
import type { CapturedPacket } from '../../src/kernel/live.ts'
import { liveLinux } from '../../src/linux/live.ts'
import { steadyClock } from '../../src/store/system-clock.ts'
import { encodePcapHeader, encodePcapPacket, LinkType } from '../../src/wire/pcap.ts'
import { eventually } from '../contract/kernel/case.ts'
import { run } from '../support/command.ts'
import { bgpPeers } from '../support/peers.ts'

const FAST = { minTx: 100, minRx: 100, multiplier: 3 }
const OURS = ['10.35.0.1', 'fd00:35::1'] as const
const BIRD = ['10.35.0.2', 'fd00:35::2'] as const
const NAMESPACE = 'bfd-bird'

const folder = mkdtempSync(join(tmpdir(), 'overlab-bfd-'))
const socket = join(folder, 'bird.ctl')
const node = liveLinux()
const log: string[] = []
const bfd = new Bfd({
  sockets: node.sockets,
  clock: steadyClock,
  random: Math.random,
  log: (text) => log.push(text),
})
let bird: ChildProcess | undefined
let watches: BfdWatch[] = []

beforeAll(async () => {
  run('ip', 'netns', 'add', NAMESPACE)
  run('ip', 'link', 'add', 'bfd0', 'type', 'veth', 'peer', 'name', 'bfd1', 'netns', NAMESPACE)
  for (const [i, length] of [24, 64].entries()) {
    const address = ['address', 'add', `${OURS[i]}/${length}`, 'dev', 'bfd0', ...(i === 1 ? ['nodad'] : [])]
    run('ip', ...address)
    run('ip', '-n', NAMESPACE, ...address.with(2, `${BIRD[i]}/${length}`).with(4, 'bfd1'))
  }
  run('ip', 'link', 'set', 'bfd0', 'up')
  for (const link of ['lo', 'bfd1']) run('ip', '-n', NAMESPACE, 'link', 'set', link, 'up')
  writeFileSync(
    join(folder, 'bird.conf'),
    `router id ${BIRD[0]};
     protocol device {}
     protocol bfd { interface "bfd1" { min rx interval 100 ms; min tx interval 100 ms; multiplier 3; };
       ${OURS.map((address) => `neighbor ${address} dev "bfd1";`).join('\n')} }\n`,
  )
  await startBird()
})

afterEach(() => {
  for (const watch of watches) watch.close()
  watches = []
})

afterAll(async () => {
  bfd.close()
  await stopBird()
  run('ip', 'netns', 'delete', NAMESPACE)
  node.close()
  rmSync(folder, { recursive: true })
})

async function startBird(): Promise<void> {
  const program = join(bgpPeers(), 'bin/bird')
  const options = ['-f', '-c', join(folder, 'bird.conf'), '-s', socket, '-P', join(folder, 'bird.pid')]
  bird = spawn('ip', ['netns', 'exec', NAMESPACE, program, ...options], { stdio: 'ignore' })
  await eventually(() => birdc('show', 'status').includes('Daemon is up and running'), 'BIRD runs')
}

async function stopBird(): Promise<void> {
  const ended = new Promise((resolve) => bird!.once('exit', resolve))
  bird!.kill('SIGKILL')
  await ended
}

function birdc(...words: string[]): string {
  try {
    return run(join(bgpPeers(), 'bin/birdc'), '-s', socket, ...words)
  } catch (error) {
    return String(error)
  }
}

/** Of the session with us; `10.35.0.1  bfd1  Up  12:00:00.000  0.100  0.300`. */
function birdState(address: string): string[] {
  const line = birdc('show', 'bfd', 'sessions')
    .split('\n')
    .find((each) => each.startsWith(`${address} `))
  return line?.trim().split(/\s+/) ?? []
}

function watch(remote: string, settings = FAST) {
  const told: string[] = []
  const events = { up: () => told.push('up'), down: (why: string) => told.push(why) }
  const started = bfd.start({ local: undefined, remote, multihop: false }, settings, events)
  watches.push(started)
  return { told, watch: started }
}

/** Nothing gets through, and no link says so. */
function cut(): void {
  run(
    'ip',
    'netns',
    'exec',
    NAMESPACE,
    'nft',
    'add table inet cut; add chain inet cut in { type filter hook input priority 0; policy drop; }; add chain inet cut out { type filter hook output priority 0; policy drop; }',
  )
}

function mend(): void {
  run('ip', 'netns', 'exec', NAMESPACE, 'nft', 'delete table inet cut')
}

for (const [i, remote] of BIRD.entries()) {
  test(`with ${remote}: up with the intervals of both, a silent loss noticed in 1.5 s, and back`, async () => {
    const { told, watch: ours } = watch(remote)
    await eventually(() => ours.state === 'Up', 'we are up')
    await eventually(() => birdState(OURS[i]!)[2] === 'Up', 'BIRD is up')
    await eventually(() => ours.status.detectionTime === 300, 'intervals are agreed upon')
    await eventually(() => birdState(OURS[i]!)[5] === '0.300', 'at BIRD, too')
    const before = performance.now()
    told.length = 0
    cut()
    try {
      await eventually(() => ours.state === 'Down', 'we are down')
      assert.ok(performance.now() - before <= 1500)
      assert.deepEqual(told, ['no packet came for 300 ms'])
    } finally {
      mend()
    }
    await eventually(() => ours.state === 'Up' && birdState(OURS[i]!)[2] === 'Up', 'both are up again')
  })
}

test('what we send is BFD to tshark, with nothing wrong about it', async () => {
  const packets: CapturedPacket[] = []
  const capture = node.packets.capture({ link: 'bfd0' }, (packet) => {
    if (packet.packetType === 'outgoing') packets.push(packet)
  })
  try {
    const { watch: ours } = watch(BIRD[0])
    await eventually(() => ours.state === 'Up' && ours.status.sent > 10, 'packets are sent')
  } finally {
    capture.close()
  }
  const file = join(folder, 'bfd.pcap')
  writeFileSync(
    file,
    Buffer.concat([
      encodePcapHeader({ resolution: 'nanoseconds', snapLength: 65535, linkType: LinkType.ethernet }),
      ...packets.map((packet) => encodePcapPacket(packet, 'nanoseconds')),
    ]),
  )
  const fields = [
    'ip.ttl',
    'ipv6.hlim',
    'udp.dstport',
    'bfd.version',
    'bfd.sta',
    'bfd.message_length',
    'bfd.detect_time_multiplier',
    'bfd.required_min_rx_interval',
    '_ws.malformed',
    '_ws.expert',
  ]
  const seen = execFileSync(
    'tshark',
    ['-r', file, '-n', '-Y', 'bfd', '-T', 'fields', ...fields.flatMap((field) => ['-e', field])],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] },
  )
  const lines = seen.split('\n').slice(0, -1)
  const rows = lines.map((line) => line.split('\t'))
  assert.ok(rows.length > 8)
  for (const [ttl, hopLimit, port, version, , ...rest] of rows) {
    assert.deepEqual([ttl || hopLimit, port, version, ...rest], ['255', '3784', '1', '24', '3', '100000', '', ''])
  }
  assert.ok(
    rows.some(([, , , , state]) => Number(state) === 3),
    'some say Up',
  )
})

test('a loop that stood still is no silence of the neighbour', async () => {
  // BIRD waits for a hundred of our packets, we for three of BIRD's.
  const { told, watch: ours } = watch(BIRD[0], { minTx: 100, minRx: 400, multiplier: 100 })
  await eventually(() => ours.state === 'Up' && ours.status.detectionTime === 1200, 'we are up')
  for (let i = 0; i < 2; i++) {
    // From here the loop comes to its timers first, and to its descriptors after them.
    await new Promise((resolve) => setImmediate(resolve))
    sys.sleep(3000)
    await new Promise((resolve) => setTimeout(resolve, 600))
  }
  assert.deepEqual(told, ['up'])
})

test('in a thread of its own it keeps its time towards BIRD, too, however long the loop stands still', async () => {
  bfd.close() // it has the port for as long as it says goodbye
  const thread = new BfdThread((text) => log.push(text))
  const told: string[] = []
  const events = { up: () => told.push('up'), down: (why: string) => told.push(why) }
  try {
    const ours = thread.start({ local: OURS[0], remote: BIRD[0], multihop: false }, FAST, events)
    await eventually(() => ours.state === 'Up' && birdState(OURS[0])[5] === '0.300', 'both are up')
    const [, , , since] = birdState(OURS[0])
    sys.sleep(3000)
    assert.deepEqual(birdState(OURS[0]).slice(2, 4), ['Up', since])
    await new Promise((resolve) => setTimeout(resolve, 100))
    assert.deepEqual(told, ['up'])
    cut()
    try {
      await eventually(() => ours.state === 'Down', 'we are down')
    } finally {
      mend()
    }
    await eventually(() => ours.state === 'Up', 'we are up again')
  } finally {
    thread.close()
  }
  assert.equal(birdState(OURS[0])[2], 'Down')
})

test('BIRD killed is noticed, and joined when it is back', async () => {
  const { watch: ours } = watch(BIRD[0])
  await eventually(() => ours.state === 'Up', 'we are up')
  await stopBird()
  await eventually(() => ours.state === 'Down', 'it is noticed')
  await startBird()
  await eventually(() => ours.state === 'Up' && birdState(OURS[0])[2] === 'Up', 'both are up again')
})

test('who closes is switched off, not broken, to BIRD', async () => {
  const { watch: ours } = watch(BIRD[0])
  await eventually(() => birdState(OURS[0])[2] === 'Up', 'BIRD is up')
  ours.close()
  await eventually(() => birdState(OURS[0])[2] === 'Down', 'BIRD is down')
  assert.deepEqual(log, [])
})
