/**
 * Where the model decides: every place in src/model at which it says what becomes of a packet. Found in the syntax tree, so
 * that a place which never ran is known as well.
 *
 *      drop(…)         the packet ends, for a reason           delivered(…)     it has come to where it was going
 *      note(…)         a step of its journey                   unsupported(…)   the model does not know, and says so
 *      return 'IP_…'   a drop reason, for the caller to drop with
 *      return BREAK    a rule's expression does not match, and CONTINUE: it does, or has done its work
 *
 * A call that passes on what its function was given (`refuseFrame(packet, reason, what)`) decides nothing: its callers do.
 */
import { readFileSync } from 'node:fs'
import { basename, join, relative, sep } from 'node:path'
import * as ts from 'typescript/unstable/ast'
import { API } from 'typescript/unstable/sync'

export type SiteKind = 'drop' | 'note' | 'delivered' | 'unsupported' | 'reason' | 'rule'

export interface Site {
  /** `ipv4/forward.ts expire drop IP_INHDR@ip_forward time to live exceeded`. The same while the code says the same. */
  readonly id: string
  /** Below src/model. */
  readonly file: string
  /** The function that it stands in. */
  readonly where: string
  readonly kind: SiteKind
  /** What is said: reason and kernel function, stage and text. `…` stands for what depends on the packet. */
  readonly says: string
  readonly place: Place
}

/**
 * Offsets in the file, all of which have run where this place has: its own, and those of the statements before it. V8 counts
 * by ranges, and loses count behind some expressions (`?.`); what stands before them tells.
 */
export type Place = readonly number[]

export interface ModelFunction {
  readonly name: string
  readonly place: Place
}

export interface ModelFile {
  readonly file: string
  readonly sites: readonly Site[]
  readonly functions: readonly ModelFunction[]
  /** Each arm of an `if`, `? :`, `case`, `&&`, `||` and `??`. */
  readonly arms: readonly Place[]
}

