/** A lab's status and who reaches whom, as text. */
import { styleText } from 'node:util'
import type { EchoAnswer } from '../kernel/live.ts'
import type { DaemonStatus } from '../lab/daemons.ts'
import type { PingMatrix } from '../lab/ping.ts'
import type { SpeakerStatus } from '../lab/speakers.ts'
import type { LabStatus } from '../lab/status.ts'
import { table } from './output.ts'

export function formatStatus({ nodes, pods }: LabStatus): string {
  const hasDaemons = nodes.some(({ daemon }) => daemon)
  const hasBgp = nodes.some(({ bgp }) => bgp)
  const nodeRows = nodes.map(({ name, links, podNetwork, daemon, bgp, namespace, up }) => [
    name,
    links.flatMap(({ addresses }) => addresses).join(' ') || '–',
    links.map(({ ifName, peer }) => `${ifName} to ${peer}`).join(', ') || '–',
    podNetwork?.subnet ?? daemon?.subnet ?? '–',
    ...(hasDaemons ? [daemon ? formatDaemon(daemon) : '–'] : []),
    ...(hasBgp ? [bgp ? formatSpeaker(bgp) : '–'] : []),
    namespace,
    up ? 'up' : 'not up',
  ])
  const podRows = pods.map(({ name, node, attached, fault }) => [
    name,
    node,
    attached?.address ?? '–',
    attached?.gateway ?? '–',
    attached?.hostInterface ?? '–',
    attached?.plugins.join(' ') ?? '–',
    fault ?? 'as promised',
  ])
  return [
    table(
      [
        'NODE',
        'ADDRESS',
        'LINK',
        'PODS IN',
        ...(hasDaemons ? ['DAEMON'] : []),
        ...(hasBgp ? ['BGP'] : []),
        'NAMESPACE',
        'STATE',
      ],
      nodeRows,
    ),
    ...nodes.flatMap(({ name, bgp }) => (bgp?.isRunning ? bgp.problems.map((problem) => `${name}: ${problem}`) : [])),
    '',
    table(['POD', 'NODE', 'ADDRESS', 'GATEWAY', "NODE'S END", 'PLUGINS', 'STATE'], podRows),
  ].join('\n')
}

/** `vxlan, ready`, `udp, not running`; what is wrong behind it. */
function formatDaemon({ backend, isRunning, isReady, problems, warnings }: DaemonStatus): string {
  const state = isReady ? 'ready' : isRunning ? 'not ready' : 'not running'
  return [`${backend}, ${state}`, ...problems, ...warnings].join('; ')
}

/** `3 of 3 established`, `not running`, `bird, running`. */
function formatSpeaker({ kind, isRunning, sessions }: SpeakerStatus): string {
  const state = sessions
    ? `${sessions.established} of ${sessions.wanted} established`
    : isRunning
      ? 'running'
      : 'not running'
  return kind === 'overlab' ? state : `${kind}, ${state}`
}

/** Milliseconds, or what came instead. A row for each source, a column for each target. */
export function formatMatrix({ sources, targets, answers }: PingMatrix): string {
  const cell = (from: string, to: string) => {
    const found = answers.find((each) => each.from === from && each.to === to)
    return found ? formatAnswer(found.answer) : '·'
  }
  const rows = sources.map((from) => [from, ...targets.map(({ name: to }) => cell(from, to))])
  return `Round trips in milliseconds:\n\n${table(['FROM', ...targets.map(({ name }) => name)], rows)}`
}

export function isReply({ outcome }: EchoAnswer): boolean {
  return outcome === 'reply'
}

/** `20 of 20 pings were answered`, with a mark in front. */
export function formatVerdict({ answers }: PingMatrix): string {
  const replies = answers.filter(({ answer }) => isReply(answer)).length
  const sentence = `${replies} of ${answers.length} pings were answered`
  return replies === answers.length ? `${styleText('green', '✔')} ${sentence}` : `${styleText('red', '✖')} ${sentence}`
}

function formatAnswer(answer: EchoAnswer): string {
  switch (answer.outcome) {
    case 'reply':
      return answer.milliseconds.toFixed(2)
    case 'error':
      return `ICMP ${answer.type}/${answer.code} from ${answer.from}`
    case 'refused':
      return answer.errno
    case 'timeout':
      return 'no answer'
  }
}
