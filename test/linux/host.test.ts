/** The real host, seen from a process of its own. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'vitest'
import type { Host } from '../../src/cni/host.ts'
import { host as ours } from '../../src/linux/host.ts'

const host: Host = ours

/** Runs the source with `host` in it. */
function run(source: string, input: string | Uint8Array = ''): ReturnType<typeof spawnSync> {
  const path = JSON.stringify(join(import.meta.dirname, '../../src/linux/host.ts'))
  const program = `import { host } from ${path}\n${source}`
  return spawnSync(process.execPath, ['--input-type=module-typescript', '-e', program], {
    input,
    env: { ...process.env, GIVEN: 'ä' },
    maxBuffer: 100_000_000,
  })
}

test('stdin comes in, stdout and stderr go out, and exit has its status', () => {
  const { status, stdout, stderr } = run(
    `host.writeStdout(host.decode(host.readStdin()) + host.environment.GIVEN)
     host.writeStderr('trouble')
     host.exit(3)`,
    'text ',
  )
  assert.deepEqual([status, String(stdout), String(stderr)], [3, 'text ä', 'trouble'])
})

test('much of stdin comes in and goes out whole', () => {
  const much = 'x'.repeat(1_000_000)
  assert.equal(String(run('host.writeStdout(host.decode(host.readStdin()))', much).stdout), much)
})

test('stdin and stdout that do not block are waited for', () => {
  const path = JSON.stringify(join(import.meta.dirname, '../../src/linux/host.ts'))
  const program = `import { host } from ${path}; host.writeStdout(host.decode(host.readStdin()).toUpperCase())`
  // Both ends of both pipes are non-blocking; the writer comes late and the reader is slow.
  const python = `
import os, subprocess, sys, time
stdin, stdout = os.pipe(), os.pipe()
for end in stdin + stdout: os.set_blocking(end, False)
child = subprocess.Popen(sys.argv[1:], stdin=stdin[0], stdout=stdout[1])
os.close(stdin[0]); os.close(stdout[1])
time.sleep(2)
os.set_blocking(stdin[1], True); os.set_blocking(stdout[0], True)
with os.fdopen(stdin[1], 'wb') as pipe: pipe.write(b'x' * 200_000)
time.sleep(1)
with os.fdopen(stdout[0], 'rb') as pipe: print(pipe.read().count(b'X'), child.wait())`
  const { stdout, stderr } = spawnSync(
    'python3',
    ['-c', python, process.execPath, '--input-type=module-typescript', '-e', program],
    { encoding: 'utf8' },
  )
  assert.equal(stdout, '200000 0\n', stderr)
})

test('now is the time, monotonic goes on, and sleep lets both pass', () => {
  const before = Date.now()
  const now = host.now()
  assert.ok(before <= now && now <= Date.now() + 1)
  const start = host.monotonic()
  host.sleep(30)
  const slept = host.monotonic() - start
  assert.ok(slept >= 28 && slept < 5000, `${slept} ms`)
})

test('random gives so many bytes, others each time', () => {
  assert.equal(host.random(0).length, 0)
  assert.equal(host.random(1000).length, 1000)
  assert.notDeepEqual(host.random(16), host.random(16))
})

test('run runs a program, and one that cannot be started is a KernelError', () => {
  const options = { environment: { GIVEN: 'variable' }, stdin: host.encode('input') }
  const { status, stdout } = host.run('/bin/sh', ['sh', '-c', 'cat; echo " $GIVEN"; exit 5'], options)
  assert.deepEqual([status, host.decode(stdout)], [5, 'input variable\n'])
  assert.throws(() => host.run('/nothing/here', ['here'], options), {
    name: 'KernelError',
    errno: 'ENOENT',
    message: 'Cannot run "/nothing/here": ENOENT',
  })
})

test('executable is the script that Node runs', () => assert.match(host.executable(), /^\/.*\.m?[jt]s$/))
