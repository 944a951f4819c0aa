/**
 * An operation on a thing of nftables, in the words of Nftables.commit. What was not seen is created, not added: when
 * somebody else made it meanwhile, the kernel says EEXIST instead of giving a chain its rules twice.
 */
import type { NftElement, NftOperation } from '../kernel/nftables.ts'
import { ensureGuest, removeGuest } from './nftables-guests.ts'
import type { ChainContent, Operation, SetElement } from './state.ts'

export function nftOperations(operation: Operation): NftOperation[] {
  switch (operation.subject) {
    case 'nftTables':
      if (operation.operation === 'remove') return [{ operation: 'delete table', table: operation.seen }]
      return [{ operation: 'add table', table: operation.desired }]
    case 'nftSets':
      if (operation.operation === 'remove') return [{ operation: 'delete set', set: operation.seen }]
      return [{ operation: 'create set', set: operation.desired }]
    case 'nftChains':
      return chainOperations(operation)
    case 'nftRules':
      return ruleOperations(operation)
    case 'nftElements':
      return elementOperations(operation)
    case 'nftGuests':
      return guestOperations(operation)
    default:
      throw new TypeError(`"${operation.subject}" is no subject of nftables`)
  }
}

function chainOperations(operation: Extract<Operation, { subject: 'nftChains' }>): NftOperation[] {
  if (operation.operation === 'remove') {
    const { chain } = operation.seen
    return [
      { operation: 'flush chain', chain },
      { operation: 'delete chain', chain },
    ]
  }
  const { chain } = operation.desired
  const start: NftOperation =
    operation.operation === 'add' ? { operation: 'create chain', chain } : { operation: 'flush chain', chain }
  return [start, ...rulesOf(operation.desired)]
}

function rulesOf({ chain: { family, table, name }, content = [] }: ChainContent): NftOperation[] {
  return content.map(({ expressions, comment }) => ({
    operation: 'add rule',
    rule: { family, table, chain: name, expressions, ...(comment !== undefined && { comment }) },
  }))
}

function ruleOperations(operation: Extract<Operation, { subject: 'nftRules' }>): NftOperation[] {
  if (operation.operation === 'add') return [{ operation: 'add rule', rule: operation.desired }]
  const { family, table, chain, handle } = operation.seen
  if (handle === undefined) throw new TypeError(`A rule seen in ${family} ${table} ${chain} has no handle`)
  const remove: NftOperation = { operation: 'delete rule', rule: { family, table, chain, handle } }
  if (operation.operation === 'remove') return [remove]
  return [{ operation: 'add rule', rule: operation.desired, at: handle }, remove]
}

function elementOperations(operation: Extract<Operation, { subject: 'nftElements' }>): NftOperation[] {
  if (operation.operation === 'remove') return [elements('delete elements', operation.seen)]
  const add = elements('create elements', operation.desired)
  return operation.operation === 'add' ? [add] : [elements('delete elements', operation.seen), add]
}

function guestOperations(operation: Extract<Operation, { subject: 'nftGuests' }>): NftOperation[] {
  if (operation.operation === 'remove') return removeGuest(operation.seen)
  const nothing = { ...operation.desired, content: undefined, jumps: [], before: undefined }
  return ensureGuest(operation.desired, operation.operation === 'add' ? nothing : operation.seen)
}

function elements(
  operation: 'create elements' | 'delete elements',
  { family, table, set, element }: SetElement,
): NftOperation {
  const which: NftElement = operation === 'delete elements' ? keyOf(element) : element
  return { operation, set: { family, table, name: set }, elements: [which] }
}

function keyOf({ key, keyEnd, intervalEnd }: NftElement): NftElement {
  return { key, ...(keyEnd && { keyEnd }), ...(intervalEnd !== undefined && { intervalEnd }) }
}
