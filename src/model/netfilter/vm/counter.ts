/** Expressions that remember: `counter`, `limit`. Source: net/netfilter/nft_counter.c, nft_limit.c. */
import type { NftExpression } from '../../../kernel/nftables.ts'
import type { Clock } from '../../clock.ts'
import type { Compiled } from './compile.ts'
import { refusal } from './refusal.ts'
import { BREAK, CONTINUE } from './verdict.ts'

type Of<T extends NftExpression['type']> = Extract<NftExpression, { type: T }>

const NANOSECONDS = 1000
const SECOND = 1_000_000_000

export function compileCounter({ packets = 0n, bytes = 0n }: Of<'counter'>): Compiled {
  let seen = 0
  let seenBytes = 0
  return {
    operation(machine) {
      seen++
      seenBytes += machine.packet.end - machine.data
      return CONTINUE
    },
    describe: () => ({ type: 'counter', packets: packets + BigInt(seen), bytes: bytes + BigInt(seenBytes) }),
  }
}

/** A bucket of nanoseconds; what a packet costs is taken out of it. */
export function compileLimit({ rate, unit, burst, over = false, bytes = false }: Of<'limit'>, clock: Clock): Compiled {
  const perUnit = Number(rate)
  const time = Number(unit) * SECOND
  if (perUnit === 0 || time === 0) throw refusal('EINVAL')
  const most = bytes ? Math.floor((time * (perUnit + burst)) / perUnit) : Math.floor(time / perUnit) * burst
  const packetCost = Math.floor(time / perUnit)
  let tokens = most
  let last = clock.now
  return {
    operation({ packet, data }) {
      const { now } = clock
      const filled = Math.min(most, tokens + (now - last) * NANOSECONDS)
      last = now
      const left = filled - (bytes ? Math.floor((time * (packet.end - data)) / perUnit) : packetCost)
      tokens = left >= 0 ? left : filled
      return left >= 0 !== over ? CONTINUE : BREAK
    },
  }
}
