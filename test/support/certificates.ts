/** Certificates for a test, made by openssl: an authority, a server at an address, and a client. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { run } from './command.ts'

/** Paths of PEM files. */
export interface Certificates {
  readonly ca: string
  readonly serverCert: string
  readonly serverKey: string
  /** The client's. */
  readonly cert: string
  readonly key: string
}

/** `address`: the IP address that the server's certificate is for. */
export function makeCertificates(folder: string, address: string): Certificates {
  mkdirSync(folder, { recursive: true })
  const path = (name: string) => join(folder, name)
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-noenc', '-days', '2']
  const authority = ['-x509', '-subj', '/CN=authority', '-keyout', path('ca.key'), '-out', path('ca.pem')]
  run('openssl', 'req', ...newKey, ...authority)
  const issue = (name: string, extensions: string) => {
    const request = ['-subj', `/CN=${name}`, '-keyout', path(`${name}.key`), '-out', path(`${name}.csr`)]
    run('openssl', 'req', ...newKey.slice(0, -2), ...request)
    writeFileSync(path(`${name}.ext`), extensions)
    const by = ['-CA', path('ca.pem'), '-CAkey', path('ca.key'), '-CAcreateserial', '-days', '2']
    const files = ['-in', path(`${name}.csr`), '-extfile', path(`${name}.ext`), '-out', path(`${name}.pem`)]
    run('openssl', 'x509', '-req', ...by, ...files)
  }
  issue('server', `subjectAltName=IP:${address}\nextendedKeyUsage=serverAuth,clientAuth\n`)
  issue('client', 'extendedKeyUsage=clientAuth\n')
  return {
    ca: path('ca.pem'),
    serverCert: path('server.pem'),
    serverKey: path('server.key'),
    cert: path('client.pem'),
    key: path('client.key'),
  }
}
