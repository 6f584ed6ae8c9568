/** A discovery through the manager against servers on loopback, as its tests and users see it. */
import assert from 'node:assert/strict'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import { loadPrometheusConfig } from '../../../protocol/config/mod.ts'
import { labelsToObject } from '../../../protocol/labels/mod.ts'
import { createLogger, nodeDisk, systemClock } from '../../env/mod.ts'
import { createNet } from '../../env/net.ts'
import { targetUrl } from '../../scrape/mod.ts'
import { type Discovered, DiscoveryManager } from '../mod.ts'

/** For what comes at once where nothing else runs. */
const FOUND_WITHIN_MS = 60_000

/** Targets by URL with their discovered labels, once `wanted` accepts them. */
export async function discover(
  t: TestContext,
  yaml: string,
  options: { readonly dnsServers?: readonly string[]; readonly environment?: Record<string, string> } = {},
) {
  const net = createNet(options)
  let latest: Discovered = { targets: [], dropped: [], problems: [] }
  const log: string[] = []
  const manager = new DiscoveryManager({
    clock: { ...systemClock, monotonic: () => systemClock.monotonic() * 1e6 },
    net,
    disk: nodeDisk,
    log: createLogger({ level: 'info', format: 'logfmt', now: () => 0, write: (line) => log.push(line) }),
    userAgent: 'Heliograph/test',
    directory: '/',
    environment: options.environment ?? {},
    onTargets: (discovered) => {
      latest = discovered
    },
  })
  t.after(() => {
    manager.stop()
    net.close()
  })
  const configs = loadPrometheusConfig(`scrape_configs: [{job_name: j, ${yaml}}]\n`, {
    file: 'p.yml',
    files: null,
    environment: {},
  }).scrapeConfigs
  await manager.apply(configs)
  const found = (): Record<string, Record<string, string>> =>
    Object.fromEntries(
      latest.targets.map(({ source, discoveredLabels }) => [targetUrl(source), labelsToObject(discoveredLabels)]),
    )
  const until = async (wanted: (found: Record<string, Record<string, string>>) => boolean) => {
    for (const end = performance.now() + FOUND_WITHIN_MS; performance.now() < end; ) {
      if (wanted(found())) return found()
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    return assert.fail(`not found in ${FOUND_WITHIN_MS} ms: ${JSON.stringify(found())}\n${log.join('')}`)
  }
  return { until, manager, configs, log }
}

export async function serve(
  t: TestContext,
  handler: (url: URL, response: ServerResponse, request: IncomingMessage) => void,
  where: { readonly path?: string } = {},
): Promise<{ url: string; server: Server }> {
  const server = createServer((request, response) =>
    handler(new URL(request.url ?? '/', 'http://x'), response, request),
  )
  await new Promise<void>((resolve) => {
    if (where.path) server.listen(where.path, resolve)
    else server.listen(0, '127.0.0.1', resolve)
  })
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: where.path ? '' : `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server }
}

export const answer = (response: ServerResponse, body: unknown): void => {
  response.setHeader('content-type', 'application/json')
  response.end(JSON.stringify(body))
}
