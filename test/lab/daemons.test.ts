/**
 * Labs whose nodes run `overlab daemon`, as a user meets them, in network and mount namespaces of this file's own. Witnesses:
 * `ip`, `bridge`, `ip monitor`, /run, /proc.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, test } from 'vitest'
import { type Ended, MAIN, overlab as run } from '../cli/overlab.ts'
import { MARK, output, traces } from './traces.ts'

const NOTHING = { namespaces: [], links: ['lo'], run: [], processes: [] }
const environment = { [MARK.split('=')[0]!]: MARK.split('=')[1]! }
const overlab = (...argv: string[]) => run(argv, environment)
const json = (...argv: string[]) => JSON.parse(overlab(...argv, '-o', 'json').stdout)
const ip = (namespace: string, ...argv: string[]) => output('ip', '-n', `ovl-${namespace}@two-nodes`, ...argv)
const segments = join(import.meta.dirname, '../../examples/topologies/two-segments.ovl.yml')

interface Answers {
  readonly answers: readonly { readonly from: string; readonly to: string; readonly answer: { outcome: string } }[]
}

/** `web-0 to api-0`, of the pings that got no answer. */
function lost(...argv: string[]): string[] {
  const { answers }: Answers = json('lab', 'ping', ...argv)
  return answers.flatMap(({ from, to, answer }) => (answer.outcome === 'reply' ? [] : [`${from} to ${to}`]))
}

interface Daemon {
  readonly isRunning: boolean
  readonly isReady: boolean
  readonly backend: string
  readonly subnet: string
}

const daemonOf = (node: string): Daemon =>
  json('lab', 'status').nodes.find(({ name }: { name: string }) => name === node).daemon

const processOf = (node: string): number =>
  JSON.parse(readFileSync(`/run/overlab/lab/two-nodes/${node}/daemon.json`, 'utf8')).id

/** Also one that whoever inherited it has not yet asked for its status. */
function hasEnded(id: number): boolean {
  try {
    return /^State:\t[ZX]/m.test(readFileSync(`/proc/${id}/status`, 'utf8'))
  } catch {
    return true
  }
}

/** What the overlay has in a node's kernel, in iproute2's words. */
const overlayOf = (node: string) => [
  ip(node, '-o', 'link'),
  ip(node, '-o', 'address'),
  ip(node, 'route', 'show', 'table', 'all'),
  ip(node, 'neigh', 'show', 'nud', 'permanent'),
  output('ip', 'netns', 'exec', `ovl-${node}@two-nodes`, 'bridge', 'fdb', 'show', 'dynamic'),
]

function leaveNothing(): void {
  for (const name of ['two-nodes', 'two-segments']) overlab('lab', 'down', '--name', name)
  assert.deepEqual(traces(), NOTHING)
}

