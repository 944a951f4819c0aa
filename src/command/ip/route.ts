/** `ip route`: iproute.c of iproute2. */
import { ignoring } from '../../kernel/errors.ts'
import type { Route } from '../../kernel/route.ts'
import { type Arguments, abbreviates, parseAddress, parseTypedPrefix, parseUnsigned } from '../arguments.ts'
import { Exit } from '../exit.ts'
import { familyOfRoute, printRoute } from './route-line.ts'
import { listRoutes, parseRouteFilter, showRoutes } from './route-show.ts'
import { parseRoute } from './route-words.ts'
import { notModelled, print, requireDevice, type Settings } from './settings.ts'

const GET_NOT_MODELLED = 'tos dsfield notify connected vrf uid fibmatch as ipproto sport dport'.split(' ')

export function doRoute(settings: Settings, args: Arguments): void {
  if (!args.more) {
    showRoutes(settings, args)
    return
  }
  const command = args.take()
  const is = (...names: string[]) => abbreviates(command, ...names)
  const { routes } = settings.kernel
  if (is('list', 'show', 'lst')) showRoutes(settings, args)
  else if (is('get')) getRoute(settings, args)
  else if (is('add')) routes.add(parseRoute(settings, args))
  else if (is('change', 'chg')) changeRoute(settings, parseRoute(settings, args))
  else if (is('replace')) routes.replace(parseRoute(settings, args))
  else if (is('prepend')) routes.prepend(parseRoute(settings, args))
  else if (is('append')) routes.append(parseRoute(settings, args))
  else if (is('test')) throw notModelled(settings, 'route test')
  else if (is('delete')) routes.delete(parseRoute(settings, args))
  else if (is('flush')) flushRoutes(settings, args)
  else if (is('save', 'restore', 'showdump', 'help')) throw notModelled(settings, `route ${command}`)
  else throw new Exit(255, `Command "${command}" is unknown, try "ip route help".`)
}

/** NLM_F_REPLACE without NLM_F_CREATE: what is to be changed must be there. */
function changeRoute(settings: Settings, route: Route): void {
  const { routes } = settings.kernel
  const family = familyOfRoute(route)
  const { table = 254, tos = 0 } = route
  const metric = route.metric || (family === 'ipv6' ? 1024 : 0)
  const there = routes
    .list({ family, table })
    .some((other) => other.destination === route.destination && (other.tos ?? 0) === tos && other.metric === metric)
  if (!there) throw new Exit(2, 'RTNETLINK answers: No such file or directory')
  routes.replace(route)
}

function getRoute(settings: Settings, args: Arguments): void {
  if (!args.more) throw new Exit(1, 'need at least a destination address')
  const { kernel } = settings
  let { family } = settings
  let to: string | undefined
  let source: string | undefined
  let inputLink: string | undefined
  let outputLink: string | undefined
  let mark: number | undefined
  while (args.more) {
    if (args.takesBegun('from')) {
      const typed = parseTypedPrefix(args.take(), family)
      family ??= typed.family
      if (typed.address !== '') source = typed.address
    } else if (args.takes('iif')) inputLink = args.take()
    else if (args.next === 'oif' || args.next === 'dev') {
      args.take()
      outputLink = args.take()
    } else if (args.takes('mark')) mark = parseUnsigned(args.take(), 'invalid mark value')
    else if (GET_NOT_MODELLED.includes(args.next)) {
      throw notModelled(settings, 'route get with more than from, iif, oif, mark')
    } else {
      args.takesBegun('to')
      const typed = parseTypedPrefix(args.take(), family)
      to = typed.address === '' ? parseAddress('0.0.0.0').address : typed.address
      family ??= typed.family
    }
  }
  if (to === undefined) throw new Exit(1, 'need at least a destination address')
  for (const link of [inputLink, outputLink]) if (link !== undefined) requireDevice(settings, link)
  const route = kernel.routes.lookup(to, {
    ...(source !== undefined && { source }),
    ...(inputLink !== undefined && { inputLink }),
    ...(outputLink !== undefined && { outputLink }),
    ...(mark !== undefined && { mark }),
  })
  if (!route) throw new Exit(2, 'RTNETLINK answers: Network is unreachable')
  // Whether we are in the group is said too, and the kernel interface does not.
  if (route.type === 'multicast' && family === 'ipv4') throw notModelled(settings, 'route get of a multicast address')
  print(settings, (printer) => {
    printer.array(undefined, () => {
      printer.object(() => {
        const redirects = source !== undefined && wouldRedirect(settings, route, source, inputLink)
        const asked = { from: source, mark, inputLink, redirects }
        printRoute(printer, route, { details: settings.details > 0, asked })
      })
    })
  })
}

/**
 * Out by the link that it came in by, from a sender on that link: ip_mkroute_input and __mkroute_input in net/ipv4/route.c.
 * IPv6's answers do not tell it.
 */
function wouldRedirect({ kernel }: Settings, route: Route, source: string, inputLink: string | undefined): boolean {
  if (route.link !== inputLink || (route.type ?? 'unicast') !== 'unicast' || source.includes(':')) return false
  const isSet = (name: string) =>
    ['all', inputLink].some((link) => kernel.sysctl.get(`net/ipv4/conf/${link}/${name}`) === '1')
  if (!isSet('send_redirects') || !isSet('shared_media')) return false
  const back = kernel.routes.lookup(source)
  return back !== undefined && back.link === inputLink && back.gateway === undefined
}

function flushRoutes(settings: Settings, args: Arguments): void {
  if (!args.more) throw new Exit(1, '"ip route flush" requires arguments.')
  const filter = parseRouteFilter(settings, args)
  if (settings.statistics > 0) throw notModelled(settings, '-s route flush')
  const found = listRoutes(settings, filter, 'Flush terminated')
  for (const route of found) {
    // One that went with another, or that the kernel does not let go.
    ignoring(['ESRCH', 'ENOENT', 'EINVAL'], () => settings.kernel.routes.delete(route))
  }
}
