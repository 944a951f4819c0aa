/** A question to a daemon by a unix socket: the daemon is Node's own server, in a thread of its own. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { afterAll, test } from 'vitest'
import { ask } from '../../src/linux/unix-socket.ts'

const directory = mkdtempSync(join(tmpdir(), 'overlab-socket-'))
afterAll(() => rmSync(directory, { recursive: true }))

/** Answers as the code says, which has `socket` and the line. */
async function serve(name: string, answer: string): Promise<{ readonly path: string; end(): Promise<unknown> }> {
  const path = join(directory, name)
  const source = `
    const { createServer } = require('node:net')
    const { parentPort } = require('node:worker_threads')
    createServer((socket) => {
      let text = ''
      socket.setEncoding('utf8').on('error', () => {}).on('data', (part) => {
        text += part
        if (!text.endsWith('\\n')) return
        const line = text.slice(0, -1)
        ${answer}
      })
    }).listen(${JSON.stringify(path)}, () => parentPort.postMessage('ready'))`
  const worker = new Worker(source, { eval: true })
  await new Promise((resolve) => worker.once('message', resolve))
  return { path, end: () => worker.terminate() }
}

test('a line goes there and a line comes back, however long', async () => {
  const { path, end } = await serve('echo', "socket.end('you said ' + line + '\\n')")
  try {
    for (const line of ['hé', '', 'x'.repeat(1_000_000)]) assert.equal(ask(path, line, 10_000), `you said ${line}`)
  } finally {
    await end()
  }
})

test('an answer that comes in parts is one', async () => {
  const { path, end } = await serve('parts', "socket.write('a'); setTimeout(() => socket.end('b\\nc'), 20)")
  try {
    assert.equal(ask(path, '?', 10_000), 'ab')
  } finally {
    await end()
  }
})

test('who hangs up, says nothing, or is not there is no answer', async () => {
  const rude = await serve('rude', 'socket.destroy()')
  const silent = await serve('silent', '')
  try {
    assert.throws(() => ask(rude.path, '?', 10_000), { errno: 'ECONNRESET' })
    assert.throws(() => ask(silent.path, '?', 30), { errno: 'ETIMEDOUT' })
    assert.throws(() => ask(join(directory, 'nobody'), '?', 10_000), { errno: 'ENOENT' })
    assert.throws(() => ask(`/${'x'.repeat(200)}`, '?', 10_000), { errno: 'ENAMETOOLONG' })
  } finally {
    await rude.end()
    await silent.end()
  }
})
