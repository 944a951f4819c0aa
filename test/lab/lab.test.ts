/** The lab as a user meets it, in network and mount namespaces of this file's own. Witnesses: `ip`, /run, /proc. */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { setTimeout } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, test } from 'vitest'
import { type Ended, MAIN, overlab as run } from '../cli/overlab.ts'
import { MARK, output, traces } from './traces.ts'

const NOTHING = { namespaces: [], links: ['lo'], run: [], processes: [] }
const environment = { [MARK.split('=')[0]!]: MARK.split('=')[1]! }
const overlab = (...argv: string[]) => run(argv, environment)
const json = (...argv: string[]) => JSON.parse(overlab(...argv, '-o', 'json').stdout)
const ip = (namespace: string, ...argv: string[]) =>
  JSON.parse(output('ip', '-n', `ovl-${namespace}@two-nodes`, '-j', ...argv))

/** Starts a command, and does something to it when it is where the test wants it. */
async function started(argv: readonly string[], act: (id: number) => Promise<void> | void): Promise<number | string> {
  const child = spawn(process.execPath, [MAIN, ...argv], { env: { ...process.env, ...environment }, stdio: 'ignore' })
  const exit = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>
  await Promise.race([Promise.resolve(act(child.pid!)).then(() => exit), exit])
  const [status, signal] = await exit
  return status ?? signal!
}
const until = async (path: string) => {
  while (!existsSync(path)) await setTimeout(1)
}

/** Resolves when the process has taken its signals into its own hands: SigCgt in proc(5). SIGHUP is the last one. */
async function listening(id: number): Promise<void> {
  const caught = () => BigInt(`0x${/^SigCgt:\t(.*)$/m.exec(readFileSync(`/proc/${id}/status`, 'utf8'))![1]}`)
  while ((caught() & 1n) === 0n) await setTimeout(5)
}

function leaveNothing(): void {
  if (existsSync('/run/overlab')) assert.equal(overlab('lab', 'down').status, 0)
  assert.deepEqual(traces(), NOTHING)
}

