/** The changes that a commit is made of, as messages of nf_tables; and what each is called when it is refused. */
import type { NftElement, NftFamily, NftOperation } from '../../kernel/nftables.ts'
import { type MessageWriter, NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL } from '../netlink/message.ts'
import type { Step } from './batch.ts'
import { encodeChain, encodeChainName } from './chain.ts'
import { elementSize, encodeElements, nameElement, splitRanges } from './element.ts'
import {
  NFT_MSG_DELCHAIN,
  NFT_MSG_DELRULE,
  NFT_MSG_DELSET,
  NFT_MSG_DELSETELEM,
  NFT_MSG_DELTABLE,
  NFT_MSG_NEWCHAIN,
  NFT_MSG_NEWRULE,
  NFT_MSG_NEWSET,
  NFT_MSG_NEWSETELEM,
  NFT_MSG_NEWTABLE,
  nftMessage,
} from './header.ts'
import { encodeRule, encodeRuleName } from './rule.ts'
import { encodeSet, encodeSetName } from './set.ts'
import { encodeTable } from './table.ts'

/** Bytes of elements in one message: their attribute's length has 16 bits. */
const MAX_ELEMENTS_SIZE = 60_000

/** `id` is its place in the commit. `keepRanges`: the set is one in which a range is one element. */
export function encodeOperation(operation: NftOperation, id: number, keepRanges: boolean): Step[] {
  const call = () => describe(operation)
  return encode(operation, id, keepRanges).map((writer) => ({ message: writer.finish(), call }))
}

/** `add chain "c" of table inet "t"` */
export function describe(operation: NftOperation): string {
  const verb = operation.operation
  if ('table' in operation) return `${verb} ${operation.table.family} "${operation.table.name}"`
  if ('chain' in operation) return `${verb} "${operation.chain.name}" of table ${tableOf(operation.chain)}`
  if ('rule' in operation) return `${verb} of chain "${operation.rule.chain}" of table ${tableOf(operation.rule)}`
  const of = 'elements' in operation ? ' of set' : ''
  return `${verb}${of} "${operation.set.name}" of table ${tableOf(operation.set)}`
}

function tableOf({ family, table }: { readonly family: string; readonly table: string }): string {
  return `${family} "${table}"`
}

function encode(operation: NftOperation, id: number, keepRanges: boolean): MessageWriter[] {
  switch (operation.operation) {
    case 'add table':
    case 'create table': {
      const { table } = operation
      return [begin(NFT_MSG_NEWTABLE, making(operation), table, (to) => encodeTable(to, table))]
    }
    case 'delete table': {
      const { name, family } = operation.table
      return [begin(NFT_MSG_DELTABLE, 0, { family }, (to) => encodeTable(to, { name }))]
    }
    case 'add chain':
    case 'create chain': {
      const { chain } = operation
      return [begin(NFT_MSG_NEWCHAIN, making(operation), chain, (to) => encodeChain(to, chain))]
    }
    case 'delete chain': {
      const { chain } = operation
      return [begin(NFT_MSG_DELCHAIN, 0, chain, (to) => encodeChainName(to, chain))]
    }
    case 'flush chain': {
      const { family, table, name } = operation.chain
      return [begin(NFT_MSG_DELRULE, 0, { family }, (to) => encodeRuleName(to, { table, chain: name }))]
    }
    case 'add set':
    case 'create set': {
      const { set } = operation
      return [begin(NFT_MSG_NEWSET, making(operation), set, (to) => encodeSet(to, set, id))]
    }
    case 'delete set': {
      const { set } = operation
      return [begin(NFT_MSG_DELSET, 0, set, (to) => encodeSetName(to, set))]
    }
    case 'flush set': {
      const { set } = operation
      return [begin(NFT_MSG_DELSETELEM, 0, set, (to) => encodeElements(to, set, []))]
    }
    case 'add elements':
    case 'create elements':
    case 'delete elements': {
      const { set } = operation
      const deletes = operation.operation === 'delete elements'
      const type = deletes ? NFT_MSG_DELSETELEM : NFT_MSG_NEWSETELEM
      const flags = deletes ? 0 : making(operation)
      const named = deletes ? operation.elements.map(nameElement) : operation.elements
      const elements = keepRanges ? named : splitRanges(named)
      return inParts(elements).map((part) => begin(type, flags, set, (to) => encodeElements(to, set, part)))
    }
    case 'add rule':
    case 'insert rule': {
      const { rule, at } = operation
      const flags = NLM_F_CREATE | (operation.operation === 'add rule' ? NLM_F_APPEND : 0)
      return [begin(NFT_MSG_NEWRULE, flags, rule, (to) => encodeRule(to, rule, at))]
    }
    case 'delete rule': {
      const { rule } = operation
      return [begin(NFT_MSG_DELRULE, 0, rule, (to) => encodeRuleName(to, rule))]
    }
  }
}

/** `create` minds what is there already, `add` does not. */
function making({ operation }: NftOperation): number {
  return NLM_F_CREATE | (operation.startsWith('create') ? NLM_F_EXCL : 0)
}

function begin(
  type: number,
  flags: number,
  { family }: { readonly family: NftFamily },
  write: (to: MessageWriter) => void,
): MessageWriter {
  const writer = nftMessage(type, flags, family)
  write(writer)
  return writer
}

/** No message without elements: it would be for all that the set has. */
function inParts(elements: readonly NftElement[]): NftElement[][] {
  const parts: NftElement[][] = []
  let room = 0
  for (const element of elements) {
    const size = elementSize(element)
    if (size > room) {
      parts.push([])
      room = MAX_ELEMENTS_SIZE
    }
    parts.at(-1)!.push(element)
    room -= size
  }
  return parts
}
