/** For the tests of probes: an exporter with modules as YAML on the real adapters, and certificates for an hour. */
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { createEnv } from '../../../agent/env/mod.ts'
import { probeNet } from '../../../agent/env/probe-net.ts'
import { probeAccess } from '../../../agent/process/probe-access.ts'
import { type BlackboxExporter, createBlackboxExporter } from '../../../exporters/blackbox/mod.ts'
import type { Flags } from '../../../exporters/contract.ts'
import { formatExposition } from '../../../protocol/exposition/mod.ts'

export type TestProbe = {
  /** Series with their values. */
  readonly metrics: ReadonlyMap<string, number>
  /** The reason of a failure; '' for a success. */
  readonly reason: string
  readonly text: string
}

export const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'helio-blackbox-'))
process.on('exit', () => fs.rmSync(folder, { recursive: true, force: true }))

export function writeFile(name: string, text: string): string {
  const file = path.join(folder, name)
  fs.writeFileSync(file, text)
  return file
}

let files = 0
export function exporterOf(modules: object, flags: Flags = {}): BlackboxExporter {
  const file = writeFile(`modules-${files++}.yml`, JSON.stringify({ modules }))
  const env = createEnv({ logLevel: 'error', logFormat: 'logfmt' })
  return createBlackboxExporter({
    ...env,
    net: probeNet,
    access: probeAccess(env, {}),
    version: '1.2.3',
    flags: { 'config.file': file, ...flags },
  })
}

/** One probe by a module of its own. */
export async function probe(
  module: object,
  target: string,
  { timeoutS = 30, parameters = {} as Readonly<Record<string, string>> } = {},
): Promise<TestProbe> {
  const query = new URLSearchParams({ module: 'm', target, debug: 'true', ...parameters })
  const request = new Request(`http://test/probe?${query}`, {
    headers: { 'x-prometheus-scrape-timeout-seconds': String(timeoutS) },
  })
  const text = await (await exporterOf({ m: module }).handle(request))!.text()
  const page = text.split('Metrics that would have been returned:\n')[1]?.split('\n\n\n\n')[0] ?? ''
  const metrics = new Map<string, number>()
  for (const line of page.split('\n')) {
    const at = line.lastIndexOf(' ')
    if (at > 0 && !line.startsWith('#')) metrics.set(line.slice(0, at), Number(line.slice(at + 1)))
  }
  const failed = /msg="Probe failed" .*?reason=("(?:[^"\\]|\\.)*"|\S+)/.exec(text)?.[1] ?? ''
  return { metrics, text, reason: failed.startsWith('"') ? (JSON.parse(failed) as string) : failed }
}

export type Certificates = { readonly ca: string; readonly cert: string; readonly key: string; readonly caFile: string }

/** For `probe.example` and 127.0.0.1, signed by an authority of its own. */
export function makeCertificates(): Certificates {
  const at = (name: string): string => path.join(folder, name)
  const openssl = (...args: readonly string[]): void => void execFileSync('/usr/bin/openssl', args, { stdio: 'pipe' })
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  openssl(
    'req',
    '-x509',
    ...key,
    '-days',
    '2',
    '-subj',
    '/O=Test/CN=Test CA',
    '-keyout',
    at('ca.key'),
    '-out',
    at('ca.pem'),
  )
  openssl(
    'req',
    ...key,
    '-subj',
    '/C=DE/O=Acme, Inc./CN=probe.example',
    '-keyout',
    at('key.pem'),
    '-out',
    at('csr.pem'),
  )
  const names = writeFile('san.ext', 'subjectAltName=DNS:probe.example,DNS:*.probe.example,IP:127.0.0.1\n')
  const signed = ['-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-set_serial', '0x0abc', '-days', '1', '-extfile', names]
  openssl('x509', '-req', '-in', at('csr.pem'), ...signed, '-out', at('cert.pem'))
  const read = (name: string): string => fs.readFileSync(at(name), 'utf8')
  return { ca: read('ca.pem'), cert: read('cert.pem'), key: read('key.pem'), caFile: at('ca.pem') }
}

export const pageText = async (exporter: BlackboxExporter, query: Record<string, string>): Promise<string> =>
  formatExposition(await exporter.probe(new URLSearchParams(query)))
