/**
 * Tests as `npm run fidelity` runs them: of each file it is written down what of the model ran. Modules are imported by Node
 * itself: what V8 counts then stands where it stands in the file.
 */
import { defineConfig } from 'vitest/config'
import config from '../vitest.config.ts'

const { projects = [] } = config.test ?? {}

export default defineConfig({
  root: `${import.meta.dirname}/..`,
  test: {
    projects: projects.flatMap((project) =>
      typeof project === 'object' && 'test' in project && ['unit', 'root', 'guest'].includes(`${project.test?.name}`)
        ? [
            {
              test: {
                ...project.test,
                // Vitest runs projects together that have as many.
                maxWorkers: 3,
                setupFiles: [project.test?.setupFiles ?? [], 'test/support/coverage-recorder.ts'].flat(),
                experimental: { viteModuleRunner: false },
              },
            },
          ]
        : [],
    ),
  },
})
