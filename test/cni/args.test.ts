import assert from 'node:assert/strict'
import { describe, test } from 'vitest'
import { parseArgs } from '../../src/cni/args.ts'

const known = ['IP', 'MAC']

describe('parseArgs() reads', () => {
  const rows: [string, Record<string, string>][] = [
    ['', {}],
    ['IP=10.1.2.3', { IP: '10.1.2.3' }],
    ['IP=', { IP: '' }],
    ['IP=1;IP=2', { IP: '2' }],
    ['IP=1;MAC=2', { IP: '1', MAC: '2' }],
    ['IgnoreUnknown=1;K8S_POD_NAMESPACE=default;IP=1', { IP: '1' }],
    ['K8S_POD_NAME=x;IgnoreUnknown=TRUE', {}],
    ['IgnoreUnknown=0', {}],
    ['IgnoreUnknown=1;ip=1', {}],
  ]
  for (const [text, args] of rows) test(JSON.stringify(text), () => assert.deepEqual(parseArgs(text, known), args))
})

describe('parseArgs() refuses', () => {
  const rows: [string, RegExp][] = [
    ['FOO', /"FOO" in it is no pair, write KEY=VALUE;KEY=VALUE/],
    [';', /"" in it is no pair/],
    ['IP=1;', /"" in it is no pair/],
    ['IP=1=2', /"IP=1=2" in it is no pair/],
    ['IgnoreUnknown=1;FOO', /"FOO" in it is no pair/],
    ['FOO=BAR', /unknown "FOO=BAR" in it; add IgnoreUnknown=1/],
    ['A=1;B=2', /unknown "A=1", "B=2"/],
    ['ip=1', /unknown "ip=1"/],
    ['ignoreunknown=1', /unknown "ignoreunknown=1"/],
    ['IgnoreUnknown=0;FOO=BAR', /unknown "FOO=BAR"/],
    ['IgnoreUnknown=maybe', /IgnoreUnknown is "maybe", give 1 or 0/],
    ['IgnoreUnknown=', /IgnoreUnknown is ""/],
  ]
  for (const [text, message] of rows) {
    test(JSON.stringify(text), () => {
      assert.throws(() => parseArgs(text, known), { name: 'CniError', code: 4, message })
      assert.throws(() => parseArgs(text, known), /^CniError: Cannot use CNI_ARGS: /)
    })
  }
})
