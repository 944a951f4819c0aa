/**
 * nft's JSON as commands of nft's language: what `nft -j list ruleset` has written can be read again. libnftables-json(5).
 *
 * Sets come before the chains that look into them, their elements behind the chains that they lead to, rules last.
 */
import { NftError, NotModelledError } from './error.ts'

type Members = Readonly<Record<string, unknown>>

/** NftError where it is no ruleset of nft's. */
export function textOfJson(text: string): string {
  const { nftables } = parse(text)
  if (!Array.isArray(nftables)) throw new NftError('Invalid JSON: no array "nftables"')
  const made: string[] = []
  const filled: string[] = []
  const ruled: string[] = []
  for (const entry of nftables) {
    const [word, thing] = only(entry)
    if (word === 'metainfo') continue
    const [verb, kind, members] = VERBS.includes(word) ? [word, ...only(thing)] : ['add', word, thing]
    if (kind === 'ruleset') made.push(`${verb} ruleset`)
    else if (kind === 'table') made.push(`${verb} table ${name(members, 'family', 'name')}`)
    else if (kind === 'chain') made.push(`${verb} chain ${name(members, 'family', 'table', 'name')}${baseOf(members)}`)
    else if (kind === 'set' || kind === 'map') {
      made.push(`${verb} ${kind} ${name(members, 'family', 'table', 'name')}${verb === 'add' ? setOf(members) : ''}`)
      const { elem } = members as Members
      if (Array.isArray(elem)) filled.push(elementsOf('add', members as Members, elem))
    } else if (kind === 'element') filled.push(elementsOf(verb, members as Members, (members as Members).elem))
    else if (kind === 'rule')
      ruled.push(`${verb} rule ${name(members, 'family', 'table', 'chain')}${ruleOf(verb, members)}`)
    else throw new NotModelledError(`JSON of a ${kind}`)
  }
  return [...made, ...filled, ...ruled].map((line) => `${line}\n`).join('')
}

const VERBS: readonly string[] = ['add', 'create', 'insert', 'replace', 'delete', 'flush']

function parse(text: string): Members {
  try {
    return JSON.parse(text) as Members
  } catch (error) {
    throw new NftError(`Invalid JSON: ${(error as Error).message}`)
  }
}

/** The one member of an object. */
function only(json: unknown): [string, unknown] {
  const [member, ...others] = typeof json === 'object' && json !== null ? Object.entries(json) : []
  if (!member || others.length > 0)
    throw new NftError(`Invalid JSON: an object with one member is expected, not ${JSON.stringify(json)}`)
  return member
}

function name(thing: unknown, ...keys: readonly string[]): string {
  return keys.map((key) => `${(thing as Members)[key]}`).join(' ')
}

function baseOf(chain: unknown): string {
  const { type, hook, prio, policy, dev } = chain as Members
  if (type === undefined) return ''
  const device = dev === undefined ? '' : ` device "${dev}"`
  return ` { type ${type} hook ${hook}${device} priority ${prio}; policy ${policy ?? 'accept'}; }`
}

function setOf(set: unknown): string {
  const { type, map, flags, timeout, size, comment } = set as Members
  const types = (told: unknown) => (Array.isArray(told) ? told.join(' . ') : `${told}`)
  const parts = [
    `type ${types(type)}${map === undefined ? '' : ` : ${types(map)}`}`,
    ...(Array.isArray(flags) ? [`flags ${flags.join(',')}`] : []),
    ...(timeout === undefined ? [] : [`timeout ${timeout}s`]),
    ...(size === undefined ? [] : [`size ${size}`]),
    ...(comment === undefined ? [] : [`comment "${comment}"`]),
  ]
  return ` { ${parts.join('; ')}; }`
}

function elementsOf(verb: string, set: Members, elements: unknown): string {
  const list = Array.isArray(elements) ? elements : [elements]
  return `${verb} element ${name(set, 'family', 'table', 'name')} { ${list.map((one) => pairOf(one)).join(', ')} }`
}

function ruleOf(verb: string, rule: unknown): string {
  const { handle, expr, comment } = rule as Members
  if (verb === 'delete') return ` handle ${handle}`
  const at = verb === 'replace' ? ` handle ${handle}` : ''
  const statements = Array.isArray(expr) ? expr.map(statementOf) : []
  return `${at} ${statements.join(' ')}${comment === undefined ? '' : ` comment "${comment}"`}`
}

function statementOf(statement: unknown): string {
  const [word, told] = only(statement)
  const members = (told ?? {}) as Members
  switch (word) {
    case 'match':
      return matchOf(members)
    case 'vmap':
      return `${wordsOf(members.key)} vmap ${wordsOf(members.data)}`
    case 'counter':
      return members.packets === undefined ? 'counter' : `counter packets ${members.packets} bytes ${members.bytes}`
    case 'limit':
      return limitOf(members)
    case 'log':
      return logOf(members)
    case 'reject':
      return members.type === undefined
        ? 'reject'
        : `reject with ${members.type}${members.expr === undefined ? '' : ` ${members.expr}`}`
    case 'dnat':
    case 'snat':
    case 'masquerade':
    case 'redirect':
      return natOf(word, members)
    case 'mangle':
      return `${wordsOf(members.key)} set ${wordsOf(members.value)}`
    case 'notrack':
      return word
    case 'xt':
      throw new NotModelledError(`JSON of an extension of iptables: ${members.name}`)
    default:
      return verdictOf(word, told) ?? refuse(`JSON of a statement ${word}`)
  }
}

