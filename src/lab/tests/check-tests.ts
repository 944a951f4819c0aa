/** What the shape of `tests`, `faults` and `exercise` cannot say: that names lead somewhere, and that expectations can be met at all. */
import { readIp } from '../../address/ip.ts'
import { didYouMean } from '../../json/near.ts'
import type { TopologyFault } from '../check-topology.ts'
import { podNames, type Topology } from '../topology.ts'
import { type Expectation, isLike, namesOf, type TopologyTest } from './description.ts'

type Path = readonly (string | number)[]

/** Everything that is wrong with them, each with the path of keys where it stands. */
export function testFaults(topology: Topology): TopologyFault[] {
  const { tests = [] } = topology
  const names = tests.map(({ name }) => name)
  return [
    ...tests.flatMap((test, i) => faultsOfTest(test, ['tests', i], topology)),
    ...names.flatMap((name, i) =>
      names.indexOf(name) === i
        ? []
        : [{ path: ['tests', i, 'name'], message: `tests.${i}.name "${name}" is that of another test` }],
    ),
    ...exerciseFaults(topology, names),
  ]
}

function faultsOfTest(test: TopologyTest, path: Path, topology: Topology): TopologyFault[] {
  const say = (key: string, message: string) => ({ path: [...path, key], message: `${path.join('.')}${message}` })
  const { from, to, tcp, udp, icmp, ttl, size, df, expect, reach } = test
  const asked = Object.entries({ tcp, udp, icmp }).flatMap(([name, value]) => (value === undefined ? [] : [name]))
  const pods = podNames(topology.cluster?.pods ?? {})
  const faults = unknownNames(namesOf(test.with), Object.keys(topology.faults ?? {})).map((name) =>
    say('with', `.with "${name}" is no fault of this file${didYouMean(name, Object.keys(topology.faults ?? {}))}`),
  )
  if (asked.length > 1) faults.push(say(asked[1]!, ` asks for ${asked.join(' and ')}: a test sends one of them`))
  if (reach) {
    const alone = Object.entries({ from, to, tcp, udp, icmp, ttl, size, df, expect }).filter(
      ([, value]) => value !== undefined,
    )
    for (const [key] of alone) faults.push(say(key, `.${key} does not go with reach`))
    if (reach.tcp !== undefined && reach.udp !== undefined) {
      faults.push(say('reach', '.reach asks for tcp and udp: a test sends one of them'))
    }
    for (const pattern of [reach.to, ...(reach.only ?? [])]) {
      if (pods.some((pod) => isPod(pod, pattern))) continue
      faults.push(say('reach', `.reach names "${pattern}", which is no pod (${pods.join(', ') || 'there is none'})`))
    }
    return faults
  }
  if (from !== undefined && !isPlace(from, topology)) faults.push(say('from', `.from ${noPlace(from, topology)}`))
  if (to !== undefined && !isTarget(to, topology)) faults.push(say('to', `.to ${noPlace(to, topology)}`))
  if (df !== undefined && (tcp !== undefined || udp !== undefined)) {
    faults.push(say('df', '.df goes with an echo request: what TCP sends is never cut up, a datagram where it must be'))
  }
  return expect ? [...faults, ...expectationFaults(expect, [...path, 'expect'], topology)] : faults
}

const OUTCOMES = ['delivered', 'dropped', 'replied'] as const

/** What can only be said of a packet that arrived. */
const OF_ARRIVAL = ['dnat', 'via', 'source', 'ttl'] as const

function expectationFaults(expect: Expectation, path: Path, topology: Topology): TopologyFault[] {
  const say = (key: string, message: string) => ({ path: [...path, key], message: `${path.join('.')}${message}` })
  const faults: TopologyFault[] = []
  const outcomes = OUTCOMES.filter((name) => expect[name] !== undefined)
  if (Object.keys(expect).length === 0) faults.push({ path, message: `${path.join('.')} expects nothing` })
  if (expect.delivered !== undefined && outcomes.length > 1) {
    faults.push(say(outcomes[1]!, ` has delivered and ${outcomes[1]}: it cannot be both`))
  }
  for (const key of OF_ARRIVAL) {
    if (expect[key] === undefined || (expect.dropped === undefined && expect.replied === undefined)) continue
    faults.push(say(key, `.${key} is said of what arrives, which ${outcomes.join(' and ')} does not`))
  }
  const { delivered, at, via = [] } = expect
  const places = placesOf(topology)
  if (delivered !== undefined && !places.some((place) => isPod(place, delivered) || isPod(place, delivered, 'node'))) {
    faults.push(say('delivered', `.delivered ${noPlace(delivered, topology)}`))
  }
  for (const [key, where] of [
    ...(at === undefined ? [] : [['at', at] as const]),
    ...via.map((each) => ['via', each] as const),
  ]) {
    if (isPlace(where.split('/')[0]!, topology)) continue
    faults.push(say(key, `.${key} ${noPlace(where, topology)}`))
  }
  return faults
}

function exerciseFaults({ exercise, faults = {} }: Topology, tests: readonly string[]): TopologyFault[] {
  if (!exercise) return []
  const unknown = (key: 'fault' | 'fails', known: readonly string[], noun: string) =>
    unknownNames(namesOf(exercise[key]), known).map((name) => ({
      path: ['exercise', key],
      message: `exercise.${key} "${name}" is no ${noun} of this file${didYouMean(name, known)}`,
    }))
  return [...unknown('fault', Object.keys(faults), 'fault'), ...unknown('fails', tests, 'test')]
}

const unknownNames = (names: readonly string[], known: readonly string[]) =>
  names.filter((name) => !known.includes(name))

function placesOf({ topology, cluster }: Topology): string[] {
  return [...Object.keys(topology.nodes), ...podNames(cluster?.pods ?? {})]
}

/** `pod/web-0`, `node/n1`, or the bare name: lab/place.ts. */
function isPlace(text: string, topology: Topology): boolean {
  return placesOf(topology).includes(text.replace(/^(?:pod|node)\//, ''))
}

function isTarget(text: string, topology: Topology): boolean {
  const name = text.replace(/^(?:ip|svc)\//, '')
  if (text.startsWith('ip/')) return readIp(name) !== undefined
  if (text.startsWith('svc/')) return Object.hasOwn(topology.cluster?.services ?? {}, name)
  return isPlace(text, topology)
}

/** `pod/api-*`, or without its kind. */
export function isPod(name: string, pattern: string, kind: 'pod' | 'node' = 'pod'): boolean {
  return isLike(name, pattern.startsWith(`${kind}/`) ? pattern.slice(kind.length + 1) : pattern, '*')
}

function noPlace(text: string, topology: Topology): string {
  const places = placesOf(topology)
  const services = Object.keys(topology.cluster?.services ?? {})
  const names = text.startsWith('svc/') ? services : places
  return `"${text}" is not in this file${didYouMean(text.replace(/^(?:pod|node|svc)\//, ''), names)}`
}