describe('a lab that is up', () => {
  let up: Ended
  beforeAll(() => {
    up = overlab('lab', 'up', '-o', 'json')
  })
  afterAll(leaveNothing)

  test('up makes two nodes and four pods, and says so', () => {
    assert.equal(up.status, 0, up.stderr)
    const { healthy, nodes, pods } = JSON.parse(up.stdout)
    assert.equal(healthy, true)
    assert.deepEqual(
      nodes.map(({ name, podNetwork }: { name: string; podNetwork: { subnet: string } }) => [name, podNetwork.subnet]),
      [
        ['n1', '10.244.0.0/24'],
        ['n2', '10.244.1.0/24'],
      ],
    )
    assert.deepEqual(
      pods.map(({ name, node }: { name: string; node: string }) => [name, node]),
      [
        ['web-0', 'n1'],
        ['web-1', 'n1'],
        ['api-0', 'n2'],
        ['api-1', 'n2'],
      ],
    )
    assert.deepEqual(pods[0].attached.plugins, ['loopback', 'bridge', 'host-local'])
    assert.match(up.stderr, /✔ pod api-1 on n2\n$/)

    // ip's view of the same.
    for (const { name, attached } of pods) {
      const [eth0] = ip(name, 'address', 'show', 'dev', 'eth0')
      assert.equal(eth0.address, attached.mac)
      assert.equal(`${eth0.addr_info[0].local}/${eth0.addr_info[0].prefixlen}`, attached.address)
      const [route] = ip(name, 'route', 'show', 'default')
      assert.equal(route.gateway, attached.gateway)
      const [lo] = ip(name, 'link', 'show', 'lo')
      assert.ok(lo.flags.includes('UP'))
    }
    const [eth0] = ip('n1', 'address', 'show', 'dev', 'eth0')
    assert.deepEqual([eth0.operstate, eth0.addr_info[0].local], ['UP', '192.168.56.11'])
    const [route] = ip('n1', 'route', 'show', '10.244.1.0/24')
    assert.deepEqual([route.gateway, route.dev], ['10.244.1.0', 'flannel.1'])
    const ports = ip('n2', 'link', 'show', 'master', 'cni0').map(({ ifname }: { ifname: string }) => ifname)
    assert.deepEqual(ports.sort(), [pods[2].attached.hostInterface, pods[3].attached.hostInterface].sort())
  })

  test('every pod reaches every other, and both nodes', () => {
    const { answers } = json('lab', 'ping')
    assert.equal(answers.length, 4 * 5)
    for (const { from, to, answer } of answers) assert.equal(answer.outcome, 'reply', `${from} to ${to}`)
    const remote = answers.find(({ from, to }: { from: string; to: string }) => from === 'web-0' && to === 'api-0')
    assert.equal(remote.answer.ttl, 62) // two nodes forwarded it
  })

  test('the plugins’ results stand in libcni’s cache, for overlab cni to read', () => {
    const node = '/run/overlab/lab/two-nodes/n1'
    const cached = JSON.parse(readFileSync(`${node}/cni/results/pods-web-0-eth0`, 'utf8'))
    assert.deepEqual(Object.keys(cached), ['kind', 'containerId', 'config', 'ifName', 'networkName', 'netns', 'result'])
    assert.equal(
      Buffer.from(cached.config, 'base64').toString(),
      readFileSync(`${node}/net.d/10-pods.conflist`, 'utf8'),
    )
    const { networks, attachments } = json('cni', 'list', '--conf-dir', `${node}/net.d`, '--cache-dir', `${node}/cni`)
    assert.deepEqual(
      networks.map(({ name }: { name: string }) => name),
      ['loopback', 'pods'],
    )
    assert.equal(attachments.length, 4)
  })

  test('exec runs in the pod or node, and ends as the program ends', () => {
    const inside = overlab('lab', 'exec', 'n2', '--', 'ip', '-j', 'address', 'show', 'dev', 'cni0')
    assert.equal(JSON.parse(inside.stdout)[0].addr_info[0].local, '10.244.1.1')
    assert.equal(overlab('lab', 'exec', 'api-1', 'sh', '-c', 'exit 7').status, 7)
    assert.equal(overlab('lab', 'exec', 'api-1', 'sh', '-c', 'kill -TERM $$').status, 128 + 15)
    const missing = overlab('lab', 'exec', 'api-1', 'nonesuch')
    assert.deepEqual([missing.status, missing.stderr], [4, 'Cannot run "nonesuch": spawn nonesuch ENOENT\n'])
  })

  test('a wrong name is answered with the near ones', () => {
    const target = overlab('lab', 'exec', 'wbe-0', 'true')
    assert.equal(target.status, 2)
    assert.match(target.stderr, /"wbe-0" is not in lab "two-nodes"; did you mean "web-0"\?/)
    const lab = overlab('lab', 'ping', '--name', 'two-node')
    assert.equal(lab.status, 1)
    assert.match(lab.stderr, /did you mean "two-nodes"\?/)
  })

  test('another lab lives beside it', () => {
    assert.equal(overlab('lab', 'up', '--name', 'nodes').status, 0)
    assert.equal(overlab('lab', 'down', '--name', 'nodes').status, 0)
    assert.equal(overlab('lab', 'status').status, 0)
  })

  test('up twice says so, and harms nothing', () => {
    const again = overlab('lab', 'up')
    assert.equal(again.status, 1)
    assert.match(again.stderr, /Lab "two-nodes" is up already/)
    assert.equal(overlab('lab', 'status').status, 0)
  })

  test('ping says who does not answer', () => {
    output('ip', '-n', 'ovl-n2@two-nodes', 'route', 'delete', '10.244.0.0/24')
    const { status, stdout } = overlab('lab', 'ping')
    assert.equal(status, 1)
    assert.match(stdout, /^web-0( +\S+){2} +no answer +no answer +\S+ +no answer$/m)
    assert.match(stdout, /^✖ 10 of 20 pings were answered$/m)
  })

  test('status says what is not as promised', () => {
    output('ip', '-n', 'ovl-web-1@two-nodes', 'address', 'flush', 'dev', 'eth0')
    const { status, stdout } = overlab('lab', 'status')
    assert.equal(status, 1)
    assert.match(stdout, /^web-1 .*bridge: /m)
    assert.match(stdout, /^web-0 .*as promised$/m)
  })
})

