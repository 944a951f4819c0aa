/** What a claim about kernels is made of. */
import assert from 'node:assert/strict'
import { KernelError } from '../../../src/kernel/errors.ts'
import type { Kernel } from '../../../src/kernel/kernel.ts'
import type { LiveKernel } from '../../../src/kernel/live.ts'

/** Two namespaces of one kernel with nothing but a loopback link each, which is down. */
export interface World {
  readonly node: LiveKernel
  readonly container: LiveKernel
  /** A prefix for names of namespaces that nobody else uses. */
  readonly prefix: string
}

export interface Case {
  /** Unique: `known` refers to it. */
  readonly title: string
  check(world: World): void | Promise<void>
}

/** A link that carries packets: a veth end whose peer, `<name>p`, is up too. */
export function addCarrier(kernel: Kernel, name = 'l0'): void {
  kernel.links.add({ kind: 'veth', name, up: true, peer: { name: `${name}p` } })
  kernel.links.set(`${name}p`, { up: true })
}

/** The call must be refused with this errno. */
export function refused(errno: string, call: () => unknown): void {
  assert.throws(call, (error) => {
    assert.ok(error instanceof KernelError, `no KernelError but ${String(error)}`)
    assert.equal(error.errno, errno, error.message)
    return true
  })
}

/** The fields of `actual` that `expected` has. */
export function has<T extends object>(actual: T | undefined, expected: Partial<T>): void {
  assert.ok(actual, 'there is none')
  const picked = Object.fromEntries(Object.keys(expected).map((key) => [key, actual[key as keyof T]]))
  assert.deepEqual(picked, expected)
}

/** Lets a kernel's time go on by 20 ms. */
export type PassTime = () => void | Promise<void>

/** Linux's goes on by itself. */
const realTime: PassTime = () => new Promise((resolve) => setTimeout(resolve, 20))

let passTime = realTime

/** While the check runs, time passes so; as on Linux where nothing is said. */
export async function inTime(pass: PassTime | undefined, check: () => void | Promise<void>): Promise<void> {
  passTime = pass ?? realTime
  try {
    await check()
  } finally {
    passTime = realTime
  }
}

/** Asks until it is so, as the kernel does some things a moment later; fails after a minute. */
export async function eventually(holds: () => boolean, what: string): Promise<void> {
  for (let attempt = 0; attempt < 3000; attempt++) {
    if (holds()) return
    await passTime()
  }
  assert.fail(`It did not come to pass that ${what}`)
}
