/**
 * The thread of time-limit.ts; its data are the milliseconds that the process may take.
 *
 * JavaScript: to strip types, Node runs WebAssembly, and V8 has crashed where two threads did so (nodejs/node#64500).
 */
import { readdirSync, readFileSync, writeSync } from 'node:fs'
import process from 'node:process'
import { workerData } from 'node:worker_threads'

setTimeout(() => {
  const children = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && parentOf(name) === process.pid)
  const waitsFor = children.map(describe).join('; ') || 'no program'
  // Not console, which goes by the thread that hangs.
  writeSync(2, `Cannot wait for this test file any longer: ${workerData / 1000} s are over; it waits for ${waitsFor}\n`)
  for (const pid of [...children.map(Number), process.pid]) process.kill(pid, 'SIGKILL')
}, workerData)

/** @param {string} pid */
function parentOf(pid) {
  return Number(/^PPid:\s*(\d+)/m.exec(read(pid, 'status'))?.[1])
}

/** @param {string} pid */
function describe(pid) {
  return `${pid} ${read(pid, 'cmdline').replaceAll('\0', ' ').trim()}`
}

/** @param {string} pid @param {string} name */
function read(pid, name) {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'utf8')
  } catch {
    return '' // it has ended
  }
}
