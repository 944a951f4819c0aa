/** The rows of nftables in the table of subjects: tables, sets, chains with their content, single rules, elements. */
import type { NftElement, NftRule } from '../kernel/nftables.ts'
import { guestSubject } from './nftables-guests.ts'
import { canonical, hex, sameRule, sameRules } from './nftables-rules.ts'
import type { ChainContent, Desired, Owned, Seen, SetElement } from './state.ts'
import type { Subject } from './subject.ts'

type NftablesSubject = 'nftTables' | 'nftSets' | 'nftChains' | 'nftRules' | 'nftElements' | 'nftGuests'

export const nftablesSubjects: { readonly [S in NftablesSubject]: Subject<Desired[S], Seen[S]> } = {
  nftTables: {
    key: ({ family, name }) => `${family} ${name}`,
    differences: () => [],
    owned: ({ family, name }, owned) => ownsTable(owned, family, name),
    describe: ({ family, name }) => `nftables table ${family} ${name}`,
  },

  nftSets: {
    key: ({ family, table, name }) => `${family} ${table} ${name}`,
    differences: (desired, seen) =>
      JSON.stringify(setShape(desired)) === JSON.stringify(setShape(seen)) ? [] : ['it has another type'],
    owned: ({ family, table }, owned) => ownsTable(owned, family, table),
    describe: ({ family, table, name, data }) => `nftables ${data ? 'map' : 'set'} ${family} ${table} ${name}`,
    unchangeable: () => true,
  },

  nftChains: {
    key: ({ chain }) => `${chain.family} ${chain.table} ${chain.name}`,
    differences: (desired, seen) => [
      ...(sameBase(desired, seen) ? [] : ['it hangs on another hook']),
      ...(desired.content && !sameRules(desired.content, seen.content ?? []) ? ['its rules are others'] : []),
    ],
    owned: ({ chain }, owned) => ownsTable(owned, chain.family, chain.table),
    describe: ({ chain }) => `nftables chain ${chain.family} ${chain.table} ${chain.name}`,
    unchangeable: (desired, seen) => !sameBase(desired, seen),
  },

  nftRules: {
    key: ruleKey,
    differences: (desired, seen) => (sameRule(desired, seen) ? [] : ['it says otherwise']),
    owned: () => false,
    describe: ({ family, table, chain, comment }) => `nftables rule "${comment}" in ${family} ${table} ${chain}`,
  },

  nftElements: {
    key: ({ family, table, set, element }) => `${family} ${table} ${set} ${hex(element.key)} ${hex(element.keyEnd)}`,
    differences: (desired, seen) => elementDifferences(desired.element, seen.element),
    owned: ({ family, table }, owned) => ownsTable(owned, family, table),
    describe: (item) => `nftables element ${keyText(item)} in ${item.family} ${item.table} ${item.set}`,
  },

  nftGuests: guestSubject,
}

function ownsTable({ nftTables }: Owned, family: string, name: string): boolean {
  return nftTables?.some((table) => table.family === family && table.name === name) ?? false
}

const setShape = ({ keyType, keyLength, data, interval = false }: Desired['nftSets']) => [
  keyType,
  keyLength,
  data && ('length' in data ? [data.type, data.length] : data.type),
  interval,
]

function sameBase({ chain: { base: a } }: ChainContent, { chain: { base: b } }: ChainContent): boolean {
  return (
    (a === undefined) === (b === undefined) &&
    a?.type === b?.type &&
    a?.hook === b?.hook &&
    a?.priority === b?.priority &&
    (a?.policy ?? 'accept') === (b?.policy ?? 'accept') &&
    a?.device === b?.device
  )
}

/** Rules in shared chains are known by comment; others of the chain, without one, by their handle, so that none is taken for another. */
function ruleKey({ family, table, chain, comment, handle }: NftRule): string {
  return `${family} ${table} ${chain} ${comment ?? `#${handle}`}`
}

function elementDifferences(desired: NftElement, seen: NftElement): string[] {
  return [
    ...(desired.data === undefined || canonical(desired.data) === canonical(seen.data) ? [] : ['it leads elsewhere']),
    ...(desired.comment === undefined || desired.comment === seen.comment
      ? []
      : [`it belongs to "${seen.comment ?? ''}" instead of "${desired.comment}"`]),
  ]
}

/** Keys of four bytes are nearly always IPv4 addresses. */
const keyText = ({ element: { key } }: SetElement) => (key.length === 4 ? key.join('.') : `0x${hex(key)}`)
