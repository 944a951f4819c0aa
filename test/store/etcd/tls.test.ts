import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished, test } from 'vitest'
import { etcdStore } from '../../../src/store/etcd/etcd.ts'
import type { EtcdSettings } from '../../../src/store/etcd/settings.ts'
import type { Store } from '../../../src/store/store.ts'
import { put, until, Witness } from '../../contract/store/case.ts'
import { makeCertificates } from '../../support/certificates.ts'
import { startEtcd } from '../../support/etcd.ts'

function open(settings: EtcdSettings): Store {
  const store = etcdStore(settings)
  onTestFinished(() => store.close())
  return store
}

const refusal = (call: Promise<unknown>, message: RegExp) =>
  assert.rejects(call, (error: Error & { kind?: string }) => {
    assert.match(error.message, message)
    assert.equal(error.kind, 'refused')
    return true
  })

test('an authority alone makes TLS, with calls, leases and watches', async () => {
  await using etcd = await startEtcd({ tls: 'server' })
  assert.match(etcd.endpoint, /^https:/)
  const store = open({ endpoints: [etcd.endpoint], ca: etcd.certificates!.ca })
  const witness = new Witness()
  store.watch('/', witness)
  const lease = await store.grant(100)
  await put(store, '/a', '1', lease)
  assert.equal(await store.keepAlive(lease), 100)
  await until({ passTime }, () => witness.keys.join() === '/a', 'the watch is told')
})

test('a server of another authority, or of another address, is refused', async () => {
  await using etcd = await startEtcd({ tls: 'server' })
  const folder = mkdtempSync(join(tmpdir(), 'overlab-tls-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const another = makeCertificates(folder, '127.0.0.1')
  const { endpoint, port, certificates } = etcd
  await refusal(open({ endpoints: [endpoint] }).get('/a'), /^Cannot reach etcd https:.*certificate/)
  await refusal(open({ endpoints: [endpoint], ca: another.ca }).get('/a'), /certificate/)
  const elsewhere = open({ endpoints: [`https://localhost:${port}`], ca: certificates!.ca })
  await refusal(elsewhere.get('/a'), /altnames/)
  const plain = open({ endpoints: [`http://127.0.0.1:${port}`] })
  await assert.rejects(plain.get('/a'), /^StoreError: Cannot reach etcd http:/)
})

test('where etcd asks for a client certificate, one of its authority is needed', async () => {
  await using etcd = await startEtcd({ tls: 'mutual' })
  const { ca, cert, key } = etcd.certificates!
  const store = open({ endpoints: [etcd.endpoint], ca, cert, key })
  await put(store, '/a', '1')
  assert.equal((await store.get('/a'))?.value, '1')
  await refusal(open({ endpoints: [etcd.endpoint], ca }).get('/a'), /certificate/)
})

test('a file that is not there, or no certificate, is named', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'overlab-tls-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const garbage = join(folder, 'garbage.pem')
  writeFileSync(garbage, 'garbage')
  const { cert } = makeCertificates(folder, '127.0.0.1')
  const endpoints = ['https://127.0.0.1:1']
  await refusal(open({ endpoints, ca: '/nowhere/ca.pem' }).get('/a'), /^Cannot read "\/nowhere\/ca\.pem" for TLS/)
  await refusal(open({ endpoints, cert, key: garbage }).get('/a'), /^Cannot use ".*garbage\.pem"/)
})

function passTime(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 10))
}
