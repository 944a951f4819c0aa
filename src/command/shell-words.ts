/**
 * A command line as sh splits it: POSIX.1-2017, Shell Command Language, 2.2 Quoting, 2.3 Token Recognition, 2.9.3 Lists.
 *
 * Words, quotes, comments, `;`, `&&` and `||` are read. What would need a shell (variables, globs, pipes, redirections,
 * substitutions …) is refused by its name.
 */

/** What joins a command to the one before it; the first of a line has `;`. */
export type Joint = ';' | '&&' | '||'

export interface SimpleCommand {
  readonly joint: Joint
  readonly words: readonly string[]
}

/** The line asks for something of the shell that is not modelled, or is no line that a shell takes. */
export class ShellError extends Error {
  override name = 'ShellError'
}

/** Characters that mean something outside quotes, and what. */
const MEANINGS: ReadonlyMap<string, string> = new Map([
  ['$', 'variable or substitution "$"'],
  ['`', 'command substitution "`"'],
  ['*', 'pattern "*"'],
  ['?', 'pattern "?"'],
  ['[', 'pattern "["'],
  ['|', 'pipe "|"'],
  ['&', 'background command "&"'],
  ['<', 'redirection "<"'],
  ['>', 'redirection ">"'],
  ['(', 'subshell "("'],
  [')', 'subshell ")"'],
])

/** Words that begin a compound command where a command's name is expected (POSIX, 2.4 Reserved Words). */
const RESERVED = new Set('! { } case do done elif else esac fi for if in then until while'.split(' '))

const ASSIGNMENT = /^[A-Za-z_][A-Za-z0-9_]*=/

/** One command of these words, as sh reads it back. */
export function quoteWords(words: readonly string[]): string {
  return words.map(quote).join(' ')
}

function quote(word: string): string {
  const plain = /^[\w@%+=:,./-]+$/.test(word) && !RESERVED.has(word) && !ASSIGNMENT.test(word)
  return plain ? word : `'${word.replaceAll("'", "'\\''")}'`
}

/** Throws ShellError. */
export function splitCommands(line: string): SimpleCommand[] {
  const commands: SimpleCommand[] = []
  let words: string[] = []
  let word: string | undefined
  let quotedWord = false
  let joint: Joint = ';'

  const endWord = () => {
    if (word === undefined) return
    if (words.length === 0 && !quotedWord) refuseFirst(word)
    words.push(word)
    word = undefined
    quotedWord = false
  }
  const endCommand = (next: Joint, operator: string) => {
    endWord()
    if (words.length > 0) commands.push({ joint, words })
    else if (operator !== '\n') throw new ShellError(`syntax error: "${operator}" unexpected`)
    else if (joint !== ';') return // a list goes on in the next line after && and ||
    words = []
    joint = next
  }

  for (let i = 0; i < line.length; i++) {
    const character = line[i]!
    const next = line[i + 1]
    if (character === ' ' || character === '\t') endWord()
    else if (character === '\n') endCommand(';', '\n')
    else if (character === ';') endCommand(';', ';')
    else if ((character === '&' || character === '|') && next === character) {
      endCommand(character === '&' ? '&&' : '||', character + next)
      i++
    } else if (character === '#' && word === undefined) {
      while (i + 1 < line.length && line[i + 1] !== '\n') i++
    } else if (character === '\\') {
      if (next === undefined) throw new ShellError('syntax error: nothing follows the last "\\"')
      if (next !== '\n') {
        word = (word ?? '') + next
        quotedWord = true
      }
      i++
    } else if (character === "'" || character === '"') {
      const quoted = character === "'" ? readSingle(line, i + 1) : readDouble(line, i + 1)
      word = (word ?? '') + quoted.text
      quotedWord = true
      i = quoted.end
    } else if (MEANINGS.has(character)) throw new ShellError(`not modelled: ${MEANINGS.get(character)}`)
    else if (character === '~' && word === undefined) throw new ShellError('not modelled: home directory "~"')
    else word = (word ?? '') + character
  }
  endWord()
  if (words.length > 0) commands.push({ joint, words })
  else if (joint !== ';') throw new ShellError(`syntax error: nothing follows "${joint}"`)
  return commands
}

function refuseFirst(word: string): void {
  if (RESERVED.has(word)) throw new ShellError(`not modelled: shell word "${word}"`)
  if (ASSIGNMENT.test(word)) throw new ShellError(`not modelled: assignment "${word}"`)
}

/** Up to the closing quote, whose place is `end`. */
function readSingle(line: string, start: number): { text: string; end: number } {
  const end = line.indexOf("'", start)
  if (end < 0) throw new ShellError('syntax error: unterminated quoted string')
  return { text: line.slice(start, end), end }
}

function readDouble(line: string, start: number): { text: string; end: number } {
  let text = ''
  for (let i = start; i < line.length; i++) {
    const character = line[i]!
    if (character === '"') return { text, end: i }
    if (character === '$' || character === '`') throw new ShellError(`not modelled: ${MEANINGS.get(character)}`)
    // Within double quotes a backslash stands for itself but before these (POSIX, 2.2.3).
    if (character === '\\' && '$`"\\\n'.includes(line[i + 1] ?? ' ')) {
      i++
      if (line[i] !== '\n') text += line[i]
    } else text += character
  }
  throw new ShellError('syntax error: unterminated quoted string')
}
