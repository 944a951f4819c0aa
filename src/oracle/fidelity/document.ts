/** docs/fidelity.md, from what was measured and from what the code says today. */
import { type Feature, featureOf, features } from './features.ts'
import type { ModelFile, Site } from './sites.ts'
import { type Fidelity, type FileTally, isCompared, type Run } from './tally.ts'

/** A feature with its decisions. */
export interface Row {
  readonly feature: Feature
  /** Those that can be compared: all but what the model refuses by name. */
  readonly sites: readonly Site[]
  readonly refusals: readonly Site[]
  readonly compared: number
  /** With the second kernel, or with it alone. */
  readonly second: number
  readonly functions: Share
  readonly arms: Share
}

export interface Share {
  readonly compared: number
  readonly of: number
}

export function rowsOf(model: readonly ModelFile[], fidelity: Fidelity): Row[] {
  const { secondSites, files } = fidelity
  const all = model.flatMap((file) => file.sites)
  return features.map((feature) => {
    const own = all.filter((site) => featureOf(site.file, site.where) === feature)
    const ownFiles = model.filter(({ file }) => featureOf(file, '') === feature).map(({ file }) => files[file])
    const decisions = own.filter(({ kind }) => kind !== 'unsupported')
    return {
      feature,
      sites: decisions,
      refusals: own.filter(({ kind }) => kind === 'unsupported'),
      compared: decisions.filter(({ id }) => isCompared(fidelity, id)).length,
      second: decisions.filter(({ id }) => secondSites[id]).length,
      functions: sum(ownFiles.map((file) => file && functionsOf(file))),
      arms: sum(ownFiles.map((file) => file && armsOf(file))),
    }
  })
}

function functionsOf({ functions, never }: FileTally): Share {
  return { compared: functions - never.length, of: functions }
}

function armsOf({ arms }: FileTally): Share {
  return { compared: [...arms].filter((arm) => arm === '1').length, of: arms.length }
}

function sum(shares: readonly (Share | undefined)[]): Share {
  const total = (part: (share: Share) => number) =>
    shares.reduce((before, share) => before + (share ? part(share) : 0), 0)
  return { compared: total(({ compared }) => compared), of: total((share) => share.of) }
}

export function formatFidelity(model: readonly ModelFile[], fidelity: Fidelity): string {
  const rows = rowsOf(model, fidelity)
  return [
    introduction(fidelity),
    summary(rows),
    neverCompared(rows, fidelity),
    refusals(rows),
    ...rows.filter(({ sites }) => sites.length > 0).map((row) => featureSection(row, fidelity)),
    fileTable(fidelity),
  ].join('\n')
}

function introduction({ kernel, second, runs }: Fidelity): string {
  const of = (what: Run['what']) => runs.filter((run) => run.what === what)
  const kinds = of('random').map(({ name, cases }) => `${name} ${cases}`)
  const names = (what: Run['what']) =>
    of(what)
      .map(({ name }) => `\`${name}\``)
      .join(', ')
  return `# Fidelity

Which of the model's decisions have been compared with a kernel, and in which scenarios. A decision is a place in \`src/model\` at which
the model says what becomes of a packet: it drops it for a reason, takes it a step further, delivers it, answers a drop reason, or a
rule's expression goes on or does not match. A decision counts as compared where it was made in a run that was equal to the kernel's:
in a scenario byte for byte at every tap, in a test by all that the test asks of both.

${plot}

Compared with ${kernel}:

- ${of('scenario').length} fixed scenarios, and ${of('golden').length} that were recorded, some with Linux's own TCP at both ends (\`S14\`);
- random cases: ${kinds.join(', ')};
- tests that ask both kernels the same, below \`test\` or \`test/linux\`: ${names('test')}.

With ${second}: ${of('second').length} of the fixed scenarios, under its settings (\`npm run oracle:kernels\`), and in User-Mode Linux,
which has devices that the first kernel lacks, ${names('guest')}. Tables have a column for it.

Made by \`npm run fidelity\` from what ran (\`docs/fidelity.json\`); not edited by hand. Functions and arms (of \`if\`, \`? :\`, \`case\`, \`&&\`,
\`||\`, \`??\`) are counted beside the decisions: most of the code decides nothing by itself, and some of it speaks to nobody but commands.
`
}

