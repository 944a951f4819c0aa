/** The one place that reads vectors.jsonl. README.md says how the messages came about and what the members mean. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { AttributeInterner } from '../../../src/bgp/attribute/interner.ts'
import type { Receiving } from '../../../src/bgp/message/update.ts'

export interface Vector {
  readonly title: string
  /** Of interop.py, for a message that is wrong on purpose or belongs to one. */
  readonly check: string | undefined
  readonly as4: boolean
  readonly addpath: readonly (readonly [afi: number, safi: number])[]
  readonly means: string
  readonly bytes: Uint8Array
  /** As decodeUpdate needs it. The vectors do not say whether a session was internal; LOCAL_PREF and an empty path do. */
  readonly session: Receiving
}

export const vectorFolder = import.meta.dirname

export const vectors: readonly Vector[] = readFileSync(join(vectorFolder, 'vectors.jsonl'), 'utf8')
  .trimEnd()
  .split('\n')
  .map((line, i) => {
    const { pcap, frame, as4, addpath, means, hex, check } = JSON.parse(line)
    const place = pcap === null ? (check ?? 'scripted peer') : `${pcap} frame ${frame}`
    const has = (afi: number) => addpath.some(([each]: [number]) => each === afi)
    const session = {
      attributes: new AttributeInterner({ internal: isInternal(means), as4, asSets: 'accept' }),
      addPath: { ipv4: has(1), ipv6: has(2) },
    }
    const bytes = new Uint8Array(Buffer.from(hex, 'hex'))
    return { title: `${i + 1}: ${place}: ${means.slice(0, 60)}`, check, as4, addpath, means, bytes, session }
  })
if (vectors.length === 0) throw new Error(`Cannot find any vector in ${vectorFolder}`)

function isInternal(means: string): boolean {
  return /local_pref=(?!1;)|as_path=\(empty\)/.test(means)
}