describe('a lab that comes and goes', () => {
  afterEach(leaveNothing)

  test('down leaves nothing, and succeeds twice', () => {
    overlab('lab', 'up')
    assert.deepEqual([overlab('lab', 'down').status, traces()], [0, NOTHING])
    const again = overlab('lab', 'down')
    assert.deepEqual([again.status, again.stdout, again.stderr], [0, 'Lab "two-nodes" is not up\n', ''])
  })

  test('down ends what still runs in the lab', async () => {
    overlab('lab', 'up')
    const child = spawn(process.execPath, [MAIN, 'lab', 'exec', 'web-0', '--', 'sleep', '1000'], {
      env: { ...process.env, ...environment },
      stdio: 'ignore',
    })
    while (!traces().processes.some((command) => command.startsWith('sleep'))) await setTimeout(50)
    overlab('lab', 'down')
    const [status] = await once(child, 'exit')
    assert.equal(status, 128 + 9)
  })

  test('on a terminal progress is shown there, and what is redirected stays JSON', () => {
    const command = `stty cols 120; ${process.execPath} ${MAIN} lab up -o json >/run/overlab-stdout`
    const { stdout } = spawnSync('script', ['-qec', command, '/dev/null'], { encoding: 'utf8', input: '' })
    assert.match(stdout, /✔.*pod api-1 on n2/)
    assert.equal(JSON.parse(readFileSync('/run/overlab-stdout', 'utf8')).healthy, true)
    rmSync('/run/overlab-stdout')
  })

  test('demo does all of it in one go and leaves nothing', () => {
    const { status, stdout } = overlab('lab', 'demo')
    assert.equal(status, 0)
    assert.match(stdout, /✔ 20 of 20 pings were answered, and the lab is gone again\.\n$/)
    assert.deepEqual(traces(), NOTHING)
  })

  // Moments of `up`, each named by what has just come into being.
  const moments = [
    { name: 'the state is written', path: '/run/overlab/lab/two-nodes/state.json' },
    { name: 'the first node is there', path: '/run/netns/ovl-n1@two-nodes' },
    { name: 'the second node is there', path: '/run/netns/ovl-n2@two-nodes' },
    { name: 'the first pod is there', path: '/run/netns/ovl-web-0@two-nodes' },
    { name: 'the first pod is attached', path: '/run/overlab/lab/two-nodes/n1/cni/results/pods-web-0-eth0' },
    { name: 'the last pod is there', path: '/run/netns/ovl-api-1@two-nodes' },
    { name: 'the last pod is attached', path: '/run/overlab/lab/two-nodes/n2/cni/results/pods-api-1-eth0' },
  ]
  for (const { name, path } of moments) {
    test(`Ctrl-C when ${name}: nothing is left`, async () => {
      const ended = await started(['lab', 'demo'], async (id) => {
        await until(path)
        process.kill(id, 'SIGINT')
      })
      assert.ok(ended === 130 || ended === 0, `it ended with ${ended}`) // 0 when it was just about to end
      assert.deepEqual(traces(), NOTHING)
    })

    test(`kill -9 when ${name}: down takes all of it back`, async () => {
      await started(['lab', 'up'], async (id) => {
        await until(path)
        process.kill(id, 'SIGKILL')
      })
      assert.equal(overlab('lab', 'down').status, 0)
      assert.deepEqual(traces(), NOTHING)
    })
  }

  test('Ctrl-C during up ends it with 130, and says that nothing is left', async () => {
    const child = spawn(process.execPath, [MAIN, 'lab', 'up'], { env: { ...process.env, ...environment } })
    const said = text(child.stderr)
    await until('/run/netns/ovl-n1@two-nodes')
    child.kill('SIGINT')
    const [status] = await once(child, 'exit')
    assert.equal(status, 130)
    assert.match(await said, /Interrupted; nothing is left behind\n$/)
    assert.deepEqual(traces(), NOTHING)
  })

  test('Ctrl-C while a ping waits for an answer ends it at once, and leaves the lab up', async () => {
    overlab('lab', 'up')
    output('ip', '-n', 'ovl-n1@two-nodes', 'link', 'set', 'eth0', 'down')
    const child = spawn(process.execPath, [MAIN, 'lab', 'ping'], { env: { ...process.env, ...environment } })
    await listening(child.pid!)
    child.kill('SIGINT')
    const [status] = await once(child, 'exit')
    assert.equal(status, 130)
    assert.equal(overlab('lab', 'down').status, 0)
  })

  test('up after a kill -9 clears away what is left, and comes up', async () => {
    await started(['lab', 'up'], async (id) => {
      await until('/run/netns/ovl-web-1@two-nodes')
      process.kill(id, 'SIGKILL')
    })
    const { status, stderr } = overlab('lab', 'up')
    assert.equal(status, 0, stderr)
  })

  test('down ends a process that is at work on the lab, and takes back what it has made', async () => {
    let down: Ended | undefined
    const ended = await started(['lab', 'up'], async (id) => {
      await until('/run/netns/ovl-n1@two-nodes')
      process.kill(id, 'SIGSTOP')
      down = overlab('lab', 'down')
    })
    assert.equal(ended, 130)
    assert.deepEqual(down, { status: 0, stdout: 'Lab "two-nodes" is down\n', stderr: '' })
  })
})
