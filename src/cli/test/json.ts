/** A report for scripts: one document with the same facts, and every trace whole. */
import { countOf, questionOf, type Reporter } from './report.ts'

export const jsonReporter: Reporter = {
  end(suites) {
    const report = {
      passed: countOf(suites, 'passed'),
      failed: countOf(suites, 'failed'),
      unsupported: countOf(suites, 'unsupported'),
      skipped: countOf(suites, 'skipped'),
      suites: suites.map((suite) => ({
        ...suite,
        results: suite.results.map((result) => {
          const ask = questionOf(result, suite)
          const { question: _, ...facts } = result
          return { ...facts, ...(ask !== '' && { ask }) }
        }),
      })),
    }
    return `${JSON.stringify(report)}\n`
  },
}
