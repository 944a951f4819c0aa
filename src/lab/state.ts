/**
 * What a lab leaves on disk for the next command to find: the plan, whole, before the first thing of it is made.
 *
 *   <state directory>/<lab>/state.json      the plan, and which process is at work on it
 *                           <node>/net.d/   the node's configuration lists
 *                           <node>/cni/     its result cache
 *                           <node>/ipam/    its addresses, as host-local keeps them
 *
 * Where the nodes have daemons (daemons.ts), also
 *
 *   <state directory>/<lab>/.overlay/net-conf.json   what the first of them puts into the store
 *                           .overlay/store/          the store, a directory
 *                           <node>/subnet.env        what the CNI plugin flannel reads
 *                           <node>/flannel/          what that has noted
 *                           <node>/daemon.json       which process the daemon is
 *                           <node>/daemon.log        what it said
 *
 * and where they speak BGP (speakers.ts)
 *
 *   <state directory>/<lab>/<node>/bgp.json            the configuration; bird.conf, zebra.conf and bgpd.conf of routers of others
 *                           <node>/bgp.sock            where our speaker is asked
 *                           <node>/speaker.json        which processes the speaker is
 *                           <node>/speaker.log         what it said
 */
import type { Files } from '../cni/host.ts'
import { isErrno } from '../kernel/errors.ts'
import type { Machine, ProcessIdentity } from './machine.ts'
import type { LabPlan } from './plan.ts'

const FILE = 'state.json'

export interface LabState {
  readonly plan: LabPlan
  /** The process that builds it, or that it shall not outlive; undefined for a lab that stands by itself. */
  readonly owner?: ProcessIdentity
}

export function labDirectory(lab: string, { stateDirectory }: Machine): string {
  return `${stateDirectory}/${lab}`
}

export function nodeDirectory(lab: string, node: string, machine: Machine): string {
  return `${labDirectory(lab, machine)}/${node}`
}

/** What all nodes of the lab have in common. No node is called so: names begin with a letter or digit. */
export function overlayDirectory(lab: string, machine: Machine): string {
  return `${labDirectory(lab, machine)}/.overlay`
}

export function subnetFile(lab: string, node: string, machine: Machine): string {
  return `${nodeDirectory(lab, node, machine)}/subnet.env`
}

/** False when a lab of this name has a state already. */
export function claimState(state: LabState, machine: Machine): boolean {
  const directory = labDirectory(state.plan.name, machine)
  machine.host.files.makeDirectory(directory, 0o755)
  return machine.host.files.create(`${directory}/${FILE}`, formatState(state), 0o644)
}

export function replaceState(state: LabState, machine: Machine): void {
  machine.host.files.replace(`${labDirectory(state.plan.name, machine)}/${FILE}`, formatState(state), 0o644)
}

export function readState(lab: string, machine: Machine): LabState | undefined {
  const text = machine.host.files.read(`${labDirectory(lab, machine)}/${FILE}`)
  return text === undefined ? undefined : JSON.parse(text)
}

/** Names of the labs that have left something here. */
export function listLabs({ host, stateDirectory }: Machine): string[] {
  return host.files.list(stateDirectory)?.sort() ?? []
}

/** Removes the lab's directory, and those above it that are empty then. */
export function removeState(lab: string, machine: Machine): void {
  const { files } = machine.host
  removeTree(labDirectory(lab, machine), files)
  const above = machine.stateDirectory
  for (const directory of [above, above.slice(0, above.lastIndexOf('/'))]) {
    try {
      files.removeDirectory(directory)
    } catch (error) {
      if (!isErrno(error, 'ENOTEMPTY', 'EBUSY')) throw error // another lab's, or a mount
      return
    }
  }
}

function formatState(state: LabState): string {
  return `${JSON.stringify(state, undefined, 2)}\n`
}

function removeTree(path: string, files: Files): void {
  if (files.status(path)?.kind !== 'directory') {
    files.remove(path)
    return
  }
  for (const name of files.list(path) ?? []) removeTree(`${path}/${name}`, files)
  files.removeDirectory(path)
}