const plot = '![Decisions compared with a kernel, by feature](fidelity.svg)'

function summary(rows: readonly Row[]): string {
  const line = ({ feature, sites: { length: of }, compared, second, functions, arms }: Row) =>
    `| ${feature.name} | ${feature.need} | ${share({ compared, of })} | ${of === 0 ? '–' : second} | ${share(functions)} | ${share(arms)} |`
  return `## Features

Need: M for what overlays, Calico, kube-proxy or network policies cannot do without, S for what some of them want, L for neither.

| feature | need | decisions compared | on 6.1 | functions | arms |
|---|---|---:|---:|---:|---:|
${rows.map(line).join('\n')}
`
}

function share({ compared, of }: Share): string {
  return of === 0 ? '–' : `${compared} of ${of}`
}

function neverCompared(rows: readonly Row[], fidelity: Fidelity): string {
  const needs = ['M', 'S', 'L', '–'] as const
  const lists = needs.map((need) => {
    const open = rows
      .filter(({ feature }) => feature.need === need)
      .flatMap((row) => row.sites)
      .filter(({ id }) => !isCompared(fidelity, id))
    if (open.length === 0) return `None of need ${need}.\n`
    return `Of need ${need}:\n\n${open.map((site) => `- ${describe(site)}`).join('\n')}\n`
  })
  return `## Never compared\n\n${lists.join('\n')}`
}

function refusals(rows: readonly Row[]): string {
  const all = rows.flatMap((row) => row.refusals)
  return `## Refused by name

What is not modelled ends with the disposition \`unsupported\`, by name: there is nothing to compare.

${all.map(({ file, says }) => `- ${escaped(says)} (\`${file}\`)`).join('\n')}
`
}

function featureSection({ feature, sites }: Row, fidelity: Fidelity): string {
  const line = (site: Site) => {
    const [first, second] = [fidelity.sites, fidelity.secondSites].map((sites) => namesOf(sites[site.id] ?? ''))
    return `| ${describe(site)} | ${first || (second ? '' : '**never**')} | ${second} |`
  }
  return `## ${feature.name[0]!.toUpperCase()}${feature.name.slice(1)}

| decision | compared in | on 6.1 |
|---|---|---|
${sites.map(line).join('\n')}
`
}

function describe({ file, where, kind, says, id }: Site): string {
  const number = / \(\d+\)$/.exec(id)?.[0] ?? ''
  return `\`${file}\` ${where}: ${kind === 'reason' ? 'answers' : kind} ${escaped(says)}${number}`
}

const escaped = (text: string) =>
  text.replaceAll('|', '\\|').replaceAll('*', '\\*').replaceAll('_', '\\_').replaceAll('<', '&lt;')

/** `S01–S04 S07 bridge`: numbers that follow each other in one. */
export function namesOf(names: string): string {
  const words: string[] = []
  let from: string | undefined
  let to = ''
  const end = () => {
    if (from !== undefined) words.push(from === to ? from : `${from}–${to}`)
    from = undefined
  }
  for (const name of names.split(' ').filter((each) => each !== '')) {
    if (from !== undefined && isNext(to, name)) {
      to = name
      continue
    }
    end()
    from = name
    to = name
  }
  end()
  return words.join(' ')
}

function isNext(before: string, name: string): boolean {
  const [one, other] = [before, name].map((each) => /^([SXB])(\d+)$/.exec(each))
  return one?.[1] !== undefined && one[1] === other?.[1] && Number(one[2]) + 1 === Number(other[2])
}

function fileTable({ files }: Fidelity): string {
  const line = ([file, tally]: (typeof entries)[number]) =>
    `| \`${file}\` | ${share(functionsOf(tally))} | ${share(armsOf(tally))} | ${tally.never.map((name) => escaped(name)).join(', ')} |`
  const entries = Object.entries(files).filter(([, { functions }]) => functions > 0)
  return `## Files

| file | functions | arms | functions that never ran in a comparison |
|---|---:|---:|---|
${entries.map(line).join('\n')}
`
}
