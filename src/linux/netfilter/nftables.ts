/**
 * nftables over nfnetlink: linux/netfilter/nf_tables.h. Here is what is asked of it; a file for each kind of thing says how.
 *
 *   operation.ts   the changes that a commit is made of          batch.ts   a commit: all or nothing
 *   table.ts  chain.ts  set.ts  element.ts  rule.ts              their attributes, written and read
 *   expression.ts  what rules are made of: a table with a row for each
 *   codec.ts       single values     comment.ts  comments, in nft's own form     header.ts  struct nfgenmsg, families
 *
 * A commit is two system calls. What it deletes (a table, chain, rule, set or element; also a chain's old state when it is
 * declared again, and all of a batch that was refused) the kernel destroys 6–16 ms later, after RCU, and closing the socket
 * waits for that: Linux 6.18. Adding waits for nothing. So who is short of time keeps chains and rules, adds and deletes
 * elements, deletes them first, and closes the socket last: deleting a link waits as long, and at the same time.
 *
 * Not here: flow tables, named counters and quotas, expressions of elements. An element of a set that has some is listed
 * without them.
 */
import { isErrno, KernelError } from '../../kernel/errors.ts'
import type {
  Nftables,
  NftChain,
  NftElement,
  NftFamily,
  NftFilter,
  NftOperation,
  NftRule,
  NftRuleset,
  NftSet,
} from '../../kernel/nftables.ts'
import { Attributes } from '../netlink/attribute.ts'
import { type MessageWriter, NLM_F_ACK } from '../netlink/message.ts'
import { type NetlinkSocket, refused } from '../netlink/socket.ts'
import { commitBatch } from './batch.ts'
import { chainHandle, decodeChain, encodeChainName } from './chain.ts'
import { decodeElements, encodeElements, joinRanges } from './element.ts'
import {
  decodeFamily,
  decodeGeneration,
  NFGENMSG_SIZE,
  NFT_MSG_GETCHAIN,
  NFT_MSG_GETGEN,
  NFT_MSG_GETRULE,
  NFT_MSG_GETSET,
  NFT_MSG_GETSETELEM,
  NFT_MSG_GETTABLE,
  nftMessage,
} from './header.ts'
import { encodeOperation } from './operation.ts'
import { decodeRule, encodeRuleName } from './rule.ts'
import { decodeSet, encodeSetName, isConcatenatedInterval, setHandle } from './set.ts'
import { decodeTable, tableHandle } from './table.ts'

/**
 * Others' commits make a list begin again. Beside a process that does nothing but commit, 19 of 20 attempts fail, and up to
 * 66 in a row were seen in 31,000 lists.
 */
const LIST_ATTEMPTS = 1000

type SetName = Pick<NftSet, 'family' | 'table' | 'name'>

export class LinuxNftables implements Nftables {
  readonly #openSocket: () => NetlinkSocket

  /** `openSocket` gives a NETLINK_NETFILTER socket, the same again as long as it is open; it stays the caller's to close. */
  constructor(openSocket: () => NetlinkSocket) {
    this.#openSocket = openSocket
  }

