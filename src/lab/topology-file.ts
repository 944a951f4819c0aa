/**
 * Topology files: `*.ovl.yml`, checked against schema/topology.schema.json, and containerlab's `*.clab.yml`. What is wrong is said
 * with its line and column.
 */
import { readFileSync } from 'node:fs'
import { type Document, isNode, LineCounter, parseDocument } from 'yaml'
import validate, { type ValidationError } from '../../schema/validate-topology.js'
import { isContainerlab, readContainerlab } from './containerlab.ts'
import type { Topology } from './topology.ts'

/** A topology file that cannot be used. The message has a line for each thing that is wrong. */
export class TopologyError extends Error {
  override name = 'TopologyError'
}

export interface TopologyFile {
  readonly path: string
  readonly topology: Topology
  /** Line of the thing at this path of keys, 1 for the first. */
  lineOf(path: readonly (string | number)[]): number | undefined
  /** `two-nodes.ovl.yml:14:7`: where it stands, or the nearest thing around it. */
  placeOf(path: readonly (string | number)[]): string
}

/** TopologyError, or the error of reading the file. */
export function readTopologyFile(path: string): TopologyFile {
  return parseTopology(readFileSync(path, 'utf8'), path)
}

/** `path` is for messages. TopologyError. */
export function parseTopology(text: string, path: string): TopologyFile {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  const place = (offset: number) => {
    const { line, col } = lines.linePos(offset)
    return `${path}:${line}:${col}`
  }
  if (document.errors.length > 0) {
    throw new TopologyError(document.errors.map(({ message, pos }) => `${place(pos[0])}: ${message}`).join('\n'))
  }
  const file = readValue(document, path)
  const read = isContainerlab(path) ? readContainerlab(file) : { topology: file, faults: schemaFaults(file) }
  const { topology } = 'topology' in read ? read : { topology: undefined }
  const faults = 'faults' in read ? read.faults : []
  if (faults.length > 0) {
    const lines = faults.map(({ path: keys, message }) => `${place(offsetOf(document, keys))}: ${message}`)
    throw new TopologyError([...new Set(lines)].join('\n'))
  }
  return {
    path,
    topology: topology as Topology,
    lineOf: (keys) => lines.linePos(offsetOf(document, keys)).line,
    placeOf: (keys) => place(offsetOf(document, keys)),
  }
}

/** Aliases that lead nowhere, to what they stand in, or multiply too often, come up only here. TopologyError. */
function readValue(document: Document, path: string): unknown {
  try {
    const value: unknown = document.toJS()
    JSON.stringify(value) // refuses what contains itself
    return value
  } catch (error) {
    throw new TopologyError(`${path}: ${(error as Error).message}`, { cause: error })
  }
}

interface SchemaFault {
  readonly path: readonly (string | number)[]
  readonly message: string
}

function schemaFaults(topology: unknown): SchemaFault[] {
  if (validate(topology)) return []
  const all = validate.errors ?? []
  const shapeless = all.filter(({ keyword, instancePath }) => keyword === 'oneOf' && TEST.test(instancePath))
  const errors = all.filter((error) => !shapeless.includes(error) && !isOfShape(error))
  // Of a choice between shapes ajv reports every shape's errors, and then that none fits: the deepest say the most.
  const choices = errors.filter(({ keyword }) => keyword === 'anyOf' || keyword === 'oneOf' || keyword === 'if')
  const plain = [...errors.filter((error) => !choices.includes(error)), ...shapeless]
  return (plain.length > 0 ? plain : choices).map(describe)
}

const TEST = /^\/tests\/\d+$/

/** What one shape of a test lacks to be the other: that is said once, of both. */
function isOfShape({ keyword, instancePath, params }: ValidationError): boolean {
  const shape = ['from', 'to', 'expect', 'reach']
  return keyword === 'required' && TEST.test(instancePath) && shape.includes(String(params.missingProperty))
}

function describe({ instancePath, keyword, params, message, data }: ValidationError): SchemaFault {
  const path = instancePath
    .split('/')
    .slice(1)
    .map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'))
  const name = path.join('.') || 'the file'
  switch (keyword) {
    case 'additionalProperties':
      return {
        path: [...path, String(params.additionalProperty)],
        message: `${name} has no "${params.additionalProperty}"`,
      }
    case 'required':
      return { path, message: `${name} lacks "${params.missingProperty}"` }
    case 'oneOf':
      if (TEST.test(instancePath)) return { path, message: `${name} needs from, to and expect, or reach alone` }
      return { path, message: `${name} is ${JSON.stringify(data)}: ${message}` }
    case 'enum':
      return {
        path,
        message: `${name} is ${JSON.stringify(data)}, allowed: ${[params.allowedValues].flat().join(', ')}`,
      }
    case 'const':
      return { path, message: `${name} is ${JSON.stringify(data)}, allowed: ${params.allowedValue}` }
    case 'type':
      return { path, message: `${name} is ${JSON.stringify(data)}, but must be ${[params.type].flat().join(' or ')}` }
    default:
      return { path, message: `${name} is ${JSON.stringify(data)}: ${message}` }
  }
}

/** Where the key stands, or the nearest thing around it. */
function offsetOf(document: Document, path: readonly (string | number)[]): number {
  for (let length = path.length; length > 0; length--) {
    const keys = path.slice(0, length)
    const node = document.getIn(keys, true)
    if (isNode(node) && node.range) return keyOffset(document, keys) ?? node.range[0]
  }
  return document.contents?.range?.[0] ?? 0
}

/** The key before a value says better where that is. */
function keyOffset(document: Document, path: readonly (string | number)[]): number | undefined {
  const parent = document.getIn(path.slice(0, -1), true)
  if (typeof parent !== 'object' || parent === null || !('items' in parent)) return undefined
  for (const item of parent.items as { key?: { value?: unknown; range?: [number, number, number] } }[]) {
    if (item.key && String(item.key.value) === String(path.at(-1))) return item.key.range?.[0]
  }
  return undefined
}
