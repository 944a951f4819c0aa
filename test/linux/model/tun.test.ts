/** A program that does not read what a TUN has for it: the queue in both kernels. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import type { LiveKernel } from '../../../src/kernel/live.ts'
import { liveLinux } from '../../../src/linux/live.ts'
import { Tun } from '../../../src/model/device/tun.ts'
import { registerDevice } from '../../../src/model/kernel/register.ts'
import { encodeIpv4 } from '../../../src/wire/ipv4.ts'
import { eventually } from '../../contract/kernel/case.ts'
import { World } from '../../model/world.ts'

/** What waits in the queue of a TUN: txqueuelen. */
const QUEUE = 500
const MORE = 3

const packet = encodeIpv4({
  tos: 0,
  identification: 1,
  dontFragment: false,
  moreFragments: false,
  fragmentOffset: 0,
  ttl: 64,
  protocol: 253,
  source: '10.5.0.1',
  destination: '10.5.0.2',
  options: [],
  payload: new Uint8Array(4),
})

function overfill({ links, packets, sysctl }: LiveKernel): void {
  sysctl.set('net/ipv6/conf/tun0/disable_ipv6', '1')
  links.set('tun0', { up: true })
  for (let i = 0; i < QUEUE + MORE; i++) packets.send('tun0', packet)
}

const dropped = ({ links }: LiveKernel) => links.statistics('tun0').txDropped

/** Who fills the queue keeps the program from reading: both are this process. */
async function inLinux(): Promise<number[]> {
  const linux = liveLinux()
  const name = `tun-${process.pid}`
  const inside = linux.enter(linux.namespaces.add(name))!
  try {
    let read = 0
    const tun = inside.tuns.open('tun0', 'tun', () => read++)
    overfill(inside)
    const lost = dropped(inside)
    await eventually(() => read >= QUEUE, 'the program has read what waits')
    tun.close()
    return [read, lost]
  } finally {
    inside.close()
    linux.namespaces.delete(name)
    linux.close()
  }
}

function inModel(): number[] {
  const inside = new World().in('a')
  const tun = new Tun(inside.namespace, { name: 'tun0', mode: 'tun', mac: new Uint8Array(), mtu: 1500 })
  registerDevice(tun)
  const queue = tun.open()
  overfill(inside)
  const lost = dropped(inside)
  let read = 0
  while (queue.read()) read++
  return [read, lost]
}

test('a program that does not read finds 500 packets, and the others are dropped', async () => {
  const theirs = await inLinux()
  assert.deepEqual(inModel(), theirs)
  assert.deepEqual(theirs, [QUEUE, MORE])
})