  commit(operations: readonly NftOperation[]): void {
    if (operations.length === 0) return
    const steps = operations.flatMap((operation, id) =>
      encodeOperation(operation, id, this.#keepsRanges(operation, operations)),
    )
    commitBatch(this.#openSocket(), steps)
  }

  list(filter: NftFilter = {}): NftRuleset {
    const call = 'list nftables'
    // ENOENT: a table or set that was listed is gone since.
    return this.#steady(call, ['ENOENT'], (generations) => this.#listOnce(call, filter, generations))
  }

  chain({ family, table, name }: Pick<NftChain, 'family' | 'table' | 'name'>): NftChain | undefined {
    const message = nftMessage(NFT_MSG_GETCHAIN, 0, family)
    encodeChainName(message, { table, name })
    try {
      return this.#openSocket().get(
        `get chain "${name}" of table ${family} "${table}"`,
        message.finish(),
        ({ payload }) => decodeChain(decodeFamily(payload), new Attributes(payload, NFGENMSG_SIZE)),
      )
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return undefined
      throw error
    }
  }

  rules({ family, table, name }: Pick<NftChain, 'family' | 'table' | 'name'>): NftRule[] {
    const call = `list rules of chain "${name}" of table ${family} "${table}"`
    const rules = this.#steady(call, [], (generations) => {
      const query = nftMessage(NFT_MSG_GETRULE, 0, family)
      encodeRuleName(query, { table, chain: name })
      return this.#dump(call, query, decodeRule, generations)
    })
    // Old kernels do not narrow the list.
    return rules.filter((rule) => rule.table === table && rule.chain === name)
  }

  elements(set: SetName): NftElement[] {
    const call = `list elements of set "${set.name}" of table ${set.family} "${set.table}"`
    return this.#steady(call, [], (generations) => this.#elements(call, set, generations))
  }

  /**
   * Asks for the key and, as is needed for a set of ranges, also for the end of the range that it is in. Where ranges are
   * one element or none at all, the second question is refused or answered like the first.
   */
  element(set: SetName, key: Uint8Array): NftElement | undefined {
    const call = `get an element of set "${set.name}" of table ${set.family} "${set.table}"`
    const message = nftMessage(NFT_MSG_GETSETELEM, NLM_F_ACK, set.family)
    encodeElements(message, set, [{ key }, { key, intervalEnd: true }])
    const [answer] = this.#openSocket().exchange(call, [message.finish()])
    const { replies, refusal } = answer!
    const [start, end] = replies.flatMap(({ payload }) => decodeElements(new Attributes(payload, NFGENMSG_SIZE)))
    if (start) return joinRanges(end?.intervalEnd ? [start, end] : [start])[0]
    if (refusal && refusal.errno !== 'ENOENT') throw refused(call, refusal)
    return undefined
  }

  /**
   * What `read` answers, read again until all its parts are of one generation of the ruleset, and as long as it fails with
   * one of these. The kernel goes on with a list by the number of things that it has told of: when one of those is deleted
   * meanwhile, another is left out.
   */
  #steady<T>(call: string, passing: readonly string[], read: (generations: Set<number>) => T): T {
    for (let attempt = 0; attempt < LIST_ATTEMPTS; attempt++) {
      const generations = new Set<number>()
      try {
        const answer = read(generations)
        if (generations.size <= 1) return answer
      } catch (error) {
        if (!isErrno(error, 'EINTR', ...passing)) throw error
      }
    }
    throw new KernelError('EINTR', call, 'it changed each time while it was read')
  }

  /** Notes the generations of the ruleset that the parts are of. */
  #listOnce(call: string, { family, table, handles = false }: NftFilter, generations: Set<number>): NftRuleset {
    const [setQuery, ruleQuery] = [nftMessage(NFT_MSG_GETSET, 0, family), nftMessage(NFT_MSG_GETRULE, 0, family)]
    // The kernel leaves out other tables where it is told the family, too.
    if (family !== undefined && table !== undefined) {
      encodeSetName(setQuery, { table })
      encodeRuleName(ruleQuery, { table })
    }
    const isMeant = (name: string) => table === undefined || table === name
    const isIn = (thing: { readonly table: string }) => isMeant(thing.table)

    const tables = this.#dump(
      call,
      nftMessage(NFT_MSG_GETTABLE, 0, family),
      numbered(decodeTable, handles && tableHandle),
      generations,
    )
    const meant = tables.filter(({ name }) => isMeant(name))
    if (meant.length === 0) return { tables: [], chains: [], sets: [], rules: [] }
    const chainQuery = nftMessage(NFT_MSG_GETCHAIN, 0, family)
    const chains = this.#dump(call, chainQuery, numbered(decodeChain, handles && chainHandle), generations)
    const sets = this.#dump(call, setQuery, numbered(decodeSet, handles && setHandle), generations).filter(isIn)
    const rules = this.#dump(call, ruleQuery, decodeRule, generations)
    const ruleset = {
      tables: meant,
      chains: chains.filter(isIn),
      sets: sets.map((set) => ({ ...set, elements: this.#elements(call, set, generations) })),
      rules: rules.filter(isIn),
    }
    // A part that is empty tells no generation, and the last ones may be.
    const query = nftMessage(NFT_MSG_GETGEN, 0)
    generations.add(this.#openSocket().get(call, query.finish(), ({ payload }) => decodeGeneration(payload)))
    return ruleset
  }

  #elements(call: string, set: SetName, generations: Set<number>): NftElement[] {
    const query = nftMessage(NFT_MSG_GETSETELEM, 0, set.family)
    encodeElements(query, set, [])
    const parts = this.#dump(call, query, (_family, from) => decodeElements(from), generations)
    return joinRanges(parts.flat())
  }

  #dump<T>(
    call: string,
    query: MessageWriter,
    decode: (family: NftFamily, from: Attributes) => T,
    generations: Set<number>,
  ): T[] {
    return this.#openSocket().dump(call, query.finish(), ({ payload }) => {
      const family = decodeFamily(payload)
      generations.add(decodeGeneration(payload))
      return decode(family, new Attributes(payload, NFGENMSG_SIZE))
    })
  }

  /** Whether ranges in the set are one element each. The set is looked for where it is made, in the commit or the kernel. */
  #keepsRanges(operation: NftOperation, operations: readonly NftOperation[]): boolean {
    if (!('elements' in operation) || !operation.elements.some(({ keyEnd }) => keyEnd)) return false
    const { family, table, name } = operation.set
    for (const { set } of operations.filter((other) => 'set' in other)) {
      if ('keyType' in set && set.name === name && set.table === table && set.family === family) {
        return isConcatenatedInterval(set)
      }
    }
    const set = this.#getSet(operation.set)
    return set !== undefined && isConcatenatedInterval(set)
  }

  #getSet(name: SetName): NftSet | undefined {
    const message = nftMessage(NFT_MSG_GETSET, 0, name.family)
    encodeSetName(message, name)
    try {
      return this.#openSocket().get(`get set "${name.name}"`, message.finish(), ({ payload }) =>
        decodeSet(decodeFamily(payload), new Attributes(payload, NFGENMSG_SIZE)),
      )
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return undefined // the commit will say so
      throw error
    }
  }
}

/** With the handle, where it is asked for. */
function numbered<T>(
  decode: (family: NftFamily, from: Attributes) => T,
  handleIn: false | ((from: Attributes) => bigint | undefined),
): (family: NftFamily, from: Attributes) => T {
  if (!handleIn) return decode
  return (family, from) => {
    const handle = handleIn(from)
    return { ...decode(family, from), ...(handle !== undefined && { handle }) }
  }
}
