/** `-m physdev`, `-m rpfilter`, `-m pkttype`: libxt_physdev.c, libxt_rpfilter.c, libxt_pkttype.c. */
import type { XtMatch } from '../../../kernel/xtables.ts'
import { badParameter } from '../error.ts'
import { parseInterface } from '../interface.ts'
import { bang, type Extension } from './extension.ts'

type Physdev = Extract<XtMatch, { match: 'physdev' }>
type Rpfilter = Extract<XtMatch, { match: 'rpfilter' }>
type Pkttype = Extract<XtMatch, { match: 'pkttype' }>

export const physdev: Extension<Physdev> = {
  options: [
    { name: 'physdev-in', takes: 1, invertible: true },
    { name: 'physdev-out', takes: 1, invertible: true },
    { name: 'physdev-is-in', takes: 0, invertible: true },
    { name: 'physdev-is-out', takes: 0, invertible: true },
    { name: 'physdev-is-bridged', takes: 0, invertible: true },
  ],
  parse(given) {
    if (given.size === 0) throw badParameter('PHYSDEV: no physdev option specified')
    const input = given.value('physdev-in', parseInterface)
    const output = given.value('physdev-out', parseInterface)
    const flag = (name: string) => given.value(name, () => true as const)
    const [isIn, isOut, isBridged] = [flag('physdev-is-in'), flag('physdev-is-out'), flag('physdev-is-bridged')]
    return {
      match: 'physdev',
      ...(input && { input }),
      ...(output && { output }),
      ...(isIn && { isIn }),
      ...(isOut && { isOut }),
      ...(isBridged && { isBridged }),
    }
  },
  save: formatPhysdev,
  list: (match) => ` PHYSDEV match${formatPhysdev(match)}`,
}

function formatPhysdev({ input, output, isIn, isOut, isBridged }: Physdev): string {
  return (
    (isIn ? `${bang(isIn)} --physdev-is-in` : '') +
    (input ? `${bang(input)} --physdev-in ${input.value}` : '') +
    (isOut ? `${bang(isOut)} --physdev-is-out` : '') +
    (output ? `${bang(output)} --physdev-out ${output.value}` : '') +
    (isBridged ? `${bang(isBridged)} --physdev-is-bridged` : '')
  )
}

export const rpfilter: Extension<Rpfilter> = {
  options: [
    { name: 'loose', takes: 0 },
    { name: 'validmark', takes: 0 },
    { name: 'accept-local', takes: 0 },
    { name: 'invert', takes: 0 },
  ],
  parse: (given) => ({
    match: 'rpfilter',
    loose: given.has('loose'),
    validMark: given.has('validmark'),
    acceptLocal: given.has('accept-local'),
    invert: given.has('invert'),
  }),
  save: (match) => formatRpfilter(match, '--'),
  list: (match) => ` rpfilter${formatRpfilter(match, '')}`,
}

function formatRpfilter({ loose, validMark, acceptLocal, invert }: Rpfilter, prefix: string): string {
  return (
    (loose ? ` ${prefix}loose` : '') +
    (validMark ? ` ${prefix}validmark` : '') +
    (acceptLocal ? ` ${prefix}accept-local` : '') +
    (invert ? ` ${prefix}invert` : '')
  )
}

const PACKET_TYPES: Readonly<Record<string, Pkttype['packetType']>> = {
  unicast: 'unicast',
  broadcast: 'broadcast',
  multicast: 'multicast',
  otherhost: 'otherhost',
  bcast: 'broadcast',
  mcast: 'multicast',
  host: 'unicast',
}

export const pkttype: Extension<Pkttype> = {
  options: [{ name: 'pkt-type', takes: 1, invertible: true }],
  parse(given) {
    const text = given.require('pkt-type')
    const name = text.toLowerCase()
    if (!Object.hasOwn(PACKET_TYPES, name)) throw badParameter(`Bad packet type '${text}'`)
    return { match: 'pkttype', packetType: PACKET_TYPES[name]!, invert: given.isInverted('pkt-type') }
  },
  save: ({ packetType, invert }) => `${invert ? ' !' : ''} --pkt-type ${packetType}`,
  list: ({ packetType, invert }) => ` PKTTYPE ${invert ? '!' : ''}= ${packetType}`,
}
