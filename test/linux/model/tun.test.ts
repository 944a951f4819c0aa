/** A program that does not read what a TUN has for it: the queue in both kernels. */
import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'vitest'
import type { LiveKernel } from '../../../src/kernel/live.ts'
import { liveLinux } from '../../../src/linux/live.ts'
import { openTracefs } from '../../../src/linux/tracefs.ts'
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

function fill({ links, packets, sysctl }: LiveKernel, count: number): void {
  sysctl.set('net/ipv6/conf/tun0/disable_ipv6', '1')
  links.set('tun0', { up: true })
  for (let i = 0; i < count; i++) packets.send('tun0', packet)
}

const dropped = ({ links }: LiveKernel) => links.statistics('tun0').txDropped

async function withLinux<T>(use: (inside: LiveKernel) => T | Promise<T>): Promise<T> {
  const linux = liveLinux()
  const name = `tun-${process.pid}`
  const inside = linux.enter(linux.namespaces.add(name))!
  try {
    return await use(inside)
  } finally {
    inside.close()
    linux.namespaces.delete(name)
    linux.close()
  }
}

/** Who fills the queue keeps the program from reading: both are this process. */
function inLinux(): Promise<number[]> {
  return withLinux(async (inside) => {
    let read = 0
    const tun = inside.tuns.open('tun0', 'tun', () => read++)
    fill(inside, QUEUE + MORE)
    const lost = dropped(inside)
    await eventually(() => read >= QUEUE, 'the program has read what waits')
    tun.close()
    return [read, lost]
  })
}

function openInModel(world: World) {
  const inside = world.in('a')
  const tun = new Tun(inside.namespace, { name: 'tun0', mode: 'tun', mac: new Uint8Array(), mtu: 1500 })
  registerDevice(tun)
  return { inside, queue: tun.open() }
}

function inModel(): number[] {
  const { inside, queue } = openInModel(new World())
  fill(inside, QUEUE + MORE)
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

/** What Linux' trace says of the packets that this process drops meanwhile: `reason@function`. */
function dropsDuring(body: () => void): string[] {
  const tracefs = openTracefs()
  const instance = join(tracefs.path, 'instances', `overlab-tun-${process.pid}`)
  const enable = (value: string) => writeFileSync(join(instance, 'events/skb/kfree_skb/enable'), value)
  mkdirSync(instance)
  try {
    writeFileSync(join(instance, 'events/skb/kfree_skb/filter'), `common_pid == ${process.pid}`)
    enable('1')
    body()
    enable('0')
    const lines = readFileSync(join(instance, 'trace'), 'utf8').matchAll(/location=(\w+)\S* reason: (\w+)/g)
    return [...lines].map(([, location, reason]) => `${reason}@${location}`)
  } finally {
    rmdirSync(instance)
    tracefs.close()
  }
}

test('what waits when the program closes its TUN is dropped there, without a reason', async () => {
  const theirs = await withLinux((inside) => {
    const tun = inside.tuns.open('tun0', 'tun', () => {})
    fill(inside, MORE)
    return dropsDuring(() => tun.close()).filter((drop) => drop.includes('tun_'))
  })
  const world = new World()
  const { inside, queue } = openInModel(world)
  fill(inside, MORE)
  queue.close()
  assert.deepEqual(
    world.drops.map((drop) => drop.replace(/OVL_\w+|NOT_SPECIFIED/, 'NOT_SPECIFIED').replace(/ at .*/, '')),
    theirs,
  )
  assert.deepEqual(theirs, new Array(MORE).fill('NOT_SPECIFIED@tun_queue_purge'))
})
