/**
 * JUnit XML as CI servers read it: Jenkins' junit-10.xsd, with testsuites around. A failure's text is the sentence, system-out the
 * short trace.
 */
import type { TestResult } from '../../lab/tests/run.ts'
import { countOf, questionOf, type Reporter, type Suite, sentencesOf, shortTrace } from './report.ts'

export const junitReporter: Reporter = {
  end: (suites) =>
    [
      '<?xml version="1.0" encoding="UTF-8"?>',
      `<testsuites${attributes({ name: 'overlab test', ...countsOf(suites), time: secondsOf(suites) })}>`,
      ...suites.flatMap(suiteOf),
      '</testsuites>',
      '',
    ].join('\n'),
}

function suiteOf(suite: Suite): string[] {
  const { name, engine, kernel, seed, faults, results, file } = suite
  const properties = {
    engine,
    kernel,
    ...(seed !== undefined && { seed: String(seed) }),
    ...(file !== undefined && { file }),
    ...(faults.length > 0 && { faults: faults.join(',') }),
  }
  return [
    ` <testsuite${attributes({ name: `${name}.${engine}`, ...countsOf([suite]), time: secondsOf([suite]) })}>`,
    '  <properties>',
    ...Object.entries(properties).map(([key, value]) => `   <property${attributes({ name: key, value })}/>`),
    '  </properties>',
    ...results.flatMap((result) => caseOf(result, suite)),
    ' </testsuite>',
  ]
}

function caseOf(result: TestResult, suite: Suite): string[] {
  const { name, status, message, trace, milliseconds } = result
  const head = `<testcase${attributes({ name, classname: `${suite.name}.${suite.engine}`, time: seconds(milliseconds) })}`
  const out = shortTrace(result)
  const shown = out === '' ? [] : [`   <system-out>${text(out)}</system-out>`]
  const end = [...shown, '  </testcase>']
  switch (status) {
    case 'passed':
      return shown.length === 0 ? [`  ${head}/>`] : [`  ${head}>`, ...end]
    case 'skipped':
      return [`  ${head}>`, `   <skipped${attributes({ message })}/>`, ...end]
    case 'unsupported':
      return [`  ${head}>`, `   <error${attributes({ message, type: 'unsupported' })}/>`, ...end]
    case 'failed': {
      const question = questionOf(result, suite)
      const said = [...sentencesOf(result), ...(question === '' ? [] : [`ask: ${question}`])].join('\n')
      const type = trace?.result.reason ?? 'expectation'
      return [`  ${head}>`, `   <failure${attributes({ message, type })}>${text(said)}</failure>`, ...end]
    }
  }
}

function countsOf(suites: readonly Suite[]): Readonly<Record<string, string>> {
  return {
    tests: String(suites.reduce((sum, { results }) => sum + results.length, 0)),
    failures: String(countOf(suites, 'failed')),
    errors: String(countOf(suites, 'unsupported')),
    skipped: String(countOf(suites, 'skipped')),
  }
}

function secondsOf(suites: readonly Suite[]): string {
  return seconds(suites.flatMap(({ results }) => results).reduce((sum, { milliseconds }) => sum + milliseconds, 0))
}

const seconds = (milliseconds: number) => (milliseconds / 1000).toFixed(3)

function attributes(values: Readonly<Record<string, string>>): string {
  return Object.entries(values)
    .map(
      ([name, value]) =>
        ` ${name}="${text(value).replace(/"/g, '&quot;').replace(/\n/g, '&#10;').replace(/\t/g, '&#9;')}"`,
    )
    .join('')
}

/** XML 1.0 §2.2: what is no character cannot be written at all; §2.4: what must be escaped. */
function text(value: string): string {
  return value
    .replace(/[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, '\uFFFD')
    .replace(/&/g, '&amp;')
    .replace(/</g, '&lt;')
    .replace(/>/g, '&gt;')
    .replace(/\r/g, '&#13;')
}
