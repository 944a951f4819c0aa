/** Addresses that a runtime asks for: in `args.cni.ips`, in `runtimeConfig.ips`, or as `IP` in CNI_ARGS. */
import type { Ip } from '../address/ip.ts'
import { readAnyIp, readAnyPrefix } from '../cni/address.ts'
import { type CniArgs, unusable } from '../cni/args.ts'
import { invalid } from '../cni/errors.ts'
import type { JsonObject } from '../json/json.ts'

/** Those that the configuration has. CniError for what is no address. */
export function requestsIn(json: JsonObject): Ip[] {
  return [...requestsAt(json.object('args')?.object('cni')), ...requestsAt(json.object('runtimeConfig'))]
}

/** None or one. */
export function requestsInArgs({ IP: text = '' }: CniArgs): Ip[] {
  if (text === '') return []
  const ip = readRequest(text)
  if (!ip) throw unusable(`IP is "${text}", give an IP address`)
  return [ip]
}

function requestsAt(json: JsonObject | undefined): Ip[] {
  return (json?.strings('ips') ?? []).map((text) => {
    const ip = readRequest(text)
    if (!ip) throw invalid(`Cannot use "${json!.pathOf('ips')}": "${text}" is no IP address`)
    return ip
  })
}

/** A prefix length says nothing here: the pool or range knows it. */
function readRequest(text: string): Ip | undefined {
  return readAnyIp(text) ?? readAnyPrefix(text)?.address
}
