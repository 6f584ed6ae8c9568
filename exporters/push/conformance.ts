/** The kit's Pushgateway scenarios through the exporter's own HTTP, and its grouping paths. */
import type { Clock, Disk, Logger } from '../../protocol/env/mod.ts'
import { formatExposition } from '../../protocol/exposition/mod.ts'
import { type CaseResult, caseOf, expectEqual } from '../cases.ts'
import { splitLabels } from './grouping.ts'
import { createPushExporter, type PushExporter } from './mod.ts'

type Step = {
  readonly method?: string
  readonly path?: string
  readonly body?: string
  readonly bodyBase64?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly expectStatus?: number
  readonly expectJSON?: unknown
  readonly expectJSONSubset?: unknown
  readonly expectJSONKeys?: readonly string[]
  readonly metricsContain?: readonly string[]
  readonly metricsNotContain?: readonly string[]
}
type Cases = {
  readonly scenarios?: readonly {
    readonly name: string
    readonly flags?: readonly string[]
    readonly steps: readonly Step[]
  }[]
  readonly labelPaths?: readonly {
    readonly name: string
    readonly path: string
    readonly utf8: boolean
    readonly labels?: Readonly<Record<string, string>>
    readonly error?: boolean
  }[]
}

/** @param readText a file of `pushgateway` by its name */
export async function runPushCases(
  readText: (name: string) => string,
  env: { readonly clock: Clock; readonly disk: Disk; readonly log: Logger },
): Promise<CaseResult[]> {
  const { scenarios = [], labelPaths = [] } = JSON.parse(readText('scenarios.json')) as Cases
  const out: CaseResult[] = []
  for (const { name, flags = [], steps } of scenarios)
    out.push(
      await caseOf(`scenario ${name}`, async () => {
        const own = flags.map((flag) => {
          const [key = '', value = 'true'] = flag.replace(/^--/, '').split('=')
          return [key, value] as const
        })
        const exporter = createPushExporter({ ...env, version: '0', flags: Object.fromEntries(own) })
        for (const [i, one] of steps.entries()) await runStep(exporter, one, `step ${i + 1}`)
      }),
    )
  for (const { name, path, utf8, labels, error = false } of labelPaths)
    out.push(
      await caseOf(`path ${name} ${utf8}`, () => {
        let got: unknown = null
        try {
          got = Object.fromEntries(splitLabels(path, { utf8 }))
        } catch {
          got = null
        }
        expectEqual(got, error ? null : labels)
      }),
    )
  return out
}

async function runStep(exporter: PushExporter, one: Step, where: string): Promise<void> {
  if (one.path !== undefined) {
    const { method = 'GET', headers = {} } = one
    const bytes =
      one.bodyBase64 === undefined ? one.body : Uint8Array.from(atob(one.bodyBase64), (char) => char.charCodeAt(0))
    const request = new Request(`http://push.test${one.path}`, {
      method,
      headers,
      ...(bytes === undefined ? {} : { body: bytes }),
    })
    const answer = await exporter.handle(request)
    const body = (await answer?.text()) ?? ''
    if (one.expectStatus !== undefined && answer?.status !== one.expectStatus)
      throw new Error(`${where}: got ${answer?.status} ${body}, want ${one.expectStatus}`)
    if (one.expectJSON !== undefined) expectEqual(JSON.parse(body), one.expectJSON)
    if (one.expectJSONSubset !== undefined && !isSubset(one.expectJSONSubset, JSON.parse(body)))
      throw new Error(`${where}: ${JSON.stringify(one.expectJSONSubset)} is not in ${body}`)
    for (const path of one.expectJSONKeys ?? [])
      if (
        path
          .split('.')
          .reduce((at: unknown, key) => (at as Record<string, unknown> | undefined)?.[key], JSON.parse(body)) ===
        undefined
      )
        throw new Error(`${where}: no ${path} in ${body}`)
  }
  if (!one.metricsContain && !one.metricsNotContain) return
  const page = `\n${formatExposition(await exporter.collect())}`
  for (const part of one.metricsContain ?? [])
    if (!page.includes(part)) throw new Error(`${where}: no ${part} in ${page}`)
  for (const part of one.metricsNotContain ?? [])
    if (page.includes(part)) throw new Error(`${where}: ${part} in ${page}`)
}

/** Every key and element that is wanted is there; there may be more. */
function isSubset(wanted: unknown, got: unknown): boolean {
  if (wanted === null || typeof wanted !== 'object') return wanted === got
  if (Array.isArray(wanted))
    return Array.isArray(got) && wanted.every((item) => got.some((other) => isSubset(item, other)))
  if (got === null || typeof got !== 'object') return false
  return Object.entries(wanted).every(([key, value]) => isSubset(value, (got as Record<string, unknown>)[key]))
}
