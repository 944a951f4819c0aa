import assert from 'node:assert/strict'
import { test } from 'vitest'
import { drawBars } from '../../scripts/bar-chart.ts'
import { benchCharts } from '../../scripts/charts.ts'

const widths = (svg: string, kind: string) =>
  [...svg.matchAll(new RegExp(`width="([\\d.]+)"[^>]*class="${kind}"`, 'g'))].map(([, width]) => Number(width))

test('bars are as long as their values, and never longer than their whole', () => {
  const svg = drawBars({
    title: 'a < b & c',
    legend: '',
    bars: [
      { name: 'one', figure: '1 of 4', value: 1, whole: 4 },
      { name: 'all', figure: '4 of 4', value: 4, whole: 4 },
    ],
  })
  const [one, all] = widths(svg, 'value')
  assert.equal(all, widths(svg, 'whole')[1])
  assert.ok(Math.abs(all! / one! - 4) < 0.01)
  assert.match(svg, /a &lt; b &amp; c/)
  assert.match(svg, /prefers-color-scheme: dark/)
})

test('a benchmark has a chart for each unit, with its targets, and none of what could not be measured', () => {
  const charts = benchCharts('Speed', [
    { name: 'S02', value: 0.5, least: 1, unit: 'Mpps' },
    { name: 'S25', value: 0.5, least: 0.4, unit: 'Mpps' },
    { name: 'build', value: 3, target: 5, unit: 's' },
    { name: 'lost', value: Number.NaN, unit: 'MB' },
  ])
  assert.deepEqual([...charts.keys()], ['Mpps', 's'])
  const svg = charts.get('Mpps')!
  assert.equal(widths(svg, 'missed').length, 1)
  assert.equal(widths(svg, 'value').length, 1)
  assert.equal(svg.match(/<line /g)?.length, 2)
  assert.match(svg, />0\.50 Mpps</)
})