function refuse(form: string): never {
  throw new NotModelledError(form)
}

function verdictOf(word: string, told: unknown): string | undefined {
  if (['accept', 'drop', 'return', 'continue'].includes(word)) return word
  return word === 'jump' || word === 'goto' ? `${word} ${(told as Members).target}` : undefined
}

function matchOf({ op, left, right }: Members): string {
  // Of bits `==` says that they are all; of sets, and of whether there is any, it goes without saying.
  const isSet =
    (typeof right === 'object' && !Array.isArray(right)) || typeof right === 'boolean' || `${right}`[0] === '@'
  const isBare = op === 'in' || (op === '==' && isSet && !isBits(left))
  return `${wordsOf(left)} ${isBare ? '' : `${op} `}${wordsOf(right, isInterface(left))}`
}

const isBits = (json: unknown) => typeof json === 'object' && json !== null && ['&', '|', '^'].includes(only(json)[0])

function isInterface(json: unknown): boolean {
  const { key } = ((json as Members | null)?.meta ?? {}) as Members
  return typeof key === 'string' && /^(i|o)if(name)?$/.test(key)
}

/** `quoted`: text is the name of a link. */
function wordsOf(json: unknown, quoted = false): string {
  if (typeof json === 'boolean') return json ? 'exists' : 'missing'
  if (typeof json === 'number') return `${json}`
  if (typeof json === 'string') return quoted && !json.startsWith('@') ? `"${json}"` : json
  if (Array.isArray(json)) return json.map((one) => wordsOf(one, quoted)).join(',')
  const [word, told] = only(json)
  const members = (told ?? {}) as Members
  const list = (told ?? []) as readonly unknown[]
  switch (word) {
    case 'prefix':
      return `${members.addr}/${members.len}`
    case 'range':
      return `${wordsOf(list[0], quoted)}-${wordsOf(list[1], quoted)}`
    case 'set':
      return `{ ${(Array.isArray(told) ? list : [told]).map((one) => pairOf(one, quoted)).join(', ')} }`
    case 'concat':
      return list.map((one) => wordsOf(one, quoted)).join(' . ')
    case 'meta':
      return `meta ${members.key}`
    case 'ct':
      return `ct ${members.dir === undefined ? '' : `${members.dir} `}${members.key}`
    case 'payload':
      if (members.base !== undefined) return `@${members.base},${members.offset},${members.len}`
      return `${members.protocol} ${members.field}`
    case 'fib':
      return `fib ${[members.flags].flat().join(' . ')} ${members.result}`
    case 'map':
      return `${wordsOf(members.key)} map ${wordsOf(members.data)}`
    case '&':
    case '|':
    case '^':
      return `${wordsOf(list[0])} ${word} ${bitsOf(list[1])}`
    case 'elem':
      return elementOf(members, quoted)
    default:
      return verdictOf(word, told) ?? refuse(`JSON of an expression ${word}`)
  }
}

const bitsOf = (json: unknown) => (Array.isArray(json) ? `(${json.join('|')})` : wordsOf(json))

function pairOf(json: unknown, quoted = false): string {
  return Array.isArray(json) ? `${wordsOf(json[0], quoted)} : ${wordsOf(json[1])}` : wordsOf(json, quoted)
}

function elementOf({ val, timeout, comment }: Members, quoted: boolean): string {
  const life = timeout === undefined ? '' : ` timeout ${timeout}s`
  return `${wordsOf(val, quoted)}${life}${comment === undefined ? '' : ` comment "${comment}"`}`
}

function limitOf({ rate, burst, per, inv, rate_unit: unit, burst_unit: burstUnit }: Members): string {
  const start = `limit rate ${inv ? 'over ' : ''}${rate}${unit === undefined ? '' : ` ${unit}`}/${per}`
  return burst ? `${start} burst ${burst} ${burstUnit ?? 'packets'}` : start
}

function logOf(log: Members): string {
  const flags = [log.flags].flat().filter((flag) => flag !== undefined)
  return [
    'log',
    ...(log.prefix === undefined ? [] : [`prefix "${log.prefix}"`]),
    ...['group', 'snaplen', 'queue-threshold', 'level'].flatMap((key) =>
      log[key] === undefined ? [] : [`${key} ${log[key]}`],
    ),
    ...flags.map((flag) => `flags ${flag}`),
  ].join(' ')
}

function natOf(word: string, { family, addr, port, flags }: Members): string {
  const words = [flags].flat().filter((flag) => flag !== undefined)
  const to = addr === undefined ? '' : wordsOf(addr)
  const bracketed = port !== undefined && to.includes(':') ? to.replace(/[^-]+/g, '[$&]') : to
  const target =
    addr === undefined && port === undefined ? '' : ` to ${bracketed}${port === undefined ? '' : `:${wordsOf(port)}`}`
  return `${word}${family === undefined ? '' : ` ${family}`}${target}${words.length > 0 ? ` ${words.join(',')}` : ''}`
}