const OBSERVER = 'observer.ts'
const CALLS: Readonly<Record<string, SiteKind>> = {
  drop: 'drop',
  note: 'note',
  delivered: 'delivered',
  unsupported: 'unsupported',
}
/** SKB_DROP_REASON_* without the prefix: more than one word, or the one that is one. */
const DROP_REASON = /^(?:[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|OTHERHOST)$/

/** What netfilter/vm/verdict.ts calls them. */
const RULE_VERDICTS: Readonly<Record<string, string>> = { CONTINUE: 'goes on', BREAK: 'does not match' }

/** Characters of code that name a site. */
const LONGEST = 60

/** All files of src/model, in the order of their names. `root`: the repository. */
export function readModel(root: string): ModelFile[] {
  const api = new API({ cwd: root })
  try {
    const { program } = api.updateSnapshot({ openProject: join(root, 'tsconfig.pure.json') }).getProjects()[0]!
    const folder = join(root, 'src/model')
    const names = program
      .getSourceFileNames()
      .map((path) => relative(folder, path).split(sep).join('/'))
      .filter((file) => !file.startsWith('..') && file !== OBSERVER)
      .sort()
    const sources = names.map((file) => {
      const tree = program.getSourceFile(join(folder, file))!
      return new Source(file, tree, readFileSync(join(folder, file), 'utf8'))
    })
    const passers = findPassers(sources)
    return sources.map((source) => source.read(passers))
  } finally {
    api.close()
  }
}

/** A function that passes on what decides: how its calls are read. */
interface Passer {
  readonly file: string
  readonly kind: SiteKind
  /** Which of its parameters say what is decided. */
  readonly positions: readonly number[]
}

/** By name. */
type Passers = ReadonlyMap<string, readonly Passer[]>

/** Whoever calls such a function decides, in its own file or in one that imports it, or passes on in turn. */
function findPassers(sources: readonly Source[]): Passers {
  const found = new Map<string, Passer[]>()
  let before: number
  do {
    before = found.size
    const round: Passers = new Map(found)
    for (const source of sources) {
      for (const [name, passer] of source.passers(round)) {
        const known = found.get(name) ?? []
        if (!known.some(({ file }) => file === source.file)) found.set(name, [...known, passer])
      }
    }
  } while (found.size > before)
  return found
}

type FunctionNode = ts.FunctionDeclaration | ts.MethodDeclaration | ts.ArrowFunction | ts.FunctionExpression | Accessor
type Accessor = ts.GetAccessorDeclaration | ts.ConstructorDeclaration

function isFunction(node: ts.Node): node is FunctionNode {
  return (
    ts.isFunctionDeclaration(node) ||
    ts.isMethodDeclaration(node) ||
    ts.isArrowFunction(node) ||
    ts.isFunctionExpression(node) ||
    ts.isGetAccessorDeclaration(node) ||
    ts.isConstructorDeclaration(node)
  )
}

/** Of a function, or of what it is assigned to; undefined where it has none. */
function nameOf(node: FunctionNode): string | undefined {
  if (ts.isConstructorDeclaration(node)) return 'constructor'
  if ('name' in node && node.name) return node.name.getText()
  const { parent } = node
  if (ts.isVariableDeclaration(parent) || ts.isPropertyAssignment(parent)) return parent.name.getText()
  // `const entry = make(priority, (packet) => …)`
  if (ts.isCallExpression(parent) && ts.isVariableDeclaration(parent.parent)) return parent.parent.name.getText()
  return undefined
}

/** The arguments that say what is decided. */
function deciding(call: ts.CallExpression, kind: SiteKind): readonly ts.Expression[] {
  const args = call.arguments
  if (kind === 'note') return args.slice(2, 4)
  if (kind === 'drop') return args.slice(1, 3)
  return args.slice(1, 2)
}

/** Positions of the parameters that are passed on. */
function passedOn(decisive: readonly ts.Expression[], within: FunctionNode): number[] {
  const given = within.parameters.map(({ name }) => name.getText())
  const places = decisive.map((argument) => (ts.isIdentifier(argument) ? given.indexOf(argument.getText()) : -1))
  return places.filter((place) => place >= 0)
}

/** A call that says what is decided. */
interface Saying {
  readonly kind: SiteKind
  readonly decisive: readonly ts.Expression[]
  readonly says: string
}

class Source {
  readonly file: string
  readonly #tree: ts.SourceFile
  readonly #text: string

  constructor(file: string, tree: ts.SourceFile, text: string) {
    this.file = file
    this.#tree = tree
    this.#text = text
  }

  /** Its functions that pass on what they are given, by name. */
  passers(known: Passers): [string, Passer][] {
    const found: [string, Passer][] = []
    this.#walk((node, within) => {
      const own = within.at(-1)
      const name = own && nameOf(own)
      const saying = name === undefined ? undefined : this.#saying(node, known)
      const positions = saying ? passedOn(saying.decisive, own!) : []
      if (positions.length > 0) found.push([name!, { file: this.file, kind: saying!.kind, positions }])
    })
    return found
  }

  #saying(node: ts.Node, passers: Passers): Saying | undefined {
    if (!ts.isCallExpression(node)) return undefined
    const called = node.expression.getText()
    const kind = CALLS[called]
    if (kind) return { kind, decisive: deciding(node, kind), says: saysOf(node, kind) }
    const name = called.replace(/^this\./, '')
    const passer = passers.get(name)?.find(({ file }) => file === this.file || this.#imports(name, file))
    if (!passer) return undefined
    const decisive = passer.positions.flatMap((at) => node.arguments[at] ?? [])
    return { kind: passer.kind, decisive, says: textOf(node.arguments) }
  }

  read(passers: ReadonlyMap<string, readonly Passer[]>): ModelFile {
    const sites: Site[] = []
    const functions: ModelFunction[] = []
    const arms: Place[] = []
    const [siteId, functionName] = [numbering(), numbering()]
    const add = (node: ts.Node, within: readonly FunctionNode[], kind: SiteKind, said: string) => {
      const says = /\w/.test(said) ? said : inOneLine(node.getText())
      const isNamed = (each: FunctionNode) => nameOf(each) !== undefined
      // An expression of a rule is a function without a name worth telling, which another one makes.
      const where = kind === 'rule' ? within.find(isNamed) : within.findLast(isNamed)
      const name = where ? nameOf(where)! : '–'
      const id = siteId(`${this.file} ${name} ${kind} ${says}`)
      sites.push({ id, file: this.file, where: name, kind, says, place: placeOf(node) })
    }
    this.#walk((node, within) => {
      arms.push(...armsOf(node))
      if (isFunction(node) && node.body && nameOf(node))
        functions.push({ name: functionName(nameOf(node)!), place: [insideOf(node.body).getStart()] })
      if (isReason(node)) add(node, within, 'reason', node.text)
      const verdict = ruleVerdict(node)
      if (verdict) add(node, within, 'rule', verdict)
      const saying = this.#saying(node, passers)
      if (!saying) return
      const own = within.at(-1)
      if (!own || !nameOf(own) || passedOn(saying.decisive, own).length === 0)
        add(node, within, saying.kind, saying.says)
    })
    return { file: this.file, sites, functions, arms }
  }

  #imports(name: string, file: string): boolean {
    const from = `import \\{[^}]*\\b${name}\\b[^}]*\\} from '[^']*\\b${basename(file)}'`
    return /^\w+$/.test(name) && new RegExp(from).test(this.#text)
  }

  #walk(visit: (node: ts.Node, within: readonly FunctionNode[]) => void): void {
    const within: FunctionNode[] = []
    const step = (node: ts.Node): undefined => {
      visit(node, within)
      const enters = isFunction(node)
      if (enters) within.push(node)
      node.forEachChild(step)
      if (enters) within.pop()
    }
    this.#tree.forEachChild(step)
  }
}

