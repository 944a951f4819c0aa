/** A daemon's log: a line for people or a line of JSON, on stderr, where journald and container runtimes look. */
import { writeSync } from 'node:fs'
import pino from 'pino'

export type Level = 'debug' | 'info' | 'warn' | 'error'

/** `subject`: what it is about, as lease, store, kernel. */
export type Log = (level: Level, subject: string, message: string, more?: Readonly<Record<string, unknown>>) => void

interface Line {
  readonly level: string
  readonly time: string
  readonly subject: string
  readonly msg: string
}

const STDERR = 2

export function openLog(format: 'text' | 'json', level: Level): Log {
  const logger = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: (line) => writeAll(format === 'json' ? line : textOf(JSON.parse(line) as Line)) },
  )
  return (lineLevel, subject, message, more = {}) => logger[lineLevel]({ subject, ...more }, message)
}

/** `2026-11-21T21:40:57.123Z info  lease      This node has lease 10.5.1.0-24` */
function textOf({ level, time, subject, msg }: Line): string {
  return `${time} ${level.padEnd(5)} ${subject.padEnd(10)} ${msg.replaceAll('\n', '\\n')}\n`
}

/** At once, so that nothing is lost when the process ends; a log that nobody reads does not end it. */
function writeAll(text: string): void {
  try {
    writeSync(STDERR, text)
  } catch {
    // EAGAIN of a pipe that is full, EPIPE of one that nobody reads: the line is lost.
  }
}
