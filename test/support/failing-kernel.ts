/** A kernel that refuses one call: for tests of what is left behind then. */
import { KernelError } from '../../src/kernel/errors.ts'
import type { Kernel } from '../../src/kernel/kernel.ts'
import type { NewLink } from '../../src/kernel/link.ts'

/** Rooms of the interface whose calls are counted. */
const ROOMS = [
  'links',
  'bridgeVlans',
  'addresses',
  'routes',
  'rules',
  'neighbours',
  'fdb',
  'nftables',
  'sysctl',
] as const

/** Refuses call number `step`, counted from 0 over this kernel and those that are entered from it; later ones go through. */
export function failingAt(kernel: Kernel, step: number): Kernel {
  let calls = 0
  const refuse = (call: string) => {
    if (calls++ === step) throw new KernelError('EIO', `fail on purpose in ${call}`)
  }
  return wrap(kernel, refuse)
}

const wrapped = new WeakMap<Kernel, Kernel>()

function wrap(kernel: Kernel, refuse: (call: string) => void): Kernel {
  const rooms = Object.fromEntries(ROOMS.map((room) => [room, wrapRoom(kernel[room], room, refuse)]))
  const outside = {
    namespacePath: kernel.namespacePath,
    namespaces: kernel.namespaces,
    ...rooms,
    enter(path: string) {
      const entered = kernel.enter(path)
      return entered && wrap(entered, refuse)
    },
    sameNamespace: (other: Kernel) => kernel.sameNamespace(wrapped.get(other) ?? other),
    close: () => kernel.close(),
  } as unknown as Kernel
  wrapped.set(outside, kernel)
  return outside
}

function wrapRoom<T extends object>(room: T, name: string, refuse: (call: string) => void): T {
  return new Proxy(room, {
    get(target, method) {
      const call = Reflect.get(target, method, target)
      if (typeof call !== 'function') return call
      return (...args: unknown[]) => {
        refuse(`${name}.${String(method)}`)
        return Reflect.apply(call, target, args.map(unwrapPeer))
      }
    },
  })
}

/** Linux wants its own handle for the namespace that a link is born in. */
function unwrapPeer(argument: unknown): unknown {
  const link = argument as NewLink | undefined
  if (typeof link !== 'object' || !('peer' in link) || !link.peer.namespace) return argument
  return { ...link, peer: { ...link.peer, namespace: wrapped.get(link.peer.namespace) ?? link.peer.namespace } }
}
