/**
 * One static executable from bundles: compiled to QuickJS bytecode, linked with the engine and the C files.
 *
 *   bundles ─ compile ─→ programs.c ─┐
 *                calls.c main.c … ─────┼─ cc -static ─→ overlab-cni ─ hard links: bridge, static, …
 *                libquickjs.a ─────────┘                  │   ↑
 *                                                   run once: image of the engine, put back: cni-bin/native/heap.c
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { globSync, linkSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Bundle, root } from './build-bundle.ts'

const native = join(root, 'cni-bin/native')
const sources = ['main.c', 'calls.c', 'spawn.c', 'text.c', 'heap.c'].map((file) => join(native, file))

const warnings = ['-std=gnu17', '-Wall', '-Wextra', '-Werror']
const released = ['-O2', '-static', '-no-pie', '-s', '-fstack-protector-strong', '-D_FORTIFY_SOURCE=2']
const hardened = ['-Wl,-z,relro', '-Wl,-z,now', '-Wl,-z,noexecstack', '-Wl,-z,separate-code']
const sanitized = ['-O1', '-g', '-fsanitize=address,undefined', '-fno-sanitize-recover=all', '-fno-omit-frame-pointer']

export interface Toolchain {
  /** The C compiler's command. */
  readonly cc: string
  /** The folder with QuickJS's headers, and its archive. */
  readonly include: string
  readonly archive: string
}

export interface ExecutableOptions {
  /** The first bundle is evaluated now, and the executable begins with what it has left behind. Not with `sanitized`. */
  readonly prepared?: boolean
  /** Under AddressSanitizer and UndefinedBehaviorSanitizer, for tests; then not static. */
  readonly sanitized?: boolean
  /** More C files, and options of the compiler. */
  readonly extra?: readonly string[]
}

/** The compiler and the engine of this machine; or what is missing, in words. */
export function findToolchain(): Toolchain | string {
  const cc = process.env.CC || 'cc'
  if (spawnSync(cc, ['--version'], { stdio: 'ignore' }).status !== 0)
    return `no C compiler "${cc}" (Debian package gcc)`
  const places = process.env.QUICKJS ? [process.env.QUICKJS] : [join(root, '.cache/debian/libquickjs/usr'), '/usr']
  for (const place of places) {
    const [archive] = globSync(['lib/*/quickjs/libquickjs.a', 'lib/quickjs/libquickjs.a'], { cwd: place })
    if (archive) return { cc, include: join(place, 'include'), archive: join(place, archive) }
  }
  return `no libquickjs in ${places.join(' or ')} (Debian package libquickjs; QUICKJS names another folder)`
}

/** Builds the file, in one step for whoever runs it meanwhile. */
export function buildExecutable(
  toolchain: Toolchain,
  bundles: readonly Bundle[],
  file: string,
  options: ExecutableOptions = {},
): void {
  const directory = mkdtempSync(join(tmpdir(), 'overlab-build-'))
  const fresh = `${file}.${process.pid}`
  try {
    for (const { name, text } of bundles) writeFileSync(join(directory, `${name}.js`), text)
    const { cc, include, archive } = toolchain
    const common = [...warnings, '-isystem', include, '-I', native]
    const libraries = [archive, '-lm', '-lpthread', '-ldl']
    const compile = join(directory, 'compile')
    run(cc, ['-O1', ...common, join(native, 'compile.c'), '-o', compile, ...libraries])
    const programs = bundles.map(({ name }) => `${name}=${join(directory, `${name}.js`)}`)
    const table = execFileSync(compile, programs, { maxBuffer: 1 << 28 })
    writeFileSync(join(directory, 'programs.c'), table)
    const flags = options.sanitized ? sanitized : [...released, ...hardened]
    const all = [...sources, join(directory, 'programs.c'), ...(options.extra ?? [])]
    const state = options.prepared ? ['-DIMAGE_STATE=IMAGE_WANTED'] : []
    run(cc, [...flags, ...state, ...common, ...all, '-o', fresh, ...libraries])
    if (options.prepared) putImage(fresh, join(directory, 'image'))
    renameSync(fresh, file)
  } finally {
    rmSync(directory, { recursive: true, force: true })
    rmSync(fresh, { force: true })
  }
}

/** Runs the executable, which answers with the image of its engine, and puts that into the file. */
function putImage(file: string, image: string): void {
  writeFileSync(image, execFileSync(file, { env: {}, maxBuffer: 1 << 28 }))
  run('objcopy', ['--update-section', `.image=${image}`, file])
}

/** Gives the file another name beside its own, in one step too. */
export function linkExecutable(file: string, name: string): void {
  const fresh = `${name}.${process.pid}`
  linkSync(file, fresh)
  renameSync(fresh, name)
  rmSync(fresh, { force: true }) // rename(2) leaves it where both are one file already
}

function run(program: string, args: readonly string[]): void {
  const { status, error, stderr } = spawnSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'ignore', 'pipe'] })
  if (status !== 0) throw new Error(`Cannot run "${[program, ...args].join(' ')}": ${error?.message ?? stderr}`)
}
