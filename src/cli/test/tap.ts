/** The Test Anything Protocol, version 14: testanything.org/tap-version-14-specification.html. */
import type { TestResult } from '../../lab/tests/run.ts'
import { questionOf, type Reporter, type Suite, sentencesOf } from './report.ts'

export function tapReporter(isOneOfSeveral: boolean): Reporter {
  let suite: Suite
  let number = 0
  let hasBegun = false
  return {
    begin(begun) {
      suite = begun
      const version = hasBegun ? '' : 'TAP version 14\n'
      hasBegun = true
      const { name, engine, kernel, seed, faults } = suite
      const facts = [`engine ${engine}`, `kernel ${kernel}`, ...(seed === undefined ? [] : [`seed ${seed}`])]
      return `${version}# ${[name, ...facts, ...faults.map((fault) => `fault ${fault}`)].map(inLine).join(', ')}\n`
    },
    result(result) {
      number++
      const { name, status, message } = result
      const ok = status === 'passed' || status === 'skipped' ? 'ok' : 'not ok'
      const title = escaped(isOneOfSeveral ? `${suite.name} (${suite.engine}): ${name}` : name)
      const skip = status === 'skipped' ? ` # SKIP ${escaped(message)}` : ''
      return `${ok} ${number} - ${title}${skip}\n${ok === 'ok' ? '' : diagnosticOf(result, suite)}`
    },
    // The plan may stand at the end: how many there are is known then.
    end: () => `${hasBegun ? '' : 'TAP version 14\n'}1..${number}\n`,
  }
}

/** A block of YAML; a value of JSON is one of YAML. */
function diagnosticOf(result: TestResult, suite: Suite): string {
  const { message, status, trace } = result
  const { at, reason, why, fix } = trace?.result ?? {}
  const question = questionOf(result, suite)
  const facts = {
    message,
    severity: status === 'unsupported' ? 'error' : 'fail',
    ...(at && { at }),
    ...(reason !== undefined && { reason }),
    ...(why !== undefined && { why }),
    ...(fix && { fix }),
    ...(question !== '' && { ask: question }),
    ...(why === undefined && trace && { found: sentencesOf(result)[0] }),
  }
  const lines = Object.entries(facts).map(([key, value]) => `  ${key}: ${JSON.stringify(value)}`)
  return ['  ---', ...lines, '  ...', ''].join('\n')
}

/** "A literal # … must be escaped with a \", and so must the \ itself. */
const escaped = (text: string) => inLine(text).replace(/[\\#]/g, '\\$&')

const inLine = (text: string) => text.replace(/\s*\n\s*/g, ' ')
