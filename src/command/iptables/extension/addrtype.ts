/** `-m addrtype`: libxt_addrtype.c. */
import type { XtAddressType, XtMatch } from '../../../kernel/xtables.ts'
import { badParameter } from '../error.ts'
import { bang, type Extension } from './extension.ts'

type AddressType = Extract<XtMatch, { match: 'addrtype' }>

/** In the order of RTN_*. The last three are iptables' but no kernel's. */
const TYPES: readonly XtAddressType[] = [
  'UNSPEC',
  'UNICAST',
  'LOCAL',
  'BROADCAST',
  'ANYCAST',
  'MULTICAST',
  'BLACKHOLE',
  'UNREACHABLE',
  'PROHIBIT',
]

export const addrtype: Extension<AddressType> = {
  options: [
    { name: 'src-type', takes: 1, invertible: true },
    { name: 'dst-type', takes: 1, invertible: true },
    { name: 'limit-iface-in', takes: 0 },
    { name: 'limit-iface-out', takes: 0 },
  ],
  parse(given) {
    const source = given.value('src-type', parseTypes)
    const destination = given.value('dst-type', parseTypes)
    if (!source && !destination) throw badParameter('addrtype: you must specify --src-type or --dst-type')
    given.exclude('limit-iface-in', 'limit-iface-out')
    const limit = given.has('limit-iface-in') ? 'in' : given.has('limit-iface-out') ? 'out' : undefined
    return {
      match: 'addrtype',
      ...(source && { source }),
      ...(destination && { destination }),
      ...(limit && { limitInterface: limit }),
    }
  },
  save: ({ source, destination, limitInterface }) =>
    (source ? `${bang(source)} --src-type ${source.value.join(',')}` : '') +
    (destination ? `${bang(destination)} --dst-type ${destination.value.join(',')}` : '') +
    (limitInterface ? ` --limit-iface-${limitInterface}` : ''),
  list: ({ source, destination, limitInterface }) =>
    ' ADDRTYPE match' +
    (source ? ` src-type ${source.invert ? '!' : ''}${source.value.join(',')}` : '') +
    (destination ? ` dst-type ${destination.invert ? '!' : ''}${destination.value.join(',')}` : '') +
    (limitInterface ? ` limit-${limitInterface}` : ''),
}

/** The beginning of a type's name will do. */
function parseTypes(text: string): XtAddressType[] {
  const meant = text.split(',').map((name) => {
    const type = TYPES.find((known) => name !== '' && known.startsWith(name.toUpperCase()))
    if (!type) throw badParameter(`addrtype: bad type "${name}"`)
    return type
  })
  return TYPES.filter((type) => meant.includes(type))
}
