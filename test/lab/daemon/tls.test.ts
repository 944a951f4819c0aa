/** E9: daemons, and etcd that speaks TLS and knows users. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, onTestFinished, test } from 'vitest'
import { files } from '../../../src/linux/files.ts'
import { openStore } from '../../../src/store/open.ts'
import { makeCertificates } from '../../support/certificates.ts'
import { run } from '../../support/command.ts'
import { type Etcd, type EtcdOptions, startEtcd } from '../../support/etcd.ts'
import { type Network, type StoreUnderTest, SWITCH, startNetwork, startStore } from './network.ts'

const vxlan = { Network: '10.5.0.0/16', Backend: { Type: 'vxlan' } }
const PORT = 3379

let plain: StoreUnderTest
beforeAll(async () => {
  plain = await startStore('etcd')
})
afterAll(async () => {
  await plain[Symbol.asyncDispose]()
  run('ip', 'netns', 'delete', SWITCH)
})

/** Beside the one that speaks plainly, with two nodes that have not begun. */
async function startSecure(tls: EtcdOptions['tls']): Promise<{ etcd: Etcd; network: Network }> {
  const etcd = await startEtcd({ namespace: SWITCH, address: '192.168.77.100', port: PORT, ...(tls && { tls }) })
  onTestFinished(() => etcd.stop())
  const { ca, cert, key } = etcd.certificates!
  const settings = { endpoints: [etcd.endpoint], ca, cert, key, username: 'root', password: 'right-password' }
  const operator = openStore({ etcd: settings }, { tryLock: files.tryLock, report: assert.fail })
  onTestFinished(() => operator.close())
  const flags = ['-etcd-endpoints', etcd.endpoint]
  const store = { kind: 'etcd', flags, operator, etcd, [Symbol.asyncDispose]: async () => {} } as const
  const network = await startNetwork({ store, config: vxlan, nodes: 2, idle: true })
  onTestFinished(() => network[Symbol.asyncDispose]())
  return { etcd, network }
}

async function begin(network: Network, flags: readonly string[], env = {}): Promise<void> {
  for (const node of network.nodes) node.start(flags, { env })
  for (const node of network.nodes) await node.ready()
  for (const node of network.nodes) node.addPod()
  await network.settled()
  assert.equal(Object.keys(await network.leases()).length, 2)
  assert.deepEqual(network.unreachable(), [])
}

/** The first node ends at once, and says this. */
async function assertRefused({ nodes: [node] }: Network, flags: readonly string[], message: RegExp): Promise<void> {
  node!.start(flags)
  assert.equal(await node!.ended(), 1, node!.log)
  assert.match(node!.log, message)
  assert.doesNotMatch(node!.log, /\n\s+at /, 'it is a message for people')
}

/** An authority that has nothing to do with etcd's, and a client of its own. */
function strangers() {
  const folder = mkdtempSync(join(tmpdir(), 'overlab-tls-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  return makeCertificates(folder, '192.168.77.100')
}

test('a client certificate: nodes that show one of etcd’s authority are served, others end with a message', async () => {
  const { etcd, network } = await startSecure('mutual')
  const { ca, cert, key } = etcd.certificates!
  const stranger = strangers()
  await assertRefused(
    network,
    ['-etcd-cafile', ca],
    /Cannot reach etcd https:\S+: it refuses TLS with us: [a-z ]*certificate[a-z ]*$/m,
  )
  const other = ['-etcd-certfile', stranger.cert, '-etcd-keyfile', stranger.key]
  await assertRefused(
    network,
    ['-etcd-cafile', ca, ...other],
    /Cannot reach etcd https:\S+: .*(certificate|unknown ca)/i,
  )
  await begin(network, ['-etcd-cafile', ca, '-etcd-certfile', cert, '-etcd-keyfile', key])
})

test('the authority alone: TLS without a client certificate; another authority, and none, are refused', async () => {
  const { etcd, network } = await startSecure('server')
  const { ca } = etcd.certificates!
  await assertRefused(network, ['-etcd-cafile', strangers().ca], /Cannot reach etcd https:\S+: .*certificate/)
  await assertRefused(network, [], /Cannot reach etcd https:\S+: .*certificate/)
  await assertRefused(network, ['-etcd-cafile', '/nowhere/ca.pem'], /Cannot read "\/nowhere\/ca\.pem" for TLS/)
  await begin(network, ['-etcd-cafile', ca])
})

test('the authority, a user and his password; a wrong password is an error, and no log tells one', async () => {
  const { etcd, network } = await startSecure('server')
  for (const command of ['user add root:right-password', 'user grant-role root root', 'auth enable']) {
    await etcd.etcdctl(...command.split(' '))
  }
  const flags = ['-etcd-cafile', etcd.certificates!.ca, '-etcd-username', 'root']
  const wrong = [...flags, '-etcd-password=wrong-password']
  await assertRefused(network, wrong, /Cannot log in to etcd https:\S+ as "root": authentication failed/)
  assert.doesNotMatch(network.nodes[0]!.log, /wrong-password/)
  await begin(network, flags, { FLANNELD_ETCD_PASSWORD: 'right-password' })
  for (const { log } of network.nodes) assert.doesNotMatch(log, /right-password/)
})