for (const backend of ['vxlan', 'host-gw', 'udp']) {
  describe(`a lab on ${backend}`, () => {
    let up: Ended
    beforeAll(() => {
      up = overlab('lab', 'up', '--backend', backend)
    })
    afterAll(leaveNothing)

    test('up waits until every node is ready, and shows it', () => {
      assert.equal(up.status, 0, up.stderr)
      assert.match(up.stderr, new RegExp(`^✔ n2 ready on ${backend}\\n✔ pod web-0 on n1$`, 'm'))
      assert.match(up.stdout, new RegExp(`^n1 .* ${backend}, ready +ovl-n1@two-nodes +up$`, 'm'))
      const [one, two] = [daemonOf('n1'), daemonOf('n2')]
      assert.notEqual(one.subnet, two.subnet)
      const address = ip('web-0', '-j', 'address', 'show', 'dev', 'eth0')
      assert.ok(JSON.parse(address)[0].addr_info[0].local.startsWith(one.subnet.replace('0/24', '')))
    })

    test('every pod reaches every other, and both nodes', () => assert.deepEqual(lost(), []))

    test('a daemon that is killed is missed by status, and by nobody else but udp', () => {
      const id = processOf('n1')
      assert.equal(overlab('lab', 'node', 'kill', 'n1').status, 0)
      assert.ok(hasEnded(id))
      const status = overlab('lab', 'status')
      assert.equal(status.status, 1)
      assert.match(status.stdout, new RegExp(`^n1 .* ${backend}, not running `, 'm'))
      if (backend === 'udp') assert.ok(lost().includes('web-0 to api-0'))
      else assert.deepEqual(lost(), [])
      assert.equal(overlab('lab', 'node', 'kill', 'n1').status, 0, 'it succeeds twice')
    })

    test('restart brings it back with the same subnet', () => {
      const { subnet } = daemonOf('n1')
      const restart = overlab('lab', 'node', 'restart', 'n1')
      assert.deepEqual(restart, { status: 0, stdout: 'The daemon of n1 is ready\n', stderr: '' })
      assert.deepEqual([daemonOf('n1').isReady, daemonOf('n1').subnet], [true, subnet])
      assert.deepEqual(lost(), [])
    })

    test('restart of a daemon that runs replaces it, and changes nothing in the kernel', () => {
      const [before, id] = [overlayOf('n2'), processOf('n2')]
      assert.equal(overlab('lab', 'node', 'restart', 'n2').status, 0)
      assert.notEqual(processOf('n2'), id)
      assert.deepEqual(overlayOf('n2'), before)
    })

    test('a node that was cut off is back when it is healed', () => {
      assert.equal(overlab('lab', 'node', 'cut', 'n1').stdout, 'n1 is cut off: eth0 is down\n')
      const missed = lost()
      assert.ok(missed.includes('web-0 to api-0') && missed.includes('api-0 to web-0'))
      assert.ok(!missed.includes('web-0 to web-1'))
      assert.equal(overlab('lab', 'node', 'heal', 'n1').stdout, 'n1 is back: eth0 is up\n')
      assert.deepEqual(lost(), [])
    })

    test('down ends the daemons, and leaves nothing', () => {
      const ids = ['n1', 'n2'].map(processOf)
      const down = overlab('lab', 'down')
      assert.deepEqual(down, { status: 0, stdout: 'Lab "two-nodes" is down\n', stderr: '' })
      for (const id of ids) assert.ok(hasEnded(id))
      assert.deepEqual(traces(), NOTHING)
    })
  })
}

describe('two segments and a router', () => {
  afterEach(leaveNothing)
  const up = (...argv: string[]) => overlab('lab', 'up', '--engine', 'kernel', '-f', segments, ...argv)

  test('host-gw is refused, with the node that cannot be reached and why', () => {
    assert.deepEqual(up('--backend', 'host-gw'), {
      status: 2,
      stdout: '',
      stderr:
        'Cannot reach node "n3" from "n1" by host-gw: 192.168.2.11 is not on the link eth0 (192.168.1.11/24); use vxlan\n',
    })
  })

  test('with DirectRouting neighbours have routes, and the others the tunnel', () => {
    assert.equal(up('--backend', 'vxlan', '--direct-routing').status, 0)
    assert.deepEqual(lost('--name', 'two-segments'), [])
    const routes = output('ip', '-n', 'ovl-n1@two-segments', 'route')
    assert.match(routes, /^10\.244\.\d+\.0\/24 via 192\.168\.1\.12 dev eth0 $/m)
    assert.equal(routes.match(/^(10\.244\.\d+\.0)\/24 via \1 dev flannel\.1 onlink $/gm)?.length, 2)
  })
})

