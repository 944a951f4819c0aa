/** The kernel's tracing as the oracle uses it: it leaves no trace of its own. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'vitest'
import { openTracefs } from '../../../src/linux/tracefs.ts'
import { DropTrace } from '../../../src/oracle/drop-trace.ts'

test('tracefs is at hand, and mounted nowhere', () => {
  const mounts = () => readFileSync('/proc/self/mountinfo', 'utf8')
  const before = mounts()
  const tracefs = openTracefs()
  try {
    assert.ok(readdirSync(tracefs.path).includes('instances'))
    assert.equal(mounts(), before)
  } finally {
    tracefs.close()
  }
})

test('what a process that was killed has left is removed by the next', () => {
  const tracefs = openTracefs()
  try {
    const instances = join(tracefs.path, 'instances')
    const { pid } = spawnSync('true')
    const namespace = /\d+/.exec(readlinkSync('/proc/self/ns/pid'))![0]
    const [left, others] = [`overlab-${namespace}-${pid}`, `overlab-1-${pid}`]
    const made = [left, others].map((name) => join(instances, name))
    for (const path of made) mkdirSync(path)
    try {
      const trace = new DropTrace()
      const during = readdirSync(instances)
      trace.close()
      assert.ok(!during.includes(left))
      assert.ok(during.includes(`overlab-${namespace}-${process.pid}`))
      assert.ok(during.includes(others), 'the process of another PID namespace may well be alive')
      assert.ok(!readdirSync(instances).includes(`overlab-${namespace}-${process.pid}`))
    } finally {
      for (const path of made) spawnSync('rmdir', [path])
    }
  } finally {
    tracefs.close()
  }
})
