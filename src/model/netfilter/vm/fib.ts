/** Where an address leads: `fib`. Source: net/netfilter/nft_fib.c, net/ipv4/netfilter/nft_fib_ipv4.c. */
import type { NftExpression, NftHook } from '../../../kernel/nftables.ts'
import { u32 } from '../../bytes.ts'
import type { Device } from '../../device/device.ts'
import { unsupported } from '../../observer.ts'
import { PacketFor } from '../../packet.ts'
import { Hook } from '../hooks.ts'
import type { Compiled } from './compile.ts'
import { setHostU32, setText } from './host-order.ts'
import { type Machine, NetfilterProtocol } from './machine.ts'
import { refusal } from './refusal.ts'
import type { Registers } from './registers.ts'
import {
  DESTINATION,
  findRoute,
  isLocalMulticast,
  isZeroNet,
  LIMITED_BROADCAST,
  LOOPBACK_INDEX,
  SOURCE,
  typeOfAddress,
  usesDevice,
} from './routes.ts'
import { DESTINATION6, deviceOfRoute6, findRoute6, isLinkLocalAt, SOURCE6, typeOfAddress6 } from './routes6.ts'
import { CONTINUE, STOLEN } from './verdict.ts'

type Fib = Extract<NftExpression, { type: 'fib' }>

const NAME_LENGTH = 16
const INPUT_SIDE: readonly NftHook[] = ['prerouting', 'input', 'forward']
const OUTPUT_SIDE: readonly NftHook[] = ['output', 'postrouting', 'forward']

interface Question {
  readonly towards: number
  readonly marked: boolean
  readonly byInput: boolean
  readonly byOutput: boolean
}

export function compileFib({ result, flags, register }: Fib, registers: Registers): Compiled {
  const has = (flag: Fib['flags'][number]) => flags.includes(flag)
  if (has('saddr') === has('daddr') || (has('iif') && has('oif'))) throw refusal('EINVAL')
  if (result !== 'type' && has('oif')) throw refusal('EINVAL')
  const at = registers.store(register, result === 'oifname' ? NAME_LENGTH : 4)
  const question: Question = {
    towards: has('saddr') ? SOURCE : DESTINATION,
    marked: has('mark'),
    byInput: has('iif'),
    byOutput: has('oif'),
  }
  const isPresence = has('present')
  const ask = (machine: Machine) => {
    const { registers: bytes } = machine
    if (result === 'type') {
      setHostU32(bytes, at, addressTypeOf(machine, question))
      return
    }
    const device = deviceTowards(machine, question)
    if (isPresence) setHostU32(bytes, at, device ? 1 : 0)
    else if (result === 'oif') setHostU32(bytes, at, device?.index ?? 0)
    else setText(bytes, at, NAME_LENGTH, device?.name ?? '')
  }
  const hooks = hooksOf(result, question)
  return {
    ...(hooks && { allows: ({ hook }) => hooks.includes(hook) }),
    operation(machine) {
      if (machine.protocol !== NetfilterProtocol.ip && machine.protocol !== NetfilterProtocol.ip6) {
        unsupported(machine.packet, 'nft fib of a packet that is not IP')
        return STOLEN
      }
      ask(machine)
      return CONTINUE
    },
  }
}

/** nft_fib_validate. Undefined: any. */
function hooksOf(result: Fib['result'], { byInput, byOutput }: Question): readonly NftHook[] | undefined {
  if (result !== 'type' || byInput) return INPUT_SIDE
  return byOutput ? OUTPUT_SIDE : undefined
}

/** nft_fib4_eval_type, nft_fib6_eval_type. */
function addressTypeOf({ packet, namespace, input, output, protocol }: Machine, question: Question): number {
  const device = question.byInput ? input : question.byOutput ? output : undefined
  if (protocol === NetfilterProtocol.ip6) {
    const towards = question.towards === SOURCE ? SOURCE6 : DESTINATION6
    const onLink = isLinkLocalAt(packet, towards) ? (device ?? packet.device) : undefined
    return typeOfAddress6(namespace, packet, towards, device, onLink)
  }
  return typeOfAddress(namespace, u32(packet.bytes, packet.network + question.towards), device)
}

/** nft_fib4_eval. */
function deviceTowards(machine: Machine, { towards, marked, byInput }: Question): Device | undefined {
  const { packet, namespace, input, output, hook } = machine
  const { bytes, network } = packet
  if (hook === Hook.prerouting && isFromLoopback(machine)) return input
  if (machine.protocol === NetfilterProtocol.ip6)
    return deviceTowards6(machine, towards === SOURCE ? SOURCE6 : DESTINATION6, marked, byInput)
  const destination = u32(bytes, network + DESTINATION)
  if (isZeroNet(u32(bytes, network + SOURCE))) {
    if (destination === LIMITED_BROADCAST || isLocalMulticast(destination)) return packet.device
  }
  const isForward = hook === Hook.forward && byInput && towards === SOURCE
  const found = findRoute(namespace, packet, {
    towards,
    mark: marked ? packet.mark : 0,
    output: 0,
    input: isForward ? output!.index : LOOPBACK_INDEX,
  })
  if (found.error !== undefined || found.route?.type === 'local') return undefined
  if (!byInput) return found.hop?.device
  return input && usesDevice(found, input) ? input : undefined
}

/** nft_fib6_eval. */
function deviceTowards6(machine: Machine, towards: number, marked: boolean, byInput: boolean): Device | undefined {
  const { packet, namespace, input } = machine
  const onLink = isLinkLocalAt(packet, towards) ? (input ?? packet.device) : undefined
  const question = { towards, mark: marked ? packet.mark : 0, device: onLink }
  const device = deviceOfRoute6(findRoute6(namespace, packet, question))
  return byInput && device !== input ? undefined : device
}

/** nft_fib_is_loopback. */
export function isFromLoopback({ packet, input }: Pick<Machine, 'packet' | 'input'>): boolean {
  return packet.for === PacketFor.loopback || input?.kind === 'loopback'
}
