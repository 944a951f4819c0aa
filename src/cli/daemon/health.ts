/**
 * What a daemon answers about itself, by HTTP: /healthz whether it lives, /readyz whether it does what it should, /metrics
 * figures. /healthz is 200 also while the store is away: to kill the daemon would not bring it back. What is wrong stands in
 * both.
 */
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { Condition } from '../../overlay/health.ts'
import type { Metrics } from './metrics.ts'

const TEXT = 'text/plain; charset=utf-8'

/** Listens when it comes back. Throws when the address cannot be had. */
export async function serveHealth(
  { ip, port }: { readonly ip: string; readonly port: number },
  condition: () => Condition,
  metrics: Metrics,
): Promise<Server> {
  const server = createServer((request, response) => {
    const answer = (status: number, type: string, text: string) => {
      response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' })
      response.end(request.method === 'HEAD' ? undefined : text)
    }
    const [path] = (request.url ?? '/').split('?')
    if (request.method !== 'GET' && request.method !== 'HEAD') return answer(405, TEXT, 'only GET\n')
    if (path === '/healthz') return answer(200, TEXT, describe('overlab daemon is running', condition()))
    if (path === '/readyz') {
      const now = condition()
      const title = now.isReady ? 'overlab daemon is ready' : 'overlab daemon is not ready'
      return answer(now.isReady ? 200 : 503, TEXT, describe(title, now))
    }
    if (path !== '/metrics') return answer(404, TEXT, '/healthz /readyz /metrics\n')
    void metrics.text().then(
      (text) => answer(200, metrics.contentType, text),
      (error: Error) => answer(500, TEXT, `${error.message}\n`),
    )
  })
  server.listen(port, ip)
  await once(server, 'listening')
  return server
}

function describe(title: string, { problems, warnings }: Condition): string {
  return [
    title,
    ...problems.map((problem) => `problem: ${problem}`),
    ...warnings.map((warning) => `warning: ${warning}`),
  ]
    .map((line) => `${line}\n`)
    .join('')
}
