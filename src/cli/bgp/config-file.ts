/** The configuration of a speaker as a file: YAML, of which JSON is a part. */
import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { dirname, resolve } from 'node:path'
import { ConfigError } from '../../bgp/config/problem.ts'
import { type Configuration, readConfiguration } from '../../cluster/config.ts'
import { CommandError, Exit } from '../exit.ts'

/** CommandError with a line for each thing that is wrong. Files that it names are relative to it. */
export async function readConfigFile(path: string): Promise<Configuration> {
  try {
    const value = await parse(readFileSync(path, 'utf8'))
    const host = {
      hostName: hostname().toLowerCase(),
      readSecret: (file: string) => readSecret(resolve(dirname(path), file)),
    }
    return readConfiguration(value, host)
  } catch (error) {
    const why = (error as Error).message
    throw new CommandError(
      Exit.usage,
      error instanceof ConfigError ? why.replaceAll(/^/gm, `${path}: `) : `Cannot read "${path}": ${why}`,
      { cause: error },
    )
  }
}

/** What is JSON needs no YAML, which takes longer to load than all the rest. */
async function parse(text: string): Promise<unknown> {
  try {
    return JSON.parse(text)
  } catch {
    const { parse } = await import('yaml')
    return parse(text, { merge: true }) // `<<: *reflector`, as many write it
  }
}

/** Throws Error, whose message goes on after the name of the file. */
function readSecret(path: string): string {
  try {
    return readFileSync(path, 'utf8').replace(/\r?\n$/, '')
  } catch (error) {
    throw new Error(`cannot be read: ${(error as NodeJS.ErrnoException).code}`, { cause: error })
  }
}