/** Tells apart what has one name: the second one is `name (2)`. */
function numbering(): (name: string) => string {
  const seen = new Map<string, number>()
  return (name) => {
    const number = (seen.get(name) ?? 0) + 1
    seen.set(name, number)
    return number === 1 ? name : `${name} (${number})`
  }
}

/** A drop reason that a function answers with. */
function isReason(node: ts.Node): node is ts.StringLiteral {
  return ts.isStringLiteral(node) && DROP_REASON.test(node.text) && isAnswer(node)
}

/** What a rule's expression answers with. */
function ruleVerdict(node: ts.Node): string | undefined {
  return ts.isIdentifier(node) && isAnswer(node) ? RULE_VERDICTS[node.text] : undefined
}

/** Whether a function answers with it. */
function isAnswer(node: ts.Node): boolean {
  let at: ts.Node = node.parent
  while (ts.isConditionalExpression(at) || ts.isBinaryExpression(at) || ts.isParenthesizedExpression(at)) at = at.parent
  return ts.isReturnStatement(at) || ts.isArrowFunction(at)
}

function saysOf(call: ts.CallExpression, kind: SiteKind): string {
  const parts = deciding(call, kind).map((argument) => plainText(argument))
  if (kind !== 'drop') return parts.join(' ')
  const [reason, kernel] = parts
  const details = call.arguments[3]
  const own = details && propertyOf(details, 'own')
  const what = details && propertyOf(details, 'what')
  return [`${reason}@${kernel}`, own && plainText(own), what && plainText(what)].filter(Boolean).join(' ')
}

/** Where nothing is said in words: the code. */
function inOneLine(code: string): string {
  const line = code.replace(/\s+/g, ' ')
  return line.length > LONGEST ? `${line.slice(0, LONGEST)}…` : line
}

function propertyOf(node: ts.Expression, name: string): ts.Expression | undefined {
  if (!ts.isObjectLiteralExpression(node)) return undefined
  for (const property of node.properties) {
    if (ts.isPropertyAssignment(property) && property.name.getText() === name) return property.initializer
  }
  return undefined
}

function textOf(expressions: readonly ts.Expression[]): string {
  return expressions
    .map((each) => plainText(each))
    .filter((text) => text !== '…')
    .join(' ')
}

/** What stands in quotation marks; of a template what does not depend on the packet. */
function plainText(node: ts.Expression): string {
  if (ts.isStringLiteral(node) || ts.isNoSubstitutionTemplateLiteral(node)) return node.text
  if (ts.isTemplateExpression(node)) {
    return node.head.text + node.templateSpans.map(({ literal }) => `…${literal.text}`).join('')
  }
  if (ts.isConditionalExpression(node)) return `${plainText(node.whenTrue)} or ${plainText(node.whenFalse)}`
  return ts.isNumericLiteral(node) ? node.getText() : '…'
}

function placeOf(node: ts.Node): Place {
  const offsets = [node.getStart()]
  for (let at = node; !isFunction(at) && at.parent; at = at.parent) {
    const { parent } = at
    if (!ts.isBlock(parent) && !ts.isCaseClause(parent) && !ts.isDefaultClause(parent)) continue
    const before = parent.statements.filter((statement) => statement.end <= at.getStart() && statement !== at)
    offsets.push(...before.map((statement) => statement.getStart()))
  }
  return offsets
}

function armsOf(node: ts.Node): Place[] {
  if (ts.isIfStatement(node)) {
    return [node.thenStatement, node.elseStatement].flatMap((arm) => (arm ? [placeOf(insideOf(arm))] : []))
  }
  if (ts.isConditionalExpression(node)) return [placeOf(node.whenTrue), placeOf(node.whenFalse)]
  if (ts.isCaseClause(node) || ts.isDefaultClause(node)) {
    const [first] = node.statements
    return first ? [placeOf(insideOf(first))] : []
  }
  const isLogical = ts.isBinaryExpression(node) && ['&&', '||', '??'].includes(node.operatorToken.getText())
  return isLogical ? [placeOf(node.right)] : []
}

/** What runs first in it. */
function insideOf(node: ts.Node): ts.Node {
  return ts.isBlock(node) ? (node.statements[0] ?? node) : node
}
