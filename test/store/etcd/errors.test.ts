/** What is made of gRPC's errors, as Node and OpenSSL word those of TLS. */
import assert from 'node:assert/strict'
import { status } from '@grpc/grpc-js'
import { test } from 'vitest'
import { storeError } from '../../../src/store/etcd/errors.ts'

const lost = (reason: string) => `No connection established. Last error: Error: ${reason}. Resolution note: `
const alert = (text: string) =>
  `40FD6CBD607F0000:error:0A000418:SSL routines:ssl3_read_bytes:${text}:../deps/openssl/openssl/ssl/record/rec_layer_s3.c:916:SSL alert number 48\n`

// Details, kind, message.
const rows = [
  [lost('connect ECONNREFUSED 127.0.0.1:1'), 'unavailable', 'connect ECONNREFUSED 127.0.0.1:1'],
  [
    lost(
      'unable to verify the first certificate; if the root CA is installed locally, try running Node.js with --use-system-ca',
    ),
    'refused',
    'unable to verify the first certificate',
  ],
  [lost(alert('ssl/tls alert bad certificate')), 'refused', 'it refuses TLS with us: bad certificate'],
  [lost(alert('tlsv13 alert certificate required')), 'refused', 'it refuses TLS with us: certificate required'],
  [lost(alert('tlsv1 alert unknown ca')), 'refused', 'it refuses TLS with us: unknown ca'],
  [lost(alert('tlsv1 alert internal error')), 'unavailable', 'it refuses TLS with us: internal error'],
] as const

for (const [details, kind, reason] of rows) {
  test(`${reason}: ${kind}`, () => {
    const error = storeError('reach etcd', Object.assign(new Error(details), { code: status.UNAVAILABLE, details }))
    assert.deepEqual([error.kind, error.message], [kind, `Cannot reach etcd: ${reason}`])
  })
}
