/**
 * A report as test runners print it:
 *
 *   f01-lost-fdb   model linux-6.18 · seed 1 · fault lost-fdb
 *    ✗ web-0 pings api-0
 *        expected delivered at pod/api-0, found DROPPED at n1/flannel.1: NO_TX_TARGET
 *    ✔ the nodes reach each other
 */
import type { TestResult } from '../../lab/tests/run.ts'
import { styleText } from '../../trace/style.ts'
import { countOf, questionOf, type Reporter, type Suite, sentencesOf } from './report.ts'

const MARKS = { passed: '✔', failed: '✗', skipped: '○', unsupported: '?' } as const
const COLOURS = { passed: 'green', failed: 'red', skipped: 'dim', unsupported: 'red' } as const

export function textReporter(hasColour: boolean): Reporter {
  const paint = styleText(hasColour)
  let suite: Suite
  return {
    begin(begun) {
      suite = begun
      const { name, engine, kernel, seed, faults } = suite
      const facts = [
        `${engine} ${kernel}`,
        ...(seed === undefined ? [] : [`seed ${seed}`]),
        ...(faults.length > 0 ? [`fault ${faults.join(', ')}`] : []),
      ]
      return `${paint('bold', name)}   ${paint('dim', facts.join(' · '))}\n`
    },
    result(result) {
      const { name, status } = result
      const head = ` ${paint(COLOURS[status], MARKS[status])} ${name}`
      return [head, ...detailsOf(result, suite).map((line) => `     ${line}`)].join('\n').concat('\n')
    },
    end(suites) {
      const counts = (['passed', 'failed', 'unsupported', 'skipped'] as const).flatMap((status) => {
        const count = countOf(suites, status)
        return count > 0 || status === 'passed' || status === 'failed' ? [`${count} ${status}`] : []
      })
      const failed = countOf(suites, 'failed') + countOf(suites, 'unsupported') > 0
      return `\n${paint(failed ? 'red' : 'green', counts.join(', '))}\n`
    },
  }
}

function detailsOf(result: TestResult, suite: Suite): string[] {
  const { status, message } = result
  if (status === 'passed') return []
  if (status !== 'failed') return [message]
  const question = questionOf(result, suite)
  const isDelivered = result.trace?.result.disposition === 'delivered'
  // What is delivered has nothing more to say than what was expected instead; where it was dropped stands there, too.
  const sentences = isDelivered ? [] : sentencesOf(result).slice(1)
  return [message, ...sentences, ...(question === '' ? [] : [`ask: ${question}`])]
}
