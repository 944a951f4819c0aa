/** Networks, attachments and results, as text. */
import { CniError } from '../cni/errors.ts'
import type { Host } from '../cni/host.ts'
import type { CachedAttachment } from '../cni/runtime/cache.ts'
import { isMap, type Json, type JsonMap } from '../cni/runtime/json.ts'
import { readNetwork } from '../cni/runtime/network.ts'
import { table } from './output.ts'

export interface NetworkRow {
  readonly path: string
  readonly name?: string
  readonly cniVersion?: string
  readonly plugins?: readonly string[]
  /** Why it cannot be used. */
  readonly fault?: string
}

export function describeNetwork(path: string, { files }: Host): NetworkRow {
  try {
    const { name, cniVersion, plugins } = readNetwork(path, files)
    return { path, name, cniVersion, plugins: plugins.map(({ type }) => type) }
  } catch (error) {
    if (error instanceof CniError) return { path, fault: error.message }
    throw error
  }
}

export function describeAttachment({ network, containerId, ifName, netns, result }: CachedAttachment) {
  return { network, containerId, ifName, netns, addresses: addressesOf(result).map(({ address }) => address) }
}

export function networkTable(networks: readonly NetworkRow[]): string {
  const rows = networks.map(({ name = '–', cniVersion = '–', plugins = ['–'], path, fault }) => {
    return [name, cniVersion, plugins.join(' '), fault ?? path]
  })
  return table(['NETWORK', 'CNI', 'PLUGINS', 'FILE'], rows)
}

export function attachmentTable(attachments: readonly ReturnType<typeof describeAttachment>[]): string {
  const rows = attachments.map(({ network, containerId, ifName, addresses, netns }) => {
    return [network, containerId, ifName, addresses.join(' ') || '–', netns]
  })
  return table(['NETWORK', 'CONTAINER', 'INTERFACE', 'ADDRESS', 'NAMESPACE'], rows)
}

/** The result as a table of addresses, or what interfaces there are when it has none. */
export function formatResult(result: JsonMap): string {
  const interfaces = mapsIn(result.interfaces)
  const interfaceRows = interfaces.map(({ name, mac, sandbox }) => [
    `${name}`,
    `${mac ?? '–'}`,
    `${sandbox || 'the node'}`,
  ])
  const addresses = addressesOf(result)
  return [
    ...(interfaces.length > 0 ? [table(['INTERFACE', 'MAC', 'IN'], interfaceRows)] : []),
    ...(addresses.length > 0
      ? [
          table(
            ['ADDRESS', 'GATEWAY'],
            addresses.map(({ address, gateway }) => [address, gateway ?? '–']),
          ),
        ]
      : []),
  ].join('\n\n')
}

/** Of every version's result: up to 0.2.0 there is one for each family, since then a list. */
function addressesOf(result: JsonMap): { readonly address: string; readonly gateway?: string }[] {
  const old = [result.ip4, result.ip6].filter(isMap).map(({ ip, gateway }) => ({ address: ip, gateway }))
  return [...old, ...mapsIn(result.ips)].map(({ address, gateway }) => ({
    address: String(address),
    ...(typeof gateway === 'string' && { gateway }),
  }))
}

function mapsIn(value: Json | undefined): JsonMap[] {
  return Array.isArray(value) ? value.filter(isMap) : []
}
