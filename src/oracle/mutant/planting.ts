/**
 * Puts a planted bug into the model while Node loads it: module.registerHooks, node:module.
 *
 *      import(`…/machine.ts?mutant=NAME`)   a second module graph in the same process: the question mark and what follows
 *                                           are passed on to all that the module imports of rooms which know the model
 *      OVERLAB_MUTANT=NAME node --import …/plant.ts …   the one model of a process
 */
import { readFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Mutant, requireMutant } from './mutants.ts'

const SOURCES = join(import.meta.dirname, '../..')
const MODEL = join(SOURCES, 'model')
const QUERY = 'mutant'

/** Rooms that know the model. All others are shared by both graphs: a KernelError is one in each. */
const MUTABLE: readonly string[] = ['model', 'trace', 'lab', 'oracle']

let registered = false
let everywhere: Mutant | undefined

/** From now on modules can be imported with `?mutant=NAME`. */
export function allowMutants(): void {
  if (registered) return
  registered = true
  registerHooks({
    resolve(specifier, context, nextResolve) {
      const resolved = nextResolve(specifier, context)
      const name = mutantOf(context.parentURL)
      if (name === undefined || !isMutable(resolved.url)) return resolved
      return { ...resolved, url: withMutant(resolved.url, name) }
    },
    load(url, context, nextLoad) {
      const name = mutantOf(url)
      const mutant = name === undefined ? everywhere : requireMutant(name)
      const file = mutant && modelFileOf(url)
      if (!mutant || file === undefined || !mutant.edits.some((edit) => edit.file === file))
        return nextLoad(url, context)
      const loaded = nextLoad(url, context)
      return { ...loaded, source: mutate(sourceText(loaded.source), file, mutant) }
    },
  })
}

/** All of the model that this process will load has the bug. */
export function plantEverywhere(name: string): void {
  everywhere = requireMutant(name)
  allowMutants()
}

/** The module with the bug in it, and in all that it imports. `url` is the module's own. */
export function importMutated<Module>(url: URL, name: string): Promise<Module> {
  allowMutants()
  return import(withMutant(url.href, requireMutant(name).name))
}

/** RangeError when a text to be replaced does not stand in the file exactly once. */
export function mutate(source: string, file: string, { name, edits }: Mutant): string {
  let text = source
  for (const { file: where, from, to } of edits) {
    if (where !== file) continue
    const found = text.split(from).length - 1
    if (found !== 1) throw new RangeError(`Cannot plant "${name}": ${file} has ${found} times ${JSON.stringify(from)}`)
    text = text.replace(from, () => to)
  }
  return text
}

export function readModelFile(file: string): string {
  return readFileSync(join(MODEL, file), 'utf8')
}

function mutantOf(url: string | undefined): string | undefined {
  return url?.startsWith('file:') ? (new URL(url).searchParams.get(QUERY) ?? undefined) : undefined
}

function withMutant(url: string, name: string): string {
  return `${url}${url.includes('?') ? '&' : '?'}${QUERY}=${name}`
}

function isMutable(url: string): boolean {
  if (!url.startsWith('file:')) return false
  const [room = '..'] = relative(SOURCES, fileURLToPath(url)).split(sep)
  return MUTABLE.includes(room)
}

function modelFileOf(url: string): string | undefined {
  if (!url.startsWith('file:')) return undefined
  const file = relative(MODEL, fileURLToPath(url))
  return file.startsWith('..') ? undefined : file.split(sep).join('/')
}

function sourceText(source: unknown): string {
  return typeof source === 'string' ? source : Buffer.from(source as Uint8Array).toString()
}
