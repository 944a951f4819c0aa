import assert from 'node:assert/strict'
import { test } from 'vitest'
import { CommandError, explain, statusOf } from '../../src/cli/exit.ts'
import { CniError } from '../../src/cni/errors.ts'
import { KernelError } from '../../src/kernel/errors.ts'
import { DaemonError } from '../../src/lab/daemon-error.ts'

const endings = [
  { name: 'a check that fails', error: new CniError(101, 'gone'), status: 1 },
  { name: 'a network that is not ready', error: new CniError(50, 'not now'), status: 1 },
  { name: 'no address left', error: new CniError(103, 'full'), status: 1 },
  { name: 'a configuration that is wrong', error: new CniError(7, 'bad'), status: 2 },
  { name: 'a version that nobody speaks', error: new CniError(1, 'bad'), status: 2 },
  { name: 'a file that cannot be read', error: new CniError(5, 'bad'), status: 4 },
  { name: 'a kernel that says no', error: new KernelError('EOPNOTSUPP', 'add link "a"'), status: 4 },
  { name: 'a daemon that does not get ready', error: new DaemonError('Cannot bring it up'), status: 1 },
  { name: 'an interruption', error: new CommandError(130, 'Interrupted'), status: 130 },
  { name: 'a defect', error: new TypeError('undefined is not a function'), status: 70 },
]
for (const { name, error, status } of endings) {
  test(`${name} ends with ${status}`, () => assert.equal(statusOf(error), status))
}

const about = { version: '1.2.3', argv: ['lab', 'up'] }

test('a defect is explained with all that a report needs', () => {
  const text = explain(new TypeError('undefined is not a function'), about)
  assert.match(text, /overlab 1\.2\.3, Node v.*, arguments \["lab","up"\]/)
  assert.match(text, /TypeError: undefined is not a function\n {4}at /)
})

test('a missing permission is explained with what to do', () => {
  assert.match(explain(new KernelError('EPERM', 'add link "a"'), about), /needs root/)
})

test('whatever is not a defect has no stack', () => {
  for (const { error } of endings.slice(0, -1)) assert.doesNotMatch(explain(error, about), /\n {4}at /)
})
