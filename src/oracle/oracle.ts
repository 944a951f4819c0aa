/**
 * The oracle: the same scenario for the model and for the real kernel, and what differs.
 *
 *   scenario ── run ── observation       on a machine: model, or namespaces        stand.ts  walk.ts
 *   observation × 2 ── compare           the first difference, by field            difference.ts
 *   question ── answer ── walk           golden scenarios; `test/golden/compare` is their judge
 *   ecmp                                 which next hop a flow takes
 *   application                          the client and the server of the scenarios with TCP
 *
 *   npm run oracle -- --golden QUESTIONS --dump OUT [--only S14,S15] [--engine model|kernel]
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Machine } from '../lab/machine.ts'
import { answer } from './answer.ts'
import { answerFlows } from './ecmp.ts'
import { readFlows, readQuestions } from './question.ts'

export interface Report {
  /** Ids of the questions that were answered. */
  readonly answered: readonly string[]
  /** What could not be answered, and why. */
  readonly refused: readonly { readonly id: string; readonly reason: string }[]
}

export interface AnswerOptions {
  /** Ids; all where left out. */
  readonly only?: readonly string[] | undefined
  /** What a question is answered on: the same for all, or one for each. */
  machine(): Machine
}

/** Answers the questions in the folder into files of `output`. */
export async function answerAll(questions: string, output: string, { only, machine }: AnswerOptions): Promise<Report> {
  mkdirSync(output, { recursive: true })
  const wanted = (id: string) => only === undefined || only.includes(id)
  const write = (name: string, value: unknown) =>
    writeFileSync(join(output, `${name}.json`), `${JSON.stringify(value, undefined, 1)}\n`)
  const answered: string[] = []
  const refused: { id: string; reason: string }[] = []
  for (const question of readQuestions(questions)) {
    const { id } = question
    if (!wanted(id)) continue
    try {
      const { walk, tcp } = await answer(question, questions, machine())
      write(id, walk)
      if (tcp) write(`${id}.tcp`, tcp)
      answered.push(id)
    } catch (error) {
      refused.push({
        id,
        reason: error instanceof RangeError ? error.message : ((error as Error).stack ?? String(error)),
      })
    }
  }
  const flows = wanted('ecmp') ? readFlows(questions) : undefined
  if (flows) {
    write('ecmp', await answerFlows(flows, machine()))
    answered.push('ecmp')
  }
  return { answered, refused }
}
