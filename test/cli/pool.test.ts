/** `overlab pool`, as a person uses it, on a store in a directory. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, test } from 'vitest'
import { formatRequest, parseResponse } from '../../src/pool/socket-protocol.ts'
import { MAIN, overlab } from './overlab.ts'

const directory = mkdtempSync(join(tmpdir(), 'overlab-pool-cli-'))
afterAll(() => rmSync(directory, { recursive: true }))

const environment = { OVERLAB_STORE: `file:${directory}/store` }
const pool = (...argv: string[]) => overlab(['pool', ...argv], environment)
const jsonOf = (...argv: string[]) => JSON.parse(pool(...argv, '-o', 'json').stdout)

test('a pool is made, changed, filled by a socket, and goes when it is empty', async () => {
  assert.equal(pool('create', '10.244.0.0/24', '--block-size', '28', '--vxlan-mode', 'CrossSubnet').status, 0)
  const twice = pool('create', '10.244.0.0/16')
  assert.deepEqual([twice.status, twice.stdout], [1, ''])
  assert.match(twice.stderr, /overlaps pool 10\.244\.0\.0\/24/)
  assert.equal(jsonOf('set', '10.244.0.0/24', '--disable-bgp-export').disableBGPExport, true)
  assert.equal(jsonOf('set', '10.244.0.0/24', '--bgp-export').disableBGPExport, false)
  assert.equal(jsonOf('settings', '--max-blocks-per-host', '2').maxBlocksPerHost, 2)

  const socket = join(directory, 'pool.sock')
  const served = spawn(process.execPath, [MAIN, 'pool', 'serve', '--node', 'n1', '--socket', socket], {
    env: { PATH: process.env.PATH, ...environment },
    stdio: ['ignore', 'inherit', 'pipe'],
  })
  const ended = new Promise((resolve) => served.on('exit', resolve))
  try {
    await new Promise((resolve) => served.stderr.once('data', resolve)) // it says that it answers
    const attachment = { containerId: 'c1', ifName: 'eth0' }
    const about = { pod: 'web-0' }
    const wanted = { network: 'pods', attachment, families: ['ipv4' as const], pools: undefined, addresses: [], about }
    const answer = parseResponse(await ask(socket, formatRequest({ verb: 'assign', ...wanted })))
    assert.ok(answer && 'assigned' in answer)
    const { address, block } = answer.assigned[0]!
    assert.deepEqual(jsonOf('show'), [{ block, node: 'n1', used: 1, free: 15 }])
    assert.equal(jsonOf('show', address).attributes.pod, 'web-0')
    const [row] = jsonOf('list')
    assert.deepEqual([row.pool.cidr, row.blocks, row.used], ['10.244.0.0/24', 1, 1])
    assert.equal(pool('delete', '10.244.0.0/24').status, 1)
    assert.equal(pool('release', address).status, 0)
    assert.equal(pool('release', address).status, 1)
    assert.equal(pool('show', address).status, 1)
  } finally {
    served.kill('SIGTERM')
    assert.equal(await ended, 0)
  }
  assert.deepEqual(jsonOf('remove-node', 'n1').addresses, [])
  assert.equal(pool('delete', '10.244.0.0/24').status, 0)
  assert.deepEqual(jsonOf('list'), [])
})

for (const [argv, says] of [
  [['create', 'nonsense'], /no prefix/],
  [['create', '10.1.0.0/16', '--block-size', '19'], /\/20 to \/32/],
  [['create', '10.1.0.0/16', '--node-selector', '&&'], /selector/],
  [['set', '10.9.0.0/16'], /there is none/],
  [['set', '10.9.0.0/16', '--enable', '--disable'], /both/],
  [['show', 'nonsense'], /no IP address/],
  [['settings', '--strict-affinity', 'perhaps'], /yes or no/],
  [['list', '--store', 'nonsense'], /file:DIRECTORY/],
  [['serve'], /--node/],
  [['serve', '--node', 'n1', '--label', 'x'], /KEY=VALUE/],
] as const) {
  test(`overlab pool ${argv.join(' ')} is wrong use, and says why`, () => {
    const { status, stdout, stderr } = pool(...argv)
    assert.deepEqual([status, stdout], [2, ''])
    assert.match(stderr, says)
  })
}

function ask(path: string, line: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    const socket = createConnection(path, () => socket.write(`${line}\n`))
    socket.setEncoding('utf8').on('error', reject)
    socket.on('data', (part) => {
      text += part
      if (!text.endsWith('\n')) return
      socket.destroy()
      resolve(text.slice(0, -1))
    })
  })
}
