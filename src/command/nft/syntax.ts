/** A rule as nft's language says it: what parse.ts reads and format.ts writes, encode.ts and decode.ts turn into expressions. */
import type { NftVerdict } from '../../kernel/nftables.ts'
import { type Datatype, types } from './datatype.ts'
import type { CtKey, Field, MetaKey, Protocol } from './selector.ts'

export type Operator = '==' | '!=' | '<' | '<=' | '>' | '>='

/** What is looked at. */
export type Selector =
  | { readonly kind: 'meta'; readonly meta: MetaKey }
  | { readonly kind: 'ct'; readonly ct: CtKey; readonly direction?: 'original' | 'reply' }
  | { readonly kind: 'payload'; readonly protocol: Protocol; readonly field: Field }
  /** Bits that no field is of. */
  | {
      readonly kind: 'raw'
      readonly base: 'link' | 'network' | 'transport'
      readonly offset: number
      readonly length: number
      readonly type: Datatype
    }
  | {
      readonly kind: 'fib'
      readonly flags: readonly ('saddr' | 'daddr' | 'mark' | 'iif' | 'oif')[]
      readonly result: 'oif' | 'oifname' | 'type'
      /** Whether there is any, `exists` or `missing`. */
      readonly present: boolean
    }
  | { readonly kind: 'concatenation'; readonly parts: readonly Selector[] }
  /** `ct mark & 0xff`, `meta mark | 0x10` */
  | {
      readonly kind: 'bits'
      readonly operator: '&' | '|' | '^'
      readonly of: Selector
      readonly value: Uint8Array
    }
  | { readonly kind: 'map'; readonly key: Selector; readonly map: SetOperand; readonly type: Datatype }

export type SetOperand =
  | { readonly kind: 'reference'; readonly name: string }
  | { readonly kind: 'set'; readonly elements: readonly Element[] }

export type Value =
  | { readonly kind: 'value'; readonly type: Datatype; readonly value: Uint8Array }
  | { readonly kind: 'prefix'; readonly type: Datatype; readonly value: Uint8Array; readonly length: number }
  | { readonly kind: 'range'; readonly type: Datatype; readonly from: Uint8Array; readonly to: Uint8Array }
  | { readonly kind: 'concatenation'; readonly parts: readonly Value[] }
  /** The element for all other keys. */
  | { readonly kind: 'any' }

export interface Element {
  readonly key: Value
  readonly data?: Value | NftVerdict
  readonly comment?: string
  /** Milliseconds. */
  readonly timeout?: number
}

/** An address, ports or a mark that a statement uses. */
export type Operand = Value | Selector

export type Statement =
  | {
      readonly kind: 'match'
      readonly left: Selector
      readonly operator: Operator
      readonly right: Value | SetOperand
      /** Of bits: `tcp flags syn / syn,rst`. */
      readonly mask?: Uint8Array
      /** Of bits: whether any is set; told without `==`. */
      readonly anyOf?: boolean
    }
  | { readonly kind: 'vmap'; readonly key: Selector; readonly map: SetOperand }
  | { readonly kind: 'verdict'; readonly verdict: NftVerdict }
  | { readonly kind: 'counter'; readonly packets: bigint; readonly bytes: bigint }
  | {
      readonly kind: 'limit'
      readonly rate: bigint
      /** Seconds. */
      readonly unit: bigint
      readonly burst: number
      readonly over: boolean
      readonly bytes: boolean
    }
  | {
      readonly kind: 'log'
      readonly prefix?: string
      readonly level?: number
      readonly flags?: number
      readonly group?: number
      readonly snapLength?: number
      readonly threshold?: number
    }
  | {
      readonly kind: 'reject'
      readonly reject: 'icmp' | 'tcp reset' | 'icmpx'
      readonly code: number
      readonly over?: 'ip' | 'ip6'
      /** Told also where it is what is meant without. */
      readonly isExplicit: boolean
    }
  | {
      readonly kind: 'nat'
      readonly nat: 'snat' | 'dnat' | 'masquerade' | 'redirect'
      readonly family?: 'ip' | 'ip6'
      readonly address?: Operand
      readonly ports?: Operand
      readonly flags: number
    }
  | { readonly kind: 'set meta'; readonly meta: MetaKey; readonly value: Operand }
  | { readonly kind: 'set ct'; readonly ct: CtKey; readonly value: Operand }
  | { readonly kind: 'notrack' }
  /** An extension of iptables, in the words that nft has for it. */
  | { readonly kind: 'xt'; readonly extension: 'match' | 'target'; readonly name: string; readonly text: string }

export interface RuleText {
  readonly statements: readonly Statement[]
  readonly comment?: string
}

export function typeOf(selector: Selector): Datatype {
  switch (selector.kind) {
    case 'meta':
      return selector.meta.type
    case 'ct':
      return selector.ct.type
    case 'payload':
      return selector.field.type
    case 'raw':
    case 'map':
      return selector.type
    case 'bits':
      return typeOf(selector.of)
    case 'fib':
      return fibType(selector)
    case 'concatenation':
      throw new TypeError('A concatenation has a type for each of its parts')
  }
}

export function typesOf(selector: Selector): Datatype[] {
  return selector.kind === 'concatenation' ? selector.parts.flatMap(typesOf) : [typeOf(selector)]
}

function fibType({ result, present }: Extract<Selector, { kind: 'fib' }>): Datatype {
  if (present) return FIB_TYPES.exists
  return FIB_TYPES[result]
}

const FIB_TYPES = {
  exists: types.exists,
  oif: types.interfaceIndex,
  oifname: types.interfaceName,
  type: types.addressType,
} as const
