/** ping's command line: getopt(3), so options may stand behind the destination, and values in the same word. */
import { type Family, formatIp, parseIp } from '../address/ip.ts'
import { readAddress } from './arguments.ts'
import { Exit, NotModelled } from './exit.ts'

export interface PingOptions {
  readonly destination: string
  readonly family: Family | undefined
  readonly count: number
  /** Seconds. */
  readonly interval: number
  readonly deadline: number | undefined
  readonly timeout: number | undefined
  readonly size: number
  readonly ttl: number | undefined
  readonly source: string | undefined
  readonly dontFragment: boolean
  readonly quiet: boolean
}

/** Letters that have a value. */
const WITH_VALUE = 'ceFIilmMNpQsStTwW'
const WITHOUT_VALUE = '46aAbBCdDfhLnOqrRUvV'

export function readPingOptions(argv: readonly string[]): PingOptions {
  const { letters, words } = split(argv.slice(1))
  const value = (letter: string) => letters.findLast(([each]) => each === letter)?.[1]
  const has = (letter: string) => letters.some(([each]) => each === letter)
  for (const [letter] of letters) {
    if (!'46cinqsItwWMan'.includes(letter)) throw new NotModelled('ping', `-${letter}`, 2)
  }
  const number = (letter: string, least: number, most: number) => {
    const text = value(letter)
    return text === undefined ? undefined : readNumber(text, least, most)
  }
  const count = number('c', 1, Number.MAX_SAFE_INTEGER)
  const deadline = number('w', 0, 0x7fff_ffff)
  const size = number('s', 0, 0x7fff_ffff) ?? 56
  const ttl = number('t', 0, 255)
  const interval = readSeconds(value('i')) ?? 1
  const timeout = readSeconds(value('W'))
  const discovery = value('M')
  if (discovery !== undefined && !['do', 'dont', 'want'].includes(discovery)) {
    throw new Exit(2, `ping: invalid -M argument: ${discovery}`)
  }
  if (discovery === 'want') throw new NotModelled('ping', '-M want', 2)
  const [destination, ...more] = words
  if (destination === undefined) throw new Exit(1, 'ping: usage error: Destination address required')
  if (more.length > 0) throw new NotModelled('ping', 'more than one destination', 2)
  if (count === undefined && deadline === undefined)
    throw new NotModelled('ping', 'without -c or -w, which has no end', 2)
  return {
    destination,
    family: has('4') ? 'ipv4' : has('6') ? 'ipv6' : undefined,
    count: count ?? Number.POSITIVE_INFINITY,
    interval,
    deadline,
    timeout,
    size,
    ttl,
    source: readSource(value('I')),
    dontFragment: discovery === 'do',
    quiet: has('q'),
  }
}

function split(argv: readonly string[]): { letters: [letter: string, value: string][]; words: string[] } {
  const letters: [string, string][] = []
  const words: string[] = []
  const rest = [...argv]
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word === '--') words.push(...rest.splice(0))
    else if (!word.startsWith('-') || word === '-') words.push(word)
    else {
      for (let i = 1; i < word.length; i++) {
        const letter = word[i]!
        if (WITH_VALUE.includes(letter)) {
          const value = word.slice(i + 1) || rest.shift()
          if (value === undefined) throw new Exit(2, `ping: option requires an argument -- '${letter}'`)
          letters.push([letter, value])
          break
        }
        if (!WITHOUT_VALUE.includes(letter)) throw new Exit(2, `ping: invalid option -- '${letter}'`)
        letters.push([letter, ''])
      }
    }
  }
  return { letters, words }
}

function readNumber(text: string, least: number, most: number): number {
  if (!/^[0-9]+$/.test(text)) throw new Exit(1, `ping: invalid argument: '${text}'`)
  const value = Number(text)
  if (value < least || value > most) {
    const shown = most === Number.MAX_SAFE_INTEGER ? '9223372036854775807' : most
    throw new Exit(1, `ping: invalid argument: '${text}': out of range: ${least} <= value <= ${shown}`)
  }
  return value
}

function readSeconds(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (!/^[0-9]*\.?[0-9]+$/.test(text)) throw new Exit(1, `ping: invalid argument: '${text}'`)
  return Number(text)
}

function readSource(text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  const address = readAddress(text)
  if (!address) throw new NotModelled('ping', '-I with the name of a device', 2)
  return formatIp(parseIp(address.address))
}