describe('a lab that comes and goes', () => {
  afterEach(leaveNothing)

  // Moments of `up`, each named by what has just come into being.
  const moments = [
    { name: 'the first daemon has begun', path: '/run/overlab/lab/two-nodes/n1/daemon.json' },
    { name: 'the second daemon has begun', path: '/run/overlab/lab/two-nodes/n2/daemon.json' },
    { name: 'the store is there', path: '/run/overlab/lab/two-nodes/.overlay/store' },
    { name: 'the first daemon is ready', path: '/run/overlab/lab/two-nodes/n1/subnet.env' },
    { name: 'the last pod is attached', path: '/run/overlab/lab/two-nodes/n2/cni/results/pods-api-1-eth0' },
  ]
  for (const { name, path } of moments) {
    for (const signal of ['SIGINT', 'SIGKILL'] as const) {
      test(`${signal} when ${name}: nothing is left`, async () => {
        const child = spawn(process.execPath, [MAIN, 'lab', 'up', '--backend', 'vxlan'], {
          env: { ...process.env, ...environment },
          stdio: 'ignore',
        })
        const exit = once(child, 'exit')
        while (!existsSync(path)) await setTimeout(1)
        child.kill(signal)
        const [status, ended] = await exit
        if (signal === 'SIGINT') assert.ok(status === 130 || status === 0, `it ended with ${status}`)
        else assert.equal(ended, signal)
        // A lab that was just about to be up is.
        if (status !== 130) assert.equal(overlab('lab', 'down').status, 0)
        assert.deepEqual(traces(), NOTHING)
      })
    }
  }

  test('a daemon that cannot begin ends up with its own reason and its last words, and nothing is left', () => {
    const file = '/run/broken.ovl.yml'
    writeFileSync(
      file,
      `name: two-nodes
topology:
  nodes:
    n1: { kind: k8s-node, exec: ["ip address del 192.168.56.11/24 dev eth0"] }
    n2: { kind: k8s-node }
  links: [{ endpoints: ["n1:eth0", "n2:eth0"], ipv4: ["192.168.56.11/24", "192.168.56.12/24"] }]
cluster: { cni: { plugin: flannel, backend: vxlan, daemons: true } }
`,
    )
    const { status, stderr } = overlab('lab', 'up', '--engine', 'kernel', '-f', file)
    rmSync(file)
    assert.equal(status, 1)
    assert.match(stderr, /^Cannot bring up the daemon of node "n1": it has ended\n(?: {2}.*\n)* {2}.*link "eth0"/m)
    assert.deepEqual(traces(), NOTHING)
  })

  test('demo ends with a trace between two nodes', () => {
    const { status, stdout } = overlab('lab', 'demo', '--backend', 'vxlan')
    assert.equal(status, 0, stdout)
    assert.match(stdout, /^n1 .* vxlan, ready /m)
    assert.match(stdout, /into the tunnel 192\.168\.56\.11 → 192\.168\.56\.12$/m)
    assert.match(stdout, /^✔ DELIVERED both ways at api-0\/eth0 · through n1, n2/m)
    assert.match(stdout, /✔ 20 of 20 pings were answered, and the lab is gone again\.\n$/)
    assert.deepEqual(traces(), NOTHING)
  })

  test('a daemon of the machine’s own and a lab’s do not hear each other’s settings', () => {
    const { status, stderr } = run(['lab', 'up', '--backend', 'vxlan'], {
      ...environment,
      FLANNELD_STORE: 'file:/nowhere',
      FLANNELD_IFACE: 'nothing',
    })
    assert.equal(status, 0, stderr)
    assert.equal(overlab('lab', 'status').status, 0)
  })

  test('without daemons there is none to kill, and one line says what to do', () => {
    assert.equal(overlab('lab', 'up').status, 0)
    const { status, stderr } = overlab('lab', 'node', 'kill', 'n1')
    assert.equal(status, 2)
    assert.equal(
      stderr,
      'Cannot kill the daemon of "n1": it has none; bring lab "two-nodes" up with --backend for daemons\n',
    )
    assert.equal(overlab('lab', 'node', 'cut', 'n1').status, 0)
    assert.ok(lost().includes('web-0 to api-0'))
    assert.equal(overlab('lab', 'node', 'heal', 'n1').status, 0)
    assert.deepEqual(lost(), [])
  })

  test('restart says nothing to ip monitor', async () => {
    assert.equal(overlab('lab', 'up', '--backend', 'vxlan').status, 0)
    lost() // neighbours are known
    const monitor = spawn('ip', ['-n', 'ovl-n1@two-nodes', 'monitor', 'link', 'address', 'route', 'rule'])
    const said = text(monitor.stdout)
    assert.equal(overlab('lab', 'node', 'restart', 'n1').status, 0)
    monitor.kill()
    assert.equal(await said, '')
  })
})
