/**
 * Two nodes with a pod each, and what carries packets between the nodes:
 *
 *   pod-a ── cni0 ── node-a ── flannel0 ~~ UDP ~~ flannel0 ── node-b ── cni0 ── pod-b
 *  10.5.1.10  .1       └──── under 192.168.98.1 ── veth ── .2 ────┘       .1  10.5.2.10
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { startUdpEngine, type UdpEngine } from '../../../src/cli/udp-engine.ts'
import type { EchoRequest, LiveKernel } from '../../../src/kernel/live.ts'
import { liveLinux } from '../../../src/linux/live.ts'
import { eventually } from '../../contract/kernel/case.ts'
import { run } from '../../support/command.ts'

export const PORT = 8285
export const TUN = 'flannel0'
/** What is left of 1500 bytes beside an IPv4 and a UDP header. */
export const MTU = 1472

export type Side = 'a' | 'b'
/** Milliseconds. */
const PATIENCE = 20_000
const numbers = { a: 1, b: 2 } as const
const other = { a: 'b', b: 'a' } as const

export const nodeAddress = (side: Side) => `192.168.98.${numbers[side]}`
export const podAddress = (side: Side) => `10.5.${numbers[side]}.10`
export const bridgeAddress = (side: Side) => `10.5.${numbers[side]}.1`
export const tunAddress = (side: Side) => `10.5.${numbers[side]}.0`
export const routesOf = (side: Side) => [
  { subnet: `10.5.${numbers[other[side]]}.0/24`, node: nodeAddress(other[side]) },
]
export const namespacePath = (name: string) => `/run/netns/${name}`
const sides = ['a', 'b'] as const

const ip = (namespace: string, words: string) => run('ip', '-n', namespace, ...words.split(' '))
export const ethtool = (namespace: string, words: string) =>
  run('ip', 'netns', 'exec', namespace, 'ethtool', '-K', ...words.split(' '))
const sysctl = (namespace: string, ...words: string[]) =>
  run('ip', 'netns', 'exec', namespace, 'sysctl', '-qw', ...words)

export function buildNetwork(): void {
  for (const side of sides) for (const kind of ['node', 'pod']) run('ip', 'netns', 'add', `${kind}-${side}`)
  run('ip', ...'link add under netns node-a type veth peer name under netns node-b'.split(' '))
  for (const side of sides) {
    const [node, pod] = [`node-${side}`, `pod-${side}`]
    for (const each of [node, pod])
      sysctl(each, 'net.ipv6.conf.all.disable_ipv6=1', 'net.ipv6.conf.default.disable_ipv6=1')
    sysctl(node, 'net.ipv4.ip_forward=1', 'net.ipv4.icmp_ratelimit=0')
    ip(node, 'link set lo up')
    ip(node, `address add ${nodeAddress(side)}/24 dev under`)
    ip(node, 'link set under up')
    ip(node, `link add cni0 mtu ${MTU} type bridge`)
    ip(node, `address add ${bridgeAddress(side)}/24 dev cni0`)
    ip(node, 'link set cni0 up')
    ip(node, `link add veth0 mtu ${MTU} type veth peer name eth0 mtu ${MTU} netns ${pod}`)
    ip(node, 'link set veth0 master cni0 up')
    ip(pod, 'link set lo up')
    ip(pod, `address add ${podAddress(side)}/24 dev eth0`)
    ip(pod, 'link set eth0 up')
    ip(pod, `route add default via ${bridgeAddress(side)}`)
  }
}

export function removeNetwork(): void {
  for (const side of sides) for (const kind of ['node', 'pod']) run('ip', 'netns', 'delete', `${kind}-${side}`)
}

/** A wire that takes whole frames only: at most 1514 bytes, with complete checksums, as a plain network card's. */
export function withoutOffloads(): void {
  for (const side of sides) {
    ethtool(`node-${side}`, 'under tx off sg off tso off gso off gro off tx-udp-segmentation off')
  }
}

