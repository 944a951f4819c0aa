/** A speaker's kernel routes on Linux; what only Linux tells or takes its time for; and iproute2's word for it. */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { expect, test } from 'vitest'
import { fibCases } from '../../bgp/node/fib-cases.ts'
import { type FibWorld, fibWorld, routesOf, settings } from '../../bgp/node/world.ts'
import { eventually } from '../../contract/kernel/case.ts'
import { linuxWorld } from '../../contract/linux-world.ts'
import { realClock } from '../../reconcile/real-clock.ts'

interface LinuxFibWorld extends FibWorld {
  /** `ip` in the world's namespace; its JSON. */
  ip(...argv: readonly string[]): readonly Record<string, unknown>[]
  /** What `ip monitor route` prints while `run` runs and all that it tells has come. */
  monitored(run: () => void | Promise<void>): Promise<readonly string[]>
}

function onLinux(title: string, check: (world: LinuxFibWorld) => Promise<void>): void {
  test(`linux: ${title}`, async () => {
    const { node, prefix, tearDown } = linuxWorld()
    const { world, close } = fibWorld(node, realClock)
    const namespace = `${prefix}-node`
    try {
      await world.ready()
      await check(
        Object.assign(world, {
          ip: (...argv: readonly string[]) =>
            JSON.parse(execFileSync('ip', ['-n', namespace, '-j', '-d', ...argv], { encoding: 'utf8' }) || '[]'),
          monitored: (run: () => void | Promise<void>) => monitor(namespace, world, run),
        }),
      )
    } finally {
      close()
      tearDown()
    }
  })
}

async function monitor(
  namespace: string,
  { other }: FibWorld,
  run: () => void | Promise<void>,
): Promise<readonly string[]> {
  const monitor = spawn('ip', ['-n', namespace, 'monitor', 'route'], { stdio: ['ignore', 'pipe', 'inherit'] })
  try {
    let text = ''
    monitor.stdout.setEncoding('utf8').on('data', (some: string) => {
      text += some
    })
    const mark = (destination: string) => {
      other.routes.add({ destination, type: 'blackhole', table: 77 })
      other.routes.delete({ destination, type: 'blackhole', table: 77 })
    }
    // It listens when it tells of something.
    await eventually(() => {
      mark('192.0.2.1/32')
      return text.includes('192.0.2.1')
    }, 'the monitor listens')
    await run()
    mark('192.0.2.2/32')
    await eventually(() => text.includes('192.0.2.2'), 'the monitor has told all')
    return text.split('\n').filter((line) => line !== '' && !line.includes('192.0.2.'))
  } finally {
    monitor.kill()
  }
}

for (const { title, check } of fibCases) onLinux(title, check)

onLinux('iproute2 shows the routes as they were meant', async (world) => {
  const { goes, ip } = world
  await world.configure(settings, ['10.244.1.0/26', 'fd44:1::/122'])
  await goes('10.5.0.0/16', '10.0.0.2', '10.0.1.2')
  await goes('10.6.0.0/16', { hop: 'fd00::2', linkLocal: 'fe80::2' })
  await goes('fd05::/48', { hop: 'fd00::2', linkLocal: 'fe80::2' })
  expect(ip('route', 'show', 'proto', '0xb6')).toMatchObject([
    {
      dst: '10.5.0.0/16',
      type: 'unicast',
      metric: 32,
      nexthops: [
        { gateway: '10.0.0.2', dev: 'eth0', weight: 1, flags: [] },
        { gateway: '10.0.1.2', dev: 'eth1', weight: 1, flags: [] },
      ],
    },
    { dst: '10.6.0.0/16', via: { family: 'inet6', host: 'fe80::2' }, dev: 'eth0', metric: 32, flags: [] },
    { dst: '10.244.1.0/26', type: 'blackhole', metric: 32 },
  ])
  expect(ip('-6', 'route', 'show', 'proto', '0xb6')).toMatchObject([
    { dst: 'fd05::/48', gateway: 'fe80::2', dev: 'eth0', metric: 32, flags: [] },
    { dst: 'fd44:1::/122', type: 'blackhole', metric: 32 },
  ])
})

onLinux(
  '`ip monitor` sees replacements and no deletion: another path, fewer, of the other kind; a restart not at all',
  async (world) => {
    const { goes, monitored } = world
    for (const [prefix, one, two] of [
      ['10.5.0.0/16', '10.0.0.2', '10.0.1.2'],
      ['fd05::/48', 'fd00::2', 'fd01::2'],
    ] as const) {
      await goes(prefix, one)
      const lines = await monitored(async () => {
        await goes(prefix, two)
        await goes(prefix, one, two)
        await goes(prefix, two)
        await world.configure(settings, [prefix])
      })
      assert.deepEqual(
        lines.filter((line) => line.startsWith('Deleted')),
        [],
      )
      // The next hops of the second have lines of their own.
      assert.equal(lines.filter((line) => !line.startsWith('\t')).length, 4, lines.join('\n'))
      await world.configure(settings, [])
      await goes(prefix, one, two)
    }
    const lines = await monitored(async () => {
      world.restart()
      await world.goes('10.5.0.0/16', '10.0.1.2', '10.0.0.2')
      await world.goes('fd05::/48', 'fd01::2', 'fd00::2')
      world.fib.sweep()
      await world.settled()
    })
    assert.deepEqual(lines, [])
  },
)

onLinux('who changes it as often as we put it right is met less often, and told of', async (world) => {
  const { other, goes, kernel, reported } = world
  await goes('10.5.0.0/16', '10.0.0.2')
  const there = () => routesOf(kernel).length === 1
  for (let i = 0; i < 8; i++) {
    await eventually(there, 'it is there')
    other.routes.delete({ destination: '10.5.0.0/16', metric: 32 })
    await eventually(() => there() || reported.length > 0, 'it is there again, or told')
  }
  assert.deepEqual(reported, ['contested 10.5.0.0/16'])
  await eventually(there, 'it is there at last')
})

onLinux('thousands are written and taken over while others have their turn', async (world) => {
  const { goes, kernel } = world
  const prefixes = Array.from({ length: 4000 }, (_, i) => `10.${100 + (i >> 8)}.${i & 255}.0/26`)
  const turnsUntilSettled = async () => {
    let turns = 0
    for (; !world.fib.isSettled; turns++) await new Promise((resolve) => setTimeout(resolve, 0))
    return turns
  }
  void goes(prefixes, '10.0.0.2')
  assert.ok((await turnsUntilSettled()) > 1)
  assert.equal(routesOf(kernel).length, 4000)
  world.restart()
  await world.goes(prefixes, '10.0.0.2')
  await turnsUntilSettled()
  world.fib.sweep()
  assert.equal(routesOf(kernel).length, 4000)
  await world.goes(prefixes)
  await turnsUntilSettled()
  assert.deepEqual(routesOf(kernel), [])
})
