/**
 * The kernel interface as a list of its methods, read from its source, and a handle that records which of them were called:
 * a method that no case calls is a method that nobody has said anything about.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const directory = join(import.meta.dirname, '../../../src/kernel')

/** What one interface says, by the name of the method or property. */
export interface Shape {
  /** Method to the interface that it answers, where that is one of these; undefined for anything else. */
  readonly methods: ReadonlyMap<string, string | undefined>
  /** Property to its interface. */
  readonly properties: ReadonlyMap<string, string>
}

export type Shapes = ReadonlyMap<string, Shape>

export function kernelSources(): string {
  const files = readdirSync(directory).filter((name) => name.endsWith('.ts'))
  return files.map((name) => readFileSync(join(directory, name), 'utf8')).join('\n')
}

/** The interfaces that `root` leads to, with their methods; what an interface extends is part of it. */
export function readShapes(source: string, root: string): Shapes {
  const code = source.replace(/\/\*[\s\S]*?\*\//g, '')
  const bodies = new Map<string, { readonly parent: string | undefined; readonly body: string }>()
  for (const [, name, parent, body] of code.matchAll(
    /^export interface (\w+)(?: extends (\w+))? \{\n([\s\S]*?)^\}/gm,
  )) {
    bodies.set(name!, { parent, body: body! })
  }
  // An interface of values (Link, Route …) has no methods and nothing to call.
  const hasMethods = (name: string): boolean => {
    const found = bodies.get(name)
    return found !== undefined && (/^ {2}\w+\(/m.test(found.body) || hasMethods(found.parent ?? ''))
  }
  const shapeOf = (name: string): Shape => {
    const { parent, body } = bodies.get(name)!
    const inherited = parent ? shapeOf(parent) : undefined
    const methods = new Map(inherited?.methods)
    const properties = new Map(inherited?.properties)
    for (const [, method, answer] of body.matchAll(/^ {2}(\w+)\((?:[^\n]*|[\s\S]*?\n {2})\): ([^\n]+)$/gm)) {
      methods.set(
        method!,
        [...bodies.keys()].find((type) => hasMethods(type) && answer!.split(' | ').includes(type)),
      )
    }
    for (const [, property, type] of body.matchAll(/^ {2}readonly (\w+): (\w+)$/gm)) {
      if (hasMethods(type!)) properties.set(property!, type!)
    }
    return { methods, properties }
  }
  const shapes = new Map<string, Shape>()
  const visit = (name: string) => {
    if (shapes.has(name)) return
    const shape = shapeOf(name)
    shapes.set(name, shape)
    for (const type of [...shape.methods.values(), ...shape.properties.values()]) if (type) visit(type)
  }
  visit(root)
  return shapes
}

/** Every method as `Links.add`; one that is inherited is named by each interface that has it. */
export function methodsOf(shapes: Shapes): string[] {
  return [...shapes].flatMap(([name, { methods }]) => [...methods.keys()].map((method) => `${name}.${method}`))
}

/** The methods that no one called. */
export function uncovered(shapes: Shapes, called: ReadonlySet<string>): string[] {
  return methodsOf(shapes).filter((method) => !called.has(method))
}

/** `handle`, of the interface `name`, noting in `called` what is called on it and on what it leads to. */
export function recorded<T extends object>(handle: T, name: string, shapes: Shapes, called: Set<string>): T {
  const shape = shapes.get(name)!
  const proxy = new Proxy(handle, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key)
      const property = shape.properties.get(String(key))
      if (property) return recorded(value as object, property, shapes, called)
      if (!shape.methods.has(String(key))) return value
      return (...values: unknown[]) => {
        called.add(`${name}.${String(key)}`)
        const answer: unknown = Reflect.apply(value as () => unknown, target, values.map(unrecorded))
        const answerName = shape.methods.get(String(key))
        return answerName && answer ? recorded(answer as object, answerName, shapes, called) : answer
      }
    },
  })
  originals.set(proxy, handle)
  return proxy
}

const originals = new WeakMap<object, object>()

/** The value with the handles themselves in it, which an implementation must be given. */
function unrecorded(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (originals.has(value)) return originals.get(value)
  if (Array.isArray(value)) return value.map(unrecorded)
  if (Object.getPrototypeOf(value) !== Object.prototype) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, unrecorded(inner)]))
}
