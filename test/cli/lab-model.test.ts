/** `overlab lab --engine model`: a lab that needs no root, and is there for the next command. */
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test, vi } from 'vitest'
import { overlab as run } from './overlab.ts'

const topology = join(import.meta.dirname, '../../examples/topologies/s02-overlay.ovl.yml')

// Each command is a process of its own, which reads all of the source.
vi.setConfig({ testTimeout: 180_000 })

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'overlab-model-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const overlab = (...argv: string[]) => run(argv, { XDG_RUNTIME_DIR: directory })
const up = (...argv: string[]) => overlab('lab', 'up', '--engine', 'model', ...argv)

test('two nodes with two pods each come up, every pod pings every other, and nothing is left', () => {
  const { status, stdout, stderr } = overlab('lab', 'demo', '--engine', 'model', '-o', 'json')
  assert.equal(status, 0, stderr)
  const { status: lab, matrix } = JSON.parse(stdout)
  assert.equal(lab.healthy, true)
  assert.equal(matrix.answers.length, 20)
  for (const { answer } of matrix.answers) assert.equal(answer.outcome, 'reply')
  assert.deepEqual(readdirSync(directory), [])
})

test('a lab stays: what was done to it is there for the next command', () => {
  assert.equal(up('--file', topology).status, 0)
  assert.equal(up('--file', topology).status, 1, 'it is up already')
  const name = ['--name', 's02-overlay']
  assert.match(
    overlab('lab', 'exec', ...name, 'web-0', '--', 'ip', 'route').stdout,
    /^default via 10\.244\.0\.1 dev eth0/,
  )
  assert.equal(overlab('lab', 'exec', ...name, 'n1', '--', 'ip', 'route', 'add', 'blackhole', '10.9.0.0/16').status, 0)
  assert.match(overlab('lab', 'exec', ...name, 'n1', '--', 'ip', 'route').stdout, /^blackhole 10\.9\.0\.0\/16/m)
  assert.equal(overlab('lab', 'ping', ...name).status, 0)

  assert.equal(overlab('lab', 'exec', ...name, 'n2', '--', 'sysctl', '-qw', 'net.ipv4.ip_forward=0').status, 0)
  assert.equal(overlab('lab', 'ping', ...name).status, 1)
  const trace = overlab('trace', 'web-0', 'api-0', '--file', topology)
  assert.equal(trace.status, 1)
  assert.match(trace.stdout, /DROPPED at n2\/flannel\.1: IP_INADDRERRORS/)
  assert.equal(
    overlab('lab', 'exec', ...name, 'n1', 'overlab lab exec n2 -- sysctl -qw net.ipv4.ip_forward=1').status,
    0,
  )
  assert.equal(overlab('lab', 'status', ...name).status, 0)

  assert.match(overlab('lab', 'down', ...name, '--engine', 'model').stdout, /is down/)
  assert.match(overlab('lab', 'down', ...name, '--engine', 'model').stdout, /is not up/)
})

test('what is kept is its owner’s alone', () => {
  assert.equal(up('--file', topology).status, 0)
  const models = join(directory, 'overlab/model')
  for (const path of ['', 's02-overlay', 's02-overlay/lab.json', 's02-overlay/deeds.ndjson']) {
    assert.equal(statSync(join(models, path)).mode & 0o077, 0, path)
  }
})

test('a program’s status is the command’s, and what is not modelled is refused by name', () => {
  assert.equal(up().status, 0)
  const missing = overlab('lab', 'exec', 'web-0', '--', 'ip', 'link', 'show', 'nothing')
  assert.equal(missing.status, 1)
  assert.match(missing.stderr, /Device "nothing" does not exist/)
  const unknown = overlab('lab', 'exec', 'web-0', '--', 'tcpdump')
  assert.equal(unknown.status, 127)
  assert.match(unknown.stderr, /tcpdump: not modelled/)
  const nobody = overlab('lab', 'exec', 'web-9', '--', 'ip', 'route')
  assert.equal(nobody.status, 2)
  assert.match(nobody.stderr, /did you mean "web-0"/)
})

test('a topology that cannot be built leaves nothing', () => {
  const { status, stderr } = up('--file', '/nowhere.ovl.yml')
  assert.equal(status, 2)
  assert.match(stderr, /Cannot read the topology file/)
  assert.ok(!existsSync(join(directory, 'overlab/model')))
})

test('daemons: what happens to a node is there for the next command', () => {
  assert.equal(up('--backend', 'udp').status, 0)
  const status = () => overlab('lab', 'status', '-o', 'json')
  const daemons = () => JSON.parse(status().stdout).nodes.map(({ daemon }: { daemon: object }) => daemon)
  assert.deepEqual(
    daemons().map(({ backend, isReady }: { backend: string; isReady: boolean }) => [backend, isReady]),
    [
      ['udp', true],
      ['udp', true],
    ],
  )
  const before = daemons()
  assert.equal(overlab('lab', 'node', 'kill', 'n1').stdout, 'The daemon of n1 is dead; what it has made stays\n')
  assert.equal(status().status, 1)
  assert.equal(overlab('lab', 'ping').status, 1)
  assert.equal(overlab('lab', 'node', 'restart', 'n1').status, 0)
  assert.deepEqual(daemons(), before)
  assert.equal(overlab('lab', 'node', 'cut', 'n2').status, 0)
  assert.equal(overlab('lab', 'ping').status, 1)
  assert.equal(overlab('lab', 'node', 'heal', 'n2').status, 0)
  assert.equal(overlab('lab', 'ping').status, 0)
  const nobody = overlab('lab', 'node', 'kill', 'n3')
  assert.deepEqual([nobody.status, nobody.stderr], [2, '"n3" is no node of lab "two-nodes"\n'])
})

test('demo ends with a trace between two nodes', () => {
  const { status, stdout } = overlab('lab', 'demo', '--engine', 'model', '--backend', 'vxlan')
  assert.equal(status, 0)
  assert.match(stdout, /route +10\.244\.\d+\.0\/24 via 10\.244\.\d+\.0 dev flannel\.1 onlink +\(flannel lease n2\)$/m)
  assert.match(stdout, /^✔ DELIVERED both ways at api-0\/eth0 · through n1, n2/m)
})