/** What the backend does beside the data path. */
export function configureTun(side: Side): void {
  const node = `node-${side}`
  ip(node, `address replace ${tunAddress(side)}/32 dev ${TUN}`)
  ip(node, `link set ${TUN} mtu ${MTU} up`)
  ip(node, `route replace 10.5.0.0/16 dev ${TUN}`)
}

export async function startEngine(side: Side, onFailure?: (error: Error) => void): Promise<UdpEngine> {
  const engine = startUdpEngine({
    namespacePath: namespacePath(`node-${side}`),
    tun: TUN,
    address: nodeAddress(side),
    port: PORT,
    routes: routesOf(side),
    ...(onFailure && { onFailure }),
  })
  configureTun(side)
  await engine.ready
  return engine
}

/** Ended by the function that is answered. */
export async function startNaive(side: Side): Promise<() => Promise<void>> {
  const routes = routesOf(side).map(({ subnet, node }) => `${subnet}=${node}`)
  const end = await startProgram(`node-${side}`, 'naive-proxy.ts', TUN, nodeAddress(side), `${PORT}`, ...routes)
  configureTun(side)
  return end
}

/** Runs one of the programs beside this file in the namespace, till it says that it is ready. */
export async function startProgram(namespace: string, file: string, ...words: string[]): Promise<() => Promise<void>> {
  const program = [process.execPath, join(import.meta.dirname, file), ...words]
  const child: ChildProcess = spawn('ip', ['netns', 'exec', namespace, ...program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [first] = await Promise.race([once(child.stdout!, 'data'), once(child, 'exit')])
  if (!Buffer.isBuffer(first)) throw new Error(`Cannot start ${file} in ${namespace}`)
  return async () => {
    const exit = once(child, 'exit')
    child.kill('SIGKILL')
    await exit
  }
}

const linux = liveLinux()
const handles = new Map<string, LiveKernel>()

/** A handle of the namespace, which is closed by `closeHandles`. */
export function inside(name: string): LiveKernel {
  const handle = handles.get(name) ?? linux.enter(namespacePath(name))!
  handles.set(name, handle)
  return handle
}

export function closeHandles(): void {
  for (const handle of handles.values()) handle.close()
  handles.clear()
}

/** From pod a, with time enough for a busy machine. */
export const ping = (to: string, request: EchoRequest = {}) =>
  inside('pod-a').ping(to, { timeout: PATIENCE, ...request })

/** A socket that keeps what it hears. */
export function listenUdp(namespace: string, port: number, address?: string) {
  const heard: Uint8Array[] = []
  const errors: { readonly from: string; readonly type: number; readonly code: number; readonly mtu: number }[] = []
  const socket = inside(namespace).sockets.bindUdp(
    { port, ...(address && { address }) },
    {
      datagram: (_, bytes) => heard.push(bytes),
      error: ({ from, type, code, mtu }) => errors.push({ from, type, code, mtu }),
    },
  )
  return { ...socket, heard, errors }
}

/** Sends the pieces by TCP from one pod to the other; answers what arrived, when the connection has ended on both sides. */
export async function transfer(from: Side, to: Side, pieces: readonly Uint8Array[]): Promise<Uint8Array> {
  const arrived: Uint8Array[] = []
  let state = 'open'
  const listener = inside(`pod-${to}`).sockets.listenTcp({ address: podAddress(to), port: 7100 }, () => ({
    data: (_, bytes) => arrived.push(bytes),
    end: (connection) => connection.end(),
    closed: (_, errno) => {
      state = errno ?? 'closed'
    },
  }))
  try {
    inside(`pod-${from}`).sockets.connectTcp(
      { address: podAddress(to), port: 7100 },
      {
        established(connection) {
          for (const piece of pieces) connection.write(piece)
          connection.end()
        },
        closed: (_, errno) => {
          if (errno) state = errno
        },
      },
    )
    await eventually(() => state !== 'open', `the transfer from ${from} to ${to} ends`)
    if (state !== 'closed') throw new Error(`Cannot transfer from ${from} to ${to}: ${state}`)
    return new Uint8Array(Buffer.concat(arrived))
  } finally {
    listener.close()
  }
}
