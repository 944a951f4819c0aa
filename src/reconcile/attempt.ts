/**
 * Operations carried out each for itself: one that is refused holds up none of the others. What `apply` is to a plugin, which
 * has all or nothing, this is to a daemon.
 *
 * Those on nftables take effect table by table. A route that is in the place of a desired one gives way to it. What should be
 * on a link that was refused is not tried.
 */
import { KernelError } from '../kernel/errors.ts'
import type { Kernel } from '../kernel/kernel.ts'
import type { Route } from '../kernel/route.ts'
import { batchOf, changeVlans, isGoneAlready, type RouteOperation, routeChange, type VlanOperation } from './apply.ts'
import { carryOut } from './carriers.ts'
import { nftOperations } from './nftables-operations.ts'
import type { ChainContent, Desired, Operation, Seen, SubjectName } from './state.ts'
import { subjects } from './subjects.ts'

export interface Refused {
  readonly operation: Operation
  readonly error: Error
}

export interface Attempt {
  readonly done: readonly Operation[]
  readonly refused: readonly Refused[]
}

/** Carries out what can be, in order. What is in neither list was not tried. */
export function attempt(kernel: Kernel, operations: readonly Operation[]): Attempt {
  const done: Operation[] = []
  const refused: Refused[] = []
  const lost = new Set<string>()
  let i = 0
  while (i < operations.length) {
    const batch = batchOf(operations[i]!.subject)
    let end = i + 1
    while (batch !== undefined && end < operations.length && batchOf(operations[end]!.subject) === batch) end++
    const part = operations.slice(i, end).filter((operation) => !isOnLink(operation, lost))
    i = end
    const found = part.length === 0 ? [] : attemptBatch(kernel, batch, part)
    const not = new Set(found.map(({ operation }) => operation))
    done.push(...part.filter((operation) => !not.has(operation)))
    refused.push(...found)
    for (const { operation } of found) if (operation.subject === 'links') lost.add(linkOf(operation)!)
  }
  return { done, refused }
}

function attemptBatch(kernel: Kernel, batch: ReturnType<typeof batchOf>, operations: readonly Operation[]): Refused[] {
  if (batch === 'routes') return changeRoutes(kernel, operations as RouteOperation[])
  if (batch === 'vlans') return together(operations, () => changeVlans(kernel, operations as VlanOperation[], forget))
  if (batch === undefined) return together(operations, () => carryOut(kernel, operations[0]!, forget))
  const byTable = Map.groupBy(operations, tableOf)
  return [...byTable.values()].flatMap((ofOne) =>
    together(ofOne, () => kernel.nftables.commit(ofOne.flatMap(nftOperations))),
  )
}

const forget = () => {}

/** All of them are refused, or none. */
function together(operations: readonly Operation[], call: () => void): Refused[] {
  try {
    call()
    return []
  } catch (error) {
    // Whatever it is: a daemon goes on with the rest, and tells of it.
    const reason = error instanceof Error ? error : new Error(String(error))
    return operations.map((operation) => ({ operation, error: reason }))
  }
}

function changeRoutes(kernel: Kernel, operations: readonly RouteOperation[]): Refused[] {
  const changes = operations.map(routeChange)
  const refused: Refused[] = []
  const inTheWay: RouteOperation[] = []
  for (const { index, errno } of kernel.routes.batch(changes)) {
    const [operation, change] = [operations[index]!, changes[index]!]
    if (isGoneAlready(change, errno)) continue
    if (change.operation === 'add' && errno === 'EEXIST') inTheWay.push(operation)
    else refused.push(refusal(operation, errno))
  }
  const replacements = inTheWay.map(
    (operation) => ({ operation: 'replace', route: itemOf(operation) as Route }) as const,
  )
  if (replacements.length === 0) return refused
  return [...refused, ...kernel.routes.batch(replacements).map(({ index, errno }) => refusal(inTheWay[index]!, errno))]
}

function refusal(operation: RouteOperation, errno: string): Refused {
  const { operation: call, route } = routeChange(operation)
  return { operation, error: new KernelError(errno, `${call} ${subjects.routes.describe(route)}`) }
}

function isOnLink(operation: Operation, links: ReadonlySet<string>): boolean {
  const link = linkOf(operation)
  return link !== undefined && links.has(link)
}

/** The link that what the operation is about is on, or is. */
export function linkOf(operation: Operation): string | undefined {
  const item = itemOf(operation)
  if (operation.subject === 'links') return subjects.links.key(item as Desired['links'] | Seen['links'])
  return 'link' in item && typeof item.link === 'string' ? item.link : undefined
}

/** What the operation is about: as it is desired, or as it is there. */
function itemOf(operation: Operation): Desired[SubjectName] | Seen[SubjectName] {
  return operation.operation === 'remove' ? operation.seen : operation.desired
}

function tableOf(operation: Operation): string {
  const item = itemOf(operation)
  if (operation.subject === 'nftTables')
    return nameOf((item as Desired['nftTables']).family, (item as Desired['nftTables']).name)
  const { family, table } =
    operation.subject === 'nftChains' ? (item as ChainContent).chain : (item as Desired['nftGuests' | 'nftSets'])
  return nameOf(family, table)
}

const nameOf = (family: string, table: string) => `${family} ${table}`
