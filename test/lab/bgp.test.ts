/**
 * Labs whose nodes speak BGP, as a user meets them, in network and mount namespaces of this file's own; routers are ours, BIRD and
 * FRR. Witnesses: `ip route`, `ping`, /run, /proc.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { type Ended, MAIN, overlab as run } from '../cli/overlab.ts'
import { bgpPeers } from '../support/peers.ts'
import { MARK, output, traces } from './traces.ts'

const NOTHING = { namespaces: [], links: ['lo'], run: [], processes: [] }
const environment = { [MARK.split('=')[0]!]: MARK.split('=')[1]! }
const overlab = (...argv: string[]) => run(argv, environment)
const racks = join(import.meta.dirname, '../../examples/topologies/two-racks.ovl.yml')

/** Routes of a node as `ip` shows them, with the protocol's name or number. */
const routesOf = (node: string, lab: string): string[] =>
  output('ip', '-n', `ovl-${node}@${lab}`, 'route')
    .split('\n')
    .map((line) => line.trim())

/** `web-0 to api-0`, of the pings that got no answer. */
function lost(lab: string): string[] {
  const { answers } = JSON.parse(overlab('lab', 'ping', '--name', lab, '-o', 'json').stdout)
  return answers.flatMap(({ from, to, answer }: { from: string; to: string; answer: { outcome: string } }) =>
    answer.outcome === 'reply' ? [] : [`${from} to ${to}`],
  )
}

/** While `act` goes on a pod asks another, 50 times a second: what iputils' ping says of lost packets. */
async function lossMeanwhile(from: string, address: string, act: () => void): Promise<string> {
  const ping = spawn('ip', ['netns', 'exec', from, 'ping', '-q', '-i', '0.02', address])
  const said = text(ping.stdout)
  const exit = once(ping, 'exit')
  await setTimeout(200)
  act()
  ping.kill('SIGINT')
  await exit
  return /[\d.]+% packet loss/.exec(await said)?.[0] ?? (await said)
}

function leaveNothing(lab: string, file: string): void {
  overlab('lab', 'down', '--name', lab)
  rmSync(file, { force: true })
  assert.deepEqual(traces(), NOTHING)
}

