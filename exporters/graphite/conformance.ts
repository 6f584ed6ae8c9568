/** The kit's graphite cases: names with tags, lines under one mapping, and whole inputs into a page. */
import type { Clock, Disk, Logger } from '../../protocol/env/mod.ts'
import { formatExposition } from '../../protocol/exposition/mod.ts'
import { type CaseResult, caseOf, expectEqual } from '../cases.ts'
import type { Flags } from '../contract.ts'
import { readLine, splitTags } from './line.ts'
import { createGraphiteExporter } from './mod.ts'
import { GraphiteStore } from './store.ts'

type Labels = Readonly<Record<string, string>>
type Cases = {
  readonly nameAndTags?: readonly {
    readonly name: string
    readonly line: string
    readonly metric: string
    readonly labels: Labels
    readonly error: boolean
  }[]
  readonly lines?: readonly {
    readonly name: string
    readonly line: string
    readonly strictMatch: boolean
    readonly mapping: { name: string; labels: Labels; action: 'map' | 'drop'; scale?: number } | null
    readonly sample: { readonly name: string; readonly labels: Labels; readonly value: number } | null
  }[]
  readonly e2e?: readonly {
    readonly name: string
    readonly mappingConfig: string | null
    readonly flags?: readonly string[]
    readonly input?: string
    readonly inputFile?: string
    readonly expectContains?: readonly string[]
  }[]
}

/** Of the cases: what NOW stands for. */
const NOW_MS = 1_800_000_000_000

/** @param readText a file of `exporters/graphite` by its name */
export async function runGraphiteCases(
  readText: (name: string) => string,
  env: { readonly clock: Clock; readonly disk: Disk; readonly log: Logger },
): Promise<CaseResult[]> {
  const { nameAndTags = [], lines = [], e2e = [] } = JSON.parse(readText('cases.json')) as Cases
  const out: CaseResult[] = []
  for (const { name, line, metric, labels, error } of nameAndTags)
    out.push(
      await caseOf(`tags ${name}`, () => {
        const got = splitTags(line)
        expectEqual([got.name, Object.fromEntries(got.tags), got.badTags > 0], [metric, labels, error])
      }),
    )
  for (const { name, line, strictMatch, mapping, sample } of lines)
    out.push(
      await caseOf(`line ${name}`, () => {
        const found = mapping && {
          ...mapping,
          labels: Object.entries(mapping.labels).flat(),
          scale: mapping.scale ?? null,
        }
        const store = new GraphiteStore({ strictMatch, expiryMs: 300_000, maxSeries: 10 }, () => found)
        const reading = readLine(line)
        if (typeof reading !== 'string') store.set(reading, NOW_MS)
        const stored = store.get(line.trim().split(' ')[0]!)
        const shown = stored && { name: stored.name, labels: recordOf(stored.labels), value: stored.value }
        expectEqual(shown ?? null, sample)
      }),
    )
  for (const { name, mappingConfig, flags = [], input, inputFile, expectContains = [] } of e2e)
    out.push(
      await caseOf(`page ${name}`, async () => {
        const exporter = createGraphiteExporter({
          ...env,
          clock: { ...env.clock, now: () => NOW_MS },
          disk: { ...env.disk, readText },
          flags: { ...flagsOf(flags), ...(mappingConfig ? { 'graphite.mapping-config': mappingConfig } : {}) },
        })
        const text = inputFile === undefined ? (input ?? '') : readText(inputFile)
        exporter.handleText(new TextEncoder().encode(text.replaceAll('NOW', String(NOW_MS / 1000 - 2))))
        const page = formatExposition(await exporter.collect())
        for (const part of expectContains) if (!page.includes(part)) throw new Error(`no ${part} in\n${page}`)
        const series = page.split('\n').flatMap((line) => (line.startsWith('#') ? [] : [line.replace(/ \S*$/, '')]))
        expectEqual(series.length, new Set(series).size)
      }),
    )
  return out
}

/** `--a=b`, `--a`. */
function flagsOf(flags: readonly string[]): Flags {
  return Object.fromEntries(
    flags.map((flag) => {
      const [name = '', ...value] = flag.replace(/^--/, '').split('=')
      return [name, value.length === 0 ? 'true' : value.join('=')]
    }),
  )
}

function recordOf(pairs: readonly string[]): Labels {
  const out: Record<string, string> = {}
  for (let i = 0; i < pairs.length; i += 2) out[pairs[i]!] = pairs[i + 1]!
  return out
}
