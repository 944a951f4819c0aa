/** Where an etcd is and how it is spoken to, as etcdctl's options of the same names say. */
import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { checkServerIdentity, type PeerCertificate } from 'node:tls'
import { ChannelCredentials } from '@grpc/grpc-js'
import { StoreError } from '../store.ts'

export interface EtcdSettings {
  /** `http://host:port`, `https://host:port`, or `host:port` for http. The port is 2379 where none is given. */
  readonly endpoints: readonly string[]
  /** Paths of PEM files. Without `ca` an https endpoint is checked against the authorities that Node knows. */
  readonly ca?: string | undefined
  readonly cert?: string | undefined
  readonly key?: string | undefined
  readonly username?: string | undefined
  readonly password?: string | undefined
}

export interface Endpoint {
  /** For people: `https://10.0.0.1:2379`. */
  readonly url: string
  readonly isSecure: boolean
  /** IPv6 without brackets. */
  readonly host: string
  /** For gRPC: `dns:10.0.0.1:2379`. */
  readonly target: string
}

const DEFAULT_PORT = '2379'

/** RangeError when the settings cannot be meant so. */
export function parseEndpoints({ endpoints, ca, cert, key, username, password }: EtcdSettings): Endpoint[] {
  if (endpoints.length === 0) throw new RangeError('Cannot use etcd: no endpoint is given')
  if (!cert !== !key)
    throw new RangeError('Cannot use etcd: a certificate and its key are given together or not at all')
  if (password && !username) throw new RangeError('Cannot use etcd: a password is given without a user name')
  const parsed = endpoints.map(parseEndpoint)
  if ((ca || cert) && !parsed.some(({ isSecure }) => isSecure)) {
    const urls = parsed.map(({ url }) => url).join(',')
    throw new RangeError(`Cannot use etcd: certificates are given, but no endpoint of ${urls} is https`)
  }
  return parsed
}

/**
 * RFC 6066 §3 wants a name there and no address, and gRPC would send the address. Go's servers, which have one certificate,
 * do not care which name; what the certificate must be for stands in the credentials.
 */
export function serverName({ host }: Endpoint): { 'grpc.ssl_target_name_override'?: string } {
  return isIP(host) ? { 'grpc.ssl_target_name_override': 'etcd' } : {}
}

/** The files are read again for each connection: certificates are renewed while a daemon runs. */
export function credentialsFor({ isSecure, host }: Endpoint, { ca, cert, key }: EtcdSettings): ChannelCredentials {
  if (!isSecure) return ChannelCredentials.createInsecure()
  const files = [ca, key, cert].map((path) => (path ? readPem(path) : null))
  try {
    const byAddress = { checkServerIdentity: (_: string, cert: PeerCertificate) => checkServerIdentity(host, cert) }
    return ChannelCredentials.createSsl(files[0], files[1], files[2], isIP(host) ? byAddress : {})
  } catch (cause) {
    const paths = [ca, cert, key].filter(Boolean).map((path) => `"${path}"`)
    throw new StoreError('refused', `Cannot use ${paths.join(', ')}: ${(cause as Error).message}`, { cause })
  }
}

function parseEndpoint(text: string): Endpoint {
  const [, scheme = 'http', rest] = /^(?:(\w+):\/\/)?(.*?)\/?$/.exec(text.trim())!
  const [, host, port = DEFAULT_PORT] = /^(\[[\da-f:.]+\]|[^\s:/@?#[\]]+)(?::(\d{1,5}))?$/i.exec(rest!) ?? []
  if ((scheme !== 'http' && scheme !== 'https') || !host) {
    // What stands before an @ may be a password.
    const shown = text.replace(/^.*@/, '…@')
    throw new RangeError(`Cannot use the etcd endpoint "${shown}": it is no http://host:port or https://host:port`)
  }
  return {
    url: `${scheme}://${host}:${port}`,
    isSecure: scheme === 'https',
    host: host.replace(/[[\]]/g, ''),
    target: `dns:${host}:${port}`,
  }
}

function readPem(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (cause) {
    throw new StoreError('refused', `Cannot read "${path}" for TLS: ${(cause as Error).message}`, { cause })
  }
}
