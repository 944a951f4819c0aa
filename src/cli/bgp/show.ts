/** What a running speaker is asked: a request each, and its answer as text or JSON. The exit status is answered. */
import { resolve } from 'node:path'
import type { KernelAnswer, StatusAnswer } from '../../bgp/control/answer.ts'
import type { NeighbourDetails, NeighbourRow } from '../../bgp/control/neighbour-rows.ts'
import type { RouteRow, SentRow, WhyRow } from '../../bgp/views.ts'
import { Exit } from '../exit.ts'
import { type Format, print } from '../output.ts'
import { ask } from './control-client.ts'
import {
  formatKernel,
  formatNeighbour,
  formatNeighbours,
  formatRoutes,
  formatSent,
  formatStatus,
  formatWhy,
} from './tables.ts'

export interface Asked {
  readonly socket: string
  readonly output: Format
  readonly community?: readonly string[]
  readonly blackhole?: true
  readonly text?: string
  readonly undo?: true
}

/** Prefixes in a request. */
const BATCH = 5000

export async function status({ socket, output }: Asked): Promise<number> {
  const { done } = await ask<never, StatusAnswer>(socket, 'status')
  print(output, done, () => formatStatus(done, Date.now()))
  return done.isReady ? Exit.yes : Exit.no
}

export async function neighbors({ socket, output }: Asked): Promise<number> {
  const { rows } = await ask<NeighbourRow, object>(socket, 'neighbors')
  print(output, { neighbors: rows }, () => formatNeighbours(rows, Date.now()))
  return Exit.yes
}

export async function neighbor({ socket, output }: Asked, address: string): Promise<number> {
  const { done } = await ask<never, NeighbourDetails>(socket, 'neighbor', { address })
  print(output, done, () => formatNeighbour(done, Date.now()))
  return Exit.yes
}

export async function routes({ socket, output }: Asked, prefix: string | undefined): Promise<number> {
  const { rows } = await ask<RouteRow, object>(socket, 'routes', { prefix })
  print(output, { routes: rows }, () => formatRoutes(rows))
  return Exit.yes
}

export async function why({ socket, output }: Asked, prefix: string): Promise<number> {
  const { rows, done } = await ask<WhyRow, { readonly prefix: string }>(socket, 'why', { prefix })
  print(output, { ...done, paths: rows }, () => formatWhy(done.prefix, rows))
  return Exit.yes
}

export async function adjIn({ socket, output }: Asked, address: string): Promise<number> {
  const { rows } = await ask<RouteRow, object>(socket, 'adj-in', { address })
  print(output, { address, routes: rows }, () => formatRoutes(rows))
  return Exit.yes
}

export async function adjOut({ socket, output }: Asked, address: string): Promise<number> {
  const { rows } = await ask<SentRow, object>(socket, 'adj-out', { address })
  print(output, { address, routes: rows }, () => formatSent(rows))
  return Exit.yes
}

export async function kernel({ socket, output }: Asked): Promise<number> {
  const { done } = await ask<never, KernelAnswer>(socket, 'kernel')
  print(output, done, () => formatKernel(done))
  return Exit.yes
}

export async function announce(asked: Asked, prefixes: readonly string[]): Promise<number> {
  const { socket, output, community = [], blackhole = false } = asked
  for (const batch of batches(prefixes)) {
    await ask(socket, 'announce', { prefixes: batch, communities: community, blackhole })
  }
  print(output, { announced: prefixes }, () => `Announced ${prefixes.join(', ')}`)
  return Exit.yes
}

/** 1 when one of them was not announced so. */
export async function withdraw({ socket, output }: Asked, prefixes: readonly string[]): Promise<number> {
  const unknown: string[] = []
  for (const batch of batches(prefixes)) {
    const { done } = await ask<never, { readonly unknown: readonly string[] }>(socket, 'withdraw', { prefixes: batch })
    unknown.push(...done.unknown)
  }
  const withdrawn = prefixes.filter((prefix) => !unknown.includes(prefix))
  print(output, { withdrawn, unknown }, () =>
    [
      ...(withdrawn.length > 0 ? [`Withdrew ${withdrawn.join(', ')}`] : []),
      ...unknown.map((prefix) => `${prefix} was not announced by "overlab bgp announce"`),
    ].join('\n'),
  )
  return unknown.length === 0 ? Exit.yes : Exit.no
}

export async function refresh({ socket, output }: Asked, address: string): Promise<number> {
  const { done } = await ask<never, { readonly families: readonly string[] }>(socket, 'refresh', { address })
  print(output, { address, ...done }, () => `Asked ${address} for its ${done.families.join(' and ')} routes again`)
  return Exit.yes
}

export async function enable({ socket, output }: Asked, address: string): Promise<number> {
  await ask(socket, 'enable', { address })
  print(output, { address, enabled: true }, () => `Neighbor ${address} is enabled`)
  return Exit.yes
}

export async function disable({ socket, output, text }: Asked, address: string): Promise<number> {
  await ask(socket, 'disable', { address, text })
  print(output, { address, enabled: false }, () => `Neighbor ${address} is disabled`)
  return Exit.yes
}

export async function reset({ socket, output, text }: Asked, address: string): Promise<number> {
  await ask(socket, 'reset', { address, text })
  print(output, { address, reset: true }, () => `The session with ${address} begins again`)
  return Exit.yes
}

export async function drain({ socket, output, undo }: Asked, address: string): Promise<number> {
  await ask(socket, 'drain', { address, undo: undo ?? false })
  const text = undo
    ? `Routes of ${address} are used as before`
    : `Routes of ${address} are used where there are no others`
  print(output, { address, drained: !undo }, () => text)
  return Exit.yes
}

export async function dump({ socket, output }: Asked, file: string): Promise<number> {
  const { done } = await ask<never, { readonly octets: number }>(socket, 'dump', { file: resolve(file) })
  print(output, { file, ...done }, () => `Wrote ${done.octets} octets to "${file}"`)
  return Exit.yes
}

export async function reload({ socket, output }: Asked): Promise<number> {
  await ask(socket, 'reload')
  print(output, { reloaded: true }, () => 'The configuration is applied')
  return Exit.yes
}

function batches<T>(all: readonly T[]): T[][] {
  return Array.from({ length: Math.ceil(all.length / BATCH) }, (_, i) => all.slice(i * BATCH, (i + 1) * BATCH))
}