describe('a mesh of three', () => {
  const file = '/run/mesh.ovl.yml'
  const name = ['--name', 'mesh']
  let up: Ended
  beforeAll(() => {
    const names = ['n1', 'n2', 'n3']
    writeFileSync(
      file,
      JSON.stringify({
        name: 'mesh',
        topology: {
          nodes: { ...Object.fromEntries(names.map((node) => [node, { kind: 'k8s-node' }])), sw: { kind: 'bridge' } },
          links: names.map((node, i) => ({
            endpoints: [`${node}:eth0`, `sw:${node}`],
            ipv4: [`192.168.56.1${i + 1}/24`],
          })),
        },
        cluster: {
          cni: { plugin: 'calico', backend: 'bgp' },
          pods: { web: { node: 'n1' }, api: { node: 'n2' }, db: { node: 'n3' } },
        },
      }),
    )
    up = overlab('lab', 'up', '--engine', 'kernel', '-f', file)
  })
  afterAll(() => leaveNothing('mesh', file))

  test('up waits for sessions and routes, and shows them', () => {
    assert.equal(up.status, 0, up.stderr)
    assert.match(up.stderr, /^✔ n3 has its sessions and routes\n✔ pod web-0 on n1$/m)
    assert.match(up.stdout, /^n1 .* 10\.244\.1\.0\/26 +2 of 2 established +ovl-n1@mesh +up$/m)
  })

  test('ip shows the routes: to each other’s block, to each pod, and nowhere for the rest of the own block', () => {
    const routes = routesOf('n1', 'mesh')
    assert.ok(routes.includes('10.244.2.0/26 via 192.168.56.12 dev eth0 proto 182 metric 32'), routes.join('\n'))
    assert.ok(routes.includes('10.244.3.0/26 via 192.168.56.13 dev eth0 proto 182 metric 32'))
    assert.ok(routes.includes('blackhole 10.244.1.0/26 proto 182 metric 32'))
    assert.ok(routes.some((route) => /^10\.244\.1\.2 dev cali\w+ scope link$/.test(route)))
  })

  test('every pod reaches every other, and every node', () => assert.deepEqual(lost('mesh'), []))

  test('a trace says from whom each route is', () => {
    const { status, stdout } = overlab('trace', 'web-0', 'db-0', '--engine', 'kernel', '-f', file)
    assert.equal(status, 0, stdout)
    assert.match(
      stdout,
      / route +10\.244\.3\.0\/26 via 192\.168\.56\.13 dev eth0 metric 32 +\(BGP from n3, AS_PATH empty\)$/m,
    )
  })

  test('an address of a block that no pod has is told as such', () => {
    const { status, stdout } = overlab('trace', 'web-0', '10.244.3.9', '--engine', 'kernel', '-f', file)
    assert.equal(status, 1)
    assert.match(stdout, /^✗ DROPPED at n3\/eth0: OVL_ROUTE_BLACKHOLE/m)
    assert.match(stdout, /10\.244\.3\.9 is an unused address of n3's block 10\.244\.3\.0\/26/)
  })

  test('a speaker that is killed and comes back costs no packet, and is missed by status', async () => {
    const loss = await lossMeanwhile('ovl-web-0@mesh', '10.244.3.2', () => {
      assert.equal(
        overlab('lab', 'node', 'kill', 'n3', ...name).stdout,
        'The BGP speaker of n3 is dead; its routes stay in the kernel\n',
      )
      const { status, stdout } = overlab('lab', 'status', ...name)
      assert.equal(status, 1)
      assert.match(stdout, /^n3 .* not running +ovl-n3@mesh /m)
      assert.match(
        stdout,
        /^n1: Not established with n3 \(192\.168\.56\.13\) from 192\.168\.56\.11 \(\w+\): (?:closed by the peer|connection )/m,
      )
      assert.equal(overlab('lab', 'node', 'restart', 'n3', ...name).stdout, 'The BGP speaker of n3 is ready\n')
    })
    assert.equal(loss, '0% packet loss')
    assert.equal(overlab('lab', 'status', ...name).status, 0)
  })

  test('a node that was cut off is back when it is healed', () => {
    assert.equal(overlab('lab', 'node', 'cut', 'n2', ...name).stdout, 'n2 is cut off: eth0 is down\n')
    assert.ok(lost('mesh').includes('web-0 to api-0'))
    assert.equal(overlab('lab', 'node', 'heal', 'n2', ...name).stdout, 'n2 is back: eth0 is up\n')
    assert.deepEqual(lost('mesh'), [])
  })

  test('down ends the speakers, and leaves nothing', () => {
    assert.ok(existsSync('/run/overlab/lab/mesh/n1/bgp.sock'))
    assert.deepEqual(overlab('lab', 'down', ...name), { status: 0, stdout: 'Lab "mesh" is down\n', stderr: '' })
    assert.deepEqual(traces(), { ...NOTHING, run: [file] })
  })
})

test('demo of the lab that comes with the program', () => {
  const { status, stdout } = overlab('lab', 'demo', '--backend', 'bgp')
  assert.equal(status, 0, stdout)
  assert.match(stdout, /\(BGP from n2, AS_PATH empty\)$/m)
  assert.match(stdout, /✔ 20 of 20 pings were answered, and the lab is gone again\.\n$/)
  assert.deepEqual(traces(), NOTHING)
})

describe('two racks, with BIRD and FRR as their routers', () => {
  const name = ['--name', 'peers']
  const file = '/run/peers.ovl.yml'
  const topology = readFileSync(racks, 'utf8')
    .replace('name: two-racks', 'name: peers')
    .replace('tor1: { kind: linux, bgp: { router: overlab } }', 'tor1: { kind: linux, bgp: { router: bird } }')
    .replace('tor2: { kind: linux, bgp: { router: overlab } }', 'tor2: { kind: linux, bgp: { router: frr } }')
  const up = (programs: string) => {
    writeFileSync(file, topology.replaceAll(/router: (bird|frr)/g, `router: $1, programs: ${programs}`))
    return overlab('lab', 'up', '--engine', 'kernel', '-f', file)
  }
  afterAll(() => leaveNothing('peers', file))

  test('a program that is not there is named, with what to do, and nothing is left', () => {
    const { status, stderr } = up('/nowhere')
    assert.equal(status, 4)
    assert.match(
      stderr,
      /^Cannot run bird on node "tor1": no program "bird" in "\/nowhere"; install Debian's bird2, or say where it is: topology\.nodes\.tor1\.bgp\.programs$/m,
    )
  })

  test('come up: routers of others are running, and sessions of ours with them are there', () => {
    const { status, stdout, stderr } = up(join(bgpPeers(), 'bin'))
    assert.equal(status, 0, stderr)
    assert.match(stdout, /^tor1 .* bird, running /m)
    assert.match(stdout, /^tor2 .* frr, running /m)
    assert.match(stdout, /^n1 .* 1 of 1 established /m)
  })

  test('ip shows what each of them has written', () => {
    assert.ok(routesOf('tor1', 'peers').includes('10.244.4.0/26 via 10.0.0.1 dev tor2 proto bird metric 32'))
    assert.ok(
      routesOf('tor2', 'peers').some((route) => /^10\.244\.1\.0\/26 .*via 10\.0\.0\.0 dev tor1 proto bgp /.test(route)),
    )
    assert.ok(routesOf('n1', 'peers').includes('10.244.4.0/26 via 10.1.1.0 dev eth0 proto 182 metric 32'))
    assert.ok(routesOf('n3', 'peers').includes('10.244.4.0/26 via 10.2.3.0 dev eth0 proto 182 metric 32'))
  })

  test('every pod reaches every other, and every node', () => assert.deepEqual(lost('peers'), []))

  test('a trace names who wrote a route where nobody can be asked', () => {
    const { stdout } = overlab('trace', 'web-0', 'db-0', '--engine', 'kernel', '-f', file)
    assert.match(stdout, /\(BGP from tor1, AS_PATH 65002 65003\)$/m)
    assert.match(stdout, / 10\.244\.3\.0\/26 via 10\.0\.0\.1 dev tor2 metric 32 +\(BGP by BIRD\)$/m)
    assert.match(stdout, /\(BGP by FRR\)$/m)
  })

  test('a router that is killed comes back', () => {
    for (const router of ['tor1', 'tor2']) {
      assert.equal(overlab('lab', 'node', 'kill', router, ...name).status, 0)
      assert.match(
        overlab('lab', 'status', ...name).stdout,
        new RegExp(`^${router} .* (?:bird|frr), not running `, 'm'),
      )
      assert.equal(overlab('lab', 'node', 'restart', router, ...name).stdout, `The BGP speaker of ${router} is ready\n`)
      assert.deepEqual(lost('peers'), [])
    }
  })
})

describe.each(['bird', 'frr'])('a router that is %s, among speakers of ours', (router) => {
  const file = '/run/restart.ovl.yml'
  afterAll(() => leaveNothing('restart', file))

  test('costs no packet when it is killed and comes back', async () => {
    const programs = join(bgpPeers(), 'bin')
    writeFileSync(
      file,
      readFileSync(racks, 'utf8')
        .replace('name: two-racks', 'name: restart')
        .replace('bgp: { router: overlab }', `bgp: { router: ${router}, programs: ${programs} }`),
    )
    assert.equal(overlab('lab', 'up', '--engine', 'kernel', '-f', file).status, 0)
    const loss = await lossMeanwhile('ovl-web-0@restart', '10.244.3.2', () => {
      for (const action of ['kill', 'restart']) {
        assert.equal(overlab('lab', 'node', action, 'tor1', '--name', 'restart').status, 0)
      }
    })
    assert.equal(loss, '0% packet loss')
  })
})

test.each(['SIGINT', 'SIGKILL'] as const)('%s when the first speaker has begun: nothing is left', async (signal) => {
  const child = spawn(process.execPath, [MAIN, 'lab', 'up', '--backend', 'bgp'], {
    env: { ...process.env, ...environment },
    stdio: 'ignore',
  })
  const exit = once(child, 'exit')
  while (!existsSync('/run/overlab/lab/two-nodes/n1/speaker.json')) await setTimeout(1)
  child.kill(signal)
  const [status] = await exit
  if (signal === 'SIGINT') assert.equal(status, 130)
  else assert.equal(overlab('lab', 'down').status, 0)
  assert.deepEqual(traces(), NOTHING)
})
