/** resolv.conf(5), as far as a CNI result can say it. */
import { invalid } from '../cni/errors.ts'
import type { Files } from '../cni/host.ts'
import type { CniDns } from '../cni/plugin.ts'

/** CniError when there is no such file. */
export function readResolvConf(files: Files, path: string): CniDns {
  const text = files.read(path)
  if (text === undefined) throw invalid(`Cannot read "ipam.resolvConf": there is no file "${path}"`)
  return parseResolvConf(text)
}

/** Lists of one kind add up, and of several domains the last counts. */
export function parseResolvConf(text: string): CniDns {
  const nameservers: string[] = []
  const search: string[] = []
  const options: string[] = []
  let domain: string | undefined
  for (const line of text.split('\n')) {
    const [keyword, ...values] = line.trim().split(/\s+/)
    if (values.length === 0) continue
    if (keyword === 'nameserver') nameservers.push(values[0]!)
    else if (keyword === 'search') search.push(...values)
    else if (keyword === 'options') options.push(...values)
    else if (keyword === 'domain') domain = values[0]
  }
  return { nameservers, search, options, ...(domain === undefined ? {} : { domain }) }
}
