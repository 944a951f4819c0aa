/** The lab without root: as uid 65534, in user namespaces. */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { afterAll, afterEach, test, vi } from 'vitest'
import { MAIN } from '../cli/overlab.ts'
import { MARK, processesWith, traces } from './traces.ts'

// Each command is a process of its own, which reads all of the source.
vi.setConfig({ testTimeout: 300_000 })

const NOBODY = 65534
const [name = '', value = ''] = MARK.split('=')
const folder = mkdtempSync(join(tmpdir(), 'overlab-rootless-'))
chmodSync(folder, 0o755)
const runtime = join(folder, 'runtime')
mkdirSync(runtime)
chownSync(runtime, NOBODY, NOBODY)
afterAll(() => rmSync(folder, { recursive: true }))

const asNobody = (argv: readonly string[], environment: Readonly<Record<string, string>> = {}) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, 'lab', ...argv], {
    uid: NOBODY,
    gid: NOBODY,
    cwd: '/',
    encoding: 'utf8',
    env: { PATH: process.env.PATH, XDG_RUNTIME_DIR: runtime, ...environment },
  })
  return { status, stdout, stderr }
}
const holders = () => processesWith(`OVERLAB_LAB_HOLDER=${runtime}/overlab/lab/two-nodes`)

afterEach(() => {
  asNobody(['down'])
  assert.deepEqual(holders(), [])
  assert.deepEqual(readdirSync(runtime), [])
  assert.deepEqual(traces().namespaces, [])
})

test('up, status, exec, ping and down, as for root', () => {
  const up = asNobody(['up', '-o', 'json'])
  assert.equal(up.status, 0, up.stderr)
  assert.equal(JSON.parse(up.stdout).healthy, true)
  assert.deepEqual(traces().namespaces, [], 'no name is in the machine’s own /run')

  const { id } = JSON.parse(readFileSync(join(runtime, 'overlab/lab/two-nodes/holder.json'), 'utf8'))
  assert.ok(existsSync(`/proc/${id}`))
  assert.deepEqual(holders(), ['sleep infinity '])

  assert.equal(asNobody(['status']).status, 0)
  assert.equal(asNobody(['exec', 'api-0', '--', 'sh', '-c', 'exit 5']).status, 5)
  assert.match(asNobody(['ping']).stdout, /✔ 20 of 20 pings were answered/)
  assert.deepEqual(asNobody(['down']).status, 0)
  assert.deepEqual(holders(), [])
})

test('up twice says so, down twice succeeds', () => {
  asNobody(['up'])
  const again = asNobody(['up'])
  assert.equal(again.status, 1)
  assert.match(again.stderr, /is up already/)
  assert.equal(asNobody(['down']).status, 0)
  assert.deepEqual(asNobody(['down']), { status: 0, stdout: 'Lab "two-nodes" is not up\n', stderr: '' })
})

test('demo needs no holder', () => {
  const { status, stdout } = asNobody(['demo'])
  assert.equal(status, 0)
  assert.match(stdout, /20 of 20 pings were answered, and the lab is gone again/)
  assert.deepEqual(readdirSync(runtime), [])
})

/** What there is of it, when it does not do as it should. */
function overlayNow(): string {
  const questions = ['ip -s link show flannel.1', 'ip route', 'ip neigh', 'bridge fdb show dev flannel.1']
  const answers = ['n1', 'n2'].flatMap((node) =>
    questions.map((line) => `${node}: ${line}\n${asNobody(['exec', node, '--', ...line.split(' ')]).stdout}`),
  )
  return [asNobody(['status']).stdout, ...answers].join('\n')
}

test('daemons run there as for root', () => {
  const up = asNobody(['up', '--backend', 'vxlan'])
  assert.equal(up.status, 0, up.stderr)
  const { stdout } = asNobody(['ping'])
  assert.ok(stdout.includes('✔ 20 of 20 pings were answered'), stdout + overlayNow())
  assert.equal(asNobody(['node', 'kill', 'n1']).status, 0)
  assert.equal(asNobody(['status']).status, 1)
  assert.equal(asNobody(['node', 'restart', 'n1']).status, 0)
  assert.equal(asNobody(['status']).status, 0)
  assert.equal(asNobody(['down']).status, 0)
})

test('udp needs /dev/net/tun, and says so where everybody may not open it', () => {
  const mayAnybody = (statSync('/dev/net/tun').mode & 0o006) === 0o006
  const { status, stderr } = asNobody(['up', '--backend', 'udp'])
  if (mayAnybody) {
    assert.equal(status, 0, stderr)
    assert.match(asNobody(['ping']).stdout, /✔ 20 of 20 pings were answered/)
  } else {
    assert.equal(status, 4)
    assert.match(stderr, /^Cannot open "\/dev\/net\/tun" for the backend udp: EACCES$/m)
  }
})

test('a demo that is killed takes its daemons with it: nobody could find them again', async () => {
  const child = spawn(process.execPath, [MAIN, 'lab', 'demo', '--backend', 'vxlan'], {
    uid: NOBODY,
    gid: NOBODY,
    cwd: '/',
    env: { ...process.env, XDG_RUNTIME_DIR: runtime, [name]: value },
    stdio: 'ignore',
  })
  const daemons = () => processesWith(MARK).filter((command) => command.includes(' daemon --store='))
  while (daemons().length < 2) await setTimeout(5)
  child.kill('SIGKILL')
  while (processesWith(MARK).length > 0) await setTimeout(5)
})

test('a holder whose id was never written down is found', () => {
  asNobody(['up'])
  rmSync(join(runtime, 'overlab/lab/two-nodes/holder.json'))
  assert.equal(asNobody(['status']).status, 0)
  assert.equal(asNobody(['down']).status, 0)
  assert.deepEqual(holders(), [])
})

test('an up that fails leaves no holder', () => {
  const { status, stderr } = asNobody(['up', '--bin-dir', folder])
  assert.equal(status, 1)
  assert.match(stderr, /Cannot find plugin "loopback"/)
  assert.deepEqual(holders(), [])
})

test('where the kernel allows no user namespaces, one line says so', () => {
  // unshare(1), as it answers there.
  writeFileSync(
    join(folder, 'unshare'),
    '#!/bin/sh\necho "unshare: unshare failed: Operation not permitted" >&2\nexit 1\n',
  )
  chmodSync(join(folder, 'unshare'), 0o755)
  for (const command of ['up', 'demo']) {
    assert.deepEqual(asNobody([command], { PATH: `${folder}:${process.env.PATH}` }), {
      status: 4,
      stdout: '',
      stderr:
        'A lab needs root, or a kernel that lets uid 65534 have user namespaces (unshare: unshare failed: Operation not permitted)\n',
    })
  }
})

test('root without its capabilities is told what is missing', () => {
  const argv = ['--bounding-set=-all', '--inh-caps=-all', process.execPath, MAIN, 'lab', 'up']
  const { status, stderr } = spawnSync('setpriv', argv, { encoding: 'utf8' })
  assert.equal(status, 4)
  assert.match(stderr, /: EPERM\nThis needs root, or at least CAP_NET_ADMIN and CAP_SYS_ADMIN\.\n$/)
})
