/**
 * What flannel's own plugin, v1.9.1-flannel3, gave to its delegate or answered, recorded with delegates that write down what
 * they get: test/conformance/flannel-cni-golden.json.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'vitest'
import { flannelNode, SUBNET_FILE } from './node.ts'

interface GoldenCase {
  readonly case: string
  readonly conf: object
  readonly subnetEnv: string | null
  readonly rc: number
  readonly delegatePlugin?: string
  readonly delegate?: object
  readonly error?: { readonly code: number; readonly msg: string }
}

const file = join(import.meta.dirname, '../../conformance/flannel-cni-golden.json')
const cases = JSON.parse(readFileSync(file, 'utf8')) as GoldenCase[]

test('all 26 cases are there', () => assert.equal(cases.length, 26))

describe('the delegate is given what flannel gives it, and so is the scratch file', () => {
  for (const { case: title, conf, subnetEnv, delegatePlugin, delegate } of cases.filter(({ rc }) => rc === 0)) {
    test(title, () => {
      const node = flannelNode({ subnetEnv, delegates: [delegatePlugin!] })
      const { status, stderr } = node.ask('ADD', { configuration: conf })
      assert.deepEqual([status, stderr], [0, ''])
      assert.deepEqual(
        node.received.map(({ plugin, command, configuration }) => [plugin, command, configuration]),
        [[delegatePlugin, 'ADD', delegate]],
      )
      assert.deepEqual(node.scratches(), { c1: node.received[0]!.text })
    })
  }
})

describe('an error is told in the words of flannel', () => {
  // What we answer in place of 999, the code that Go's library has for every error.
  const codes: Readonly<Record<string, number>> = { 'env file absent': 11 }
  for (const { case: title, conf, subnetEnv, error } of cases.filter(({ error }) => error)) {
    test(title, () => {
      const node = flannelNode({ subnetEnv })
      const { status, json } = node.ask('ADD', { configuration: conf })
      assert.deepEqual([status, node.received, node.scratches()], [1, [], {}])
      assert.equal(json.code, codes[title] ?? 7)
      // Of a network without a name all our plugins say the same: src/cni/config.ts.
      if (title === 'no name') assert.match(json.msg, /Cannot find the network's name/)
      else assert.equal(json.msg, error!.msg.replaceAll('<subnetFile>', SUBNET_FILE))
    })
  }
})

test('a line without "=", over which flannel dies, is an error', () => {
  const { conf, subnetEnv } = cases.find(({ rc }) => rc === 2)!
  const { status, json } = flannelNode({ subnetEnv }).ask('ADD', { configuration: conf })
  assert.deepEqual([status, json.code], [1, 7])
  assert.match(json.msg, /line 1 of \/run\/flannel\/subnet\.env is "FLANNEL_MTU", without "="/)
})
