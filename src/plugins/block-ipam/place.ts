/** Where block-ipam asks: the store's directory itself, or a daemon by its socket. */
import { CniCode, CniError } from '../../cni/errors.ts'
import type { Host } from '../../cni/host.ts'
import { isErrno } from '../../kernel/errors.ts'
import { labelsOf } from '../../pool/nodes.ts'
import { answerTo, type PoolAnswer, type PoolRequest } from '../../pool/requests.ts'
import { formatRequest, parseResponse, type Refusal, refusalOf } from '../../pool/socket-protocol.ts'
import { carryOutNow, type Steps } from '../../pool/steps.ts'
import { PromptFileStore } from '../../store/file/prompt.ts'
import type { BlockIpamConfig } from './config.ts'

/** Milliseconds. A daemon may have to wait for its store, and runtimes wait minutes for a plugin. */
const ANSWER_LIMIT = 30_000

const HOST_NAME = '/proc/sys/kernel/hostname'

const CODES: Readonly<Record<Refusal['kind'], number>> = {
  exhausted: CniCode.exhausted,
  conflict: CniCode.conflict,
  invalid: CniCode.invalidConfig,
  damaged: CniCode.failed,
  unavailable: CniCode.tryAgainLater,
  failed: CniCode.failed,
}

/** CniError when it is refused. */
export function askPools(request: PoolRequest, config: BlockIpamConfig, host: Host): PoolAnswer {
  return 'socket' in config.place ? askDaemon(request, config.place.socket, host) : askDirectory(request, config, host)
}

function askDaemon(request: PoolRequest, socket: string, host: Host): PoolAnswer {
  let line: string
  try {
    line = host.ask(socket, formatRequest(request), ANSWER_LIMIT)
  } catch (cause) {
    if (!isErrno(cause, 'ENOENT', 'ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'EAGAIN')) throw cause
    const message = `${(cause as Error).message}; is overlab's daemon running?`
    throw new CniError(CniCode.tryAgainLater, message, { cause })
  }
  const response = parseResponse(line)
  if (!response) throw new CniError(CniCode.failed, `Cannot use the answer at "${socket}": ${line.slice(0, 200)}`)
  if ('error' in response) throw refused(response.error)
  return response
}

function askDirectory(request: PoolRequest, config: BlockIpamConfig, host: Host): PoolAnswer {
  const { directory } = config.place as { readonly directory: string }
  const { files } = host
  const store = new PromptFileStore({
    directory,
    files: { ...files, tryLock: files.lock },
    clock: { now: host.now, elapsed: host.monotonic },
    newId: () => [...host.random(8)].map((byte) => byte.toString(16).padStart(2, '0')).join(''),
    report: (problem) => host.writeStderr(`${problem}\n`),
  })
  const node = config.node ?? machineName(host)
  function* answer(): Steps<PoolAnswer> {
    return yield* answerTo(request, { node, labels: yield* labelsOf(node) })
  }
  try {
    return carryOutNow(answer(), store)
  } catch (error) {
    if (!(error instanceof Error) || !/^(?:Pool|Store)Error$/.test(error.name)) throw error
    throw refused(refusalOf(error), error)
  } finally {
    store.close()
  }
}

/** As Kubernetes and Calico write it. */
function machineName({ files }: Host): string {
  return (files.read(HOST_NAME) ?? '').trim().toLowerCase()
}

function refused({ kind, message }: Refusal, cause?: Error): CniError {
  return new CniError(CODES[kind] ?? CniCode.failed, message, { cause })
}
