/** Ports by number or by name, and ranges of them. */
import type { XtRange } from '../../../kernel/xtables.ts'
import { badParameter } from '../error.ts'
import { readNumber } from '../number.ts'
import type { Invertible } from '../rule.ts'
import { serviceName, servicePort } from '../services.ts'

const LAST_PORT = 0xffff

/** xtables_parse_port(). */
export function parsePort(text: string, protocol: string | undefined): number {
  const port = readNumber(text, LAST_PORT) ?? servicePort(text, protocol)
  if (port === undefined) throw badParameter(`invalid port/service \`${text}' specified`)
  return port
}

/** `80`, `http`, `1024:`, `:1024`, `1000:2000`. Undefined for all ports, which is no condition. */
export function parsePorts(text: string, port: (text: string) => number): XtRange | undefined {
  const colon = text.indexOf(':')
  const [first, last] = colon < 0 ? [text, text] : [text.slice(0, colon), text.slice(colon + 1)]
  const from = colon >= 0 && first === '' ? 0 : port(first)
  const to = colon >= 0 && last === '' ? LAST_PORT : port(last)
  if (from > to) throw badParameter('invalid portrange (min > max)')
  return from === 0 && to === LAST_PORT ? undefined : { from, to }
}

export function formatPorts({ from, to }: XtRange, separator = ':'): string {
  return from === to ? `${from}` : `${from}${separator}${to}`
}

export function listPort(port: number, protocol: string | undefined, numeric: boolean): string {
  return (numeric ? undefined : serviceName(port, protocol)) ?? `${port}`
}

/** `dpt:http`, `dpts:!1000:2000` */
export function listPorts(
  name: string,
  ports: Invertible<XtRange> | undefined,
  protocol: string,
  numeric: boolean,
): string {
  if (!ports) return ''
  const { from, to } = ports.value
  const list = (port: number) => listPort(port, protocol, numeric)
  const isOne = from === to
  return ` ${name}${isOne ? '' : 's'}:${ports.invert ? '!' : ''}${isOne ? list(from) : `${list(from)}:${list(to)}`}`
}

export function savePorts(option: string, ports: Invertible<XtRange> | undefined): string {
  return ports ? `${ports.invert ? ' !' : ''} --${option} ${formatPorts(ports.value)}` : ''
}
