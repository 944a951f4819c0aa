/**
 * Before each root test file: a thread that ends the file's process when it takes too long, having said what it waits for.
 *
 * vitest's own limits are timers of the test's thread. That thread hears nothing while it waits for a program (spawnSync) or in
 * the kernel, and the whole run would hang with it. A process that ends is one failed file.
 */
import { Worker } from 'node:worker_threads'

// The longest file takes two minutes on a machine with two processors.
const LIMIT = Number(process.env.OVERLAB_TEST_FILE_LIMIT ?? 15 * 60_000)

new Worker(new URL('./time-limit-thread.mjs', import.meta.url), { workerData: LIMIT }).unref()
