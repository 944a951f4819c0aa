/** Pods on one network of netconf/, attached as a runtime does it: by `overlab cni`. */
import assert from 'node:assert/strict'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { overlab, run } from '../support/command.ts'
import { UPLINK } from '../support/outside.ts'

export const netconf = join(import.meta.dirname, '../../netconf')

interface Attached {
  readonly ips: readonly { readonly address: string }[]
}

/**
 * Attaches a pod per name, lets `body` use them, and detaches them. ADD, CHECK and DEL succeed, and a second DEL too; afterwards no
 * cable and no reserved address is left on the node. `options` are further arguments for each pod's commands.
 */
export function withPods(
  file: string,
  options: Readonly<Record<string, readonly string[]>>,
  body: (addresses: Readonly<Record<string, readonly string[]>>) => void,
): void {
  const network = join(netconf, file)
  const names = Object.keys(options)
  const call = (verb: string, name: string) => overlab('cni', verb, network, name, '-o', 'json', ...options[name]!)
  const before = cables()
  for (const name of names) run('ip', 'netns', 'add', name)
  try {
    overlab('cni', 'status', network)
    const addresses: Record<string, readonly string[]> = {}
    for (const name of names) {
      const { ips } = JSON.parse(call('add', name)) as Attached
      addresses[name] = (ips ?? []).map(({ address }) => address.split('/')[0]!)
    }
    for (const name of names) call('check', name)
    body(addresses)
    for (const name of [...names, ...names]) call('del', name)
    assert.deepEqual(cables(), before)
    assert.deepEqual(reservations(network), [])
  } finally {
    for (const name of names) run('ip', 'netns', 'delete', name)
  }
}

/** Whether the pod has an answer from the address. */
export function reaches(pod: string, address: string): boolean {
  try {
    run('ip', 'netns', 'exec', pod, 'ping', '-c', '1', '-W', '2', address)
    return true
  } catch {
    return false // ping's status 1: no answer
  }
}

/** The node's ends of cables into other namespaces. */
function cables(): string[] {
  const found = JSON.parse(run('ip', '-j', '-d', 'link', 'show', 'type', 'veth')) as {
    readonly ifname: string
    readonly link_netnsid?: number
  }[]
  return found.filter((link) => link.link_netnsid !== undefined && link.ifname !== UPLINK).map(({ ifname }) => ifname)
}

function reservations(network: string): string[] {
  const { networks } = JSON.parse(overlab('cni', 'list', '--conf-dir', netconf, '-o', 'json')) as {
    readonly networks: readonly { readonly name: string; readonly path: string }[]
  }
  const folder = `/var/lib/cni/networks/${networks.find(({ path }) => path === network)!.name}`
  return existsSync(folder) ? readdirSync(folder).filter((name) => !/^(lock|last_reserved_ip\.\d+)$/.test(name)) : []
}
