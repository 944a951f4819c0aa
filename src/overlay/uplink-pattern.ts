/**
 * Patterns of --iface-regex. flannel's are RE2's (https://github.com/google/re2/wiki/Syntax), ours are JavaScript's: what both
 * read the same is accepted; what would mean something else, or could take JavaScript for ever, is refused. They are tried on
 * names of links and on addresses, of at most 45 characters.
 */

const LONGEST = 200
/** Of repetitions without end one behind the other: JavaScript tries every way to divide 45 characters among them. */
const MOST_ENDLESS = 6
/** How often a group may be repeated that has such a repetition in it. */
const MOST_ROUNDS = 4

const NOT_COMMON: readonly (readonly [RegExp, string])[] = [
  [/\[\[:/, 'classes as [[:alpha:]] mean something else in JavaScript; write [a-z]'],
  [/\(\?(?:[=!]|<[=!])/, 'RE2 has no look-around'],
  [/\\[1-9]|\\k/, 'RE2 has no back-references'],
  [/\(\?P/, '(?P<name>…) is not JavaScript'],
  [/\\[AzQEC]/, 'it is not JavaScript; write ^ and $'],
]

/** RangeError when the text is no pattern for both. */
export function parsePattern(text: string): RegExp {
  const refused = (problem: string) => new RangeError(`Cannot use the pattern "${text}": ${problem}`)
  if (text.length > LONGEST) throw refused(`it has more than ${LONGEST} characters`)
  const [, flags = '', body = text] = /^\(\?([is]+)\)(.*)$/s.exec(text) ?? []
  const plain = body.replaceAll('\\\\', '')
  for (const [found, problem] of NOT_COMMON) if (found.test(plain)) throw refused(problem)
  const tokens = body.match(/\\.|\[(?:\\.|[^\]])*\]|\{\d*,?\d*\}|./gsu) ?? []
  if (takesLong(tokens)) throw refused('it repeats repetitions')
  try {
    return new RegExp(tokens.map(unescaped).join(''), `u${[...new Set(flags)].join('')}`)
  } catch (error) {
    throw refused((error as Error).message)
  }
}

/** Whether a group that is repeated has an endless repetition or alternatives in it, `(a+)+`, or there are too many at all. */
function takesLong(tokens: readonly string[]): boolean {
  if (tokens.filter(isEndless).length > MOST_ENDLESS) return true
  /** For every open group, the outermost first: whether there are several ways to match it. */
  const open = [false]
  let closed = false
  for (const token of tokens) {
    if (closed && (isEndless(token) || mostRounds(token) > MOST_ROUNDS)) return true
    closed = false
    if (token === '(') open.push(false)
    if (token === ')') closed = open.length > 1 && open.pop()!
    if (isEndless(token) || token === '|' || closed) open[open.length - 1] = true
  }
  return false
}

function isEndless(token: string): boolean {
  return token === '*' || token === '+' || /^\{\d+,\}$/.test(token)
}

/** Of `{2,3}`. */
function mostRounds(token: string): number {
  return Number(/^\{(?:\d+,)?(\d+)\}$/.exec(token)?.[1] ?? 0)
}

/** RE2 lets any punctuation be escaped, JavaScript only what means something. */
function unescaped(token: string): string {
  return /^\\[-_,:;!"#%&'<=>@`~ ]$/.test(token) ? token.slice(1) : token
}
