/**
 * The projects that vitest runs; scripts/suites.ts gives each its place in `npm test`.
 *
 *   unit      computes only: no root, no kernel, in parallel
 *   root      asks the real kernel, each file in a network and mount namespace of its own
 *   interop   programs of others on our bridge: containerd, podman
 *   uml       what the development kernel lacks, in User-Mode Linux, where it runs the project guest
 *   vm        the Vagrant lab in three machines of QEMU's
 */
import { defineConfig } from 'vitest/config'

const SECOND = 1000

// A test file is a root test by its folder, so that nobody can forget to say so.
const rootFolders = [
  'contract',
  'lab',
  'linux',
  'native',
  'netconf',
  'oracle/live',
  'robustness',
  'store/etcd',
  'vagrant',
  'witness',
]
const root = rootFolders.map((folder) => `test/${folder}/**/*.test.ts`)
const interop = ['test/interop/**/*.test.ts']
const uml = ['test/uml/*.test.ts']
const vm = ['test/vm/*.test.ts']
const guest = ['test/uml/guest/**/*.test.ts']

const asRoot = {
  pool: 'forks' as const,
  globalSetup: ['test/support/require-root.ts'],
  setupFiles: ['test/support/own-namespace.ts'],
}

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: [...root, ...interop, ...uml, ...vm, ...guest],
          testTimeout: 30 * SECOND,
        },
      },
      {
        // They wait more than they compute: for namespaces to end, for daemons.
        test: {
          name: 'root',
          include: root,
          maxWorkers: 3,
          testTimeout: 120 * SECOND,
          hookTimeout: 120 * SECOND,
          ...asRoot,
          setupFiles: ['test/support/time-limit.ts', ...asRoot.setupFiles],
        },
      },
      {
        test: { name: 'interop', include: interop, testTimeout: 300 * SECOND, hookTimeout: 300 * SECOND, ...asRoot },
      },
      {
        test: { name: 'uml', include: uml, testTimeout: 900 * SECOND, hookTimeout: 900 * SECOND, ...asRoot },
      },
      {
        test: { name: 'vm', include: vm, testTimeout: 300 * SECOND, hookTimeout: 600 * SECOND, ...asRoot },
      },
      {
        test: { name: 'guest', include: guest, testTimeout: 300 * SECOND, hookTimeout: 300 * SECOND, ...asRoot },
      },
    ],
  },
})
