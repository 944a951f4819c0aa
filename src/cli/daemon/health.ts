/**
 * What a daemon answers about itself, by HTTP: /healthz whether it lives, /readyz whether it does what it should, /metrics
 * figures. /healthz is 200 also while the store is away: to kill the daemon would not bring it back. What is wrong stands in
 * both.
 */
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'

const TEXT = 'text/plain; charset=utf-8'

export interface Health {
  readonly isReady: boolean
  /** Why it is not ready. */
  readonly problems: readonly string[]
  /** What works all the same, but not as it should. */
  readonly warnings: readonly string[]
}

export interface Figures {
  readonly contentType: string
  text(): Promise<string>
}

/** `name`: of the daemon. Listens when it comes back. Throws when the address cannot be had. */
export async function serveHealth(
  name: string,
  { ip, port }: { readonly ip: string; readonly port: number },
  condition: () => Health,
  figures: Figures,
): Promise<Server> {
  const server = createServer((request, response) => {
    const answer = (status: number, type: string, text: string) => {
      response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' })
      response.end(request.method === 'HEAD' ? undefined : text)
    }
    const [path] = (request.url ?? '/').split('?')
    if (request.method !== 'GET' && request.method !== 'HEAD') return answer(405, TEXT, 'only GET\n')
    if (path === '/healthz') return answer(200, TEXT, describe(`${name} is running`, condition()))
    if (path === '/readyz') {
      const now = condition()
      return answer(now.isReady ? 200 : 503, TEXT, describe(`${name} is ${now.isReady ? 'ready' : 'not ready'}`, now))
    }
    if (path !== '/metrics') return answer(404, TEXT, '/healthz /readyz /metrics\n')
    void figures.text().then(
      (text) => answer(200, figures.contentType, text),
      (error: Error) => answer(500, TEXT, `${error.message}\n`),
    )
  })
  server.listen(port, ip)
  await once(server, 'listening')
  return server
}

function describe(title: string, { problems, warnings }: Health): string {
  return [
    title,
    ...problems.map((problem) => `problem: ${problem}`),
    ...warnings.map((warning) => `warning: ${warning}`),
  ]
    .map((line) => `${line}\n`)
    .join('')
}
