/** Runs exposition cases (`exposition/cases.json` of the conformance kit, or a file of the same format). */
import { labelsToObject } from '../labels/mod.ts'
import { contentTypeFor, type ScrapeProtocol } from './content-type.ts'
import { ExpositionError } from './errors.ts'
import { PageReader } from './page-reader.ts'
import { type ExpositionEntry, parseExposition } from './parse.ts'
import type { ExpositionFormat } from './parser.ts'

type Expected = Readonly<Record<string, unknown>> & { readonly kind: string }
type EntryCase = {
  readonly name: string
  readonly format: ExpositionFormat
  readonly typeAndUnitLabels?: boolean
  readonly input: string
  readonly entries: readonly Expected[]
}
export type ExpositionCases = {
  readonly parse?: readonly EntryCase[]
  readonly startTimestamps?: readonly EntryCase[]
  readonly errors?: readonly {
    readonly format: ExpositionFormat
    readonly input?: string
    readonly inputBase64?: string
    readonly error: string | null
  }[]
  readonly contentType?: readonly {
    readonly name: string
    readonly contentType: string
    readonly parser: string | null
    readonly errorContains: string | null
    readonly fallbackScrapeProtocol: ScrapeProtocol | null
  }[]
}
export type CaseResult = { readonly name: string; readonly error: string | null }

export function runExpositionCases(data: ExpositionCases): CaseResult[] {
  const entryCases = [...(data.parse ?? []), ...(data.startTimestamps ?? [])]
  return [
    ...entryCases.map((c) => ({ name: c.name, error: compareEntries(c) })),
    ...(data.errors ?? []).map((c, i) => ({
      name: `errors[${i}]`,
      error: compareError(caseBytes(c.input, c.inputBase64), c.format, c.error),
    })),
    ...(data.contentType ?? []).map((c) => {
      const got = contentTypeFor(c.contentType, c.fallbackScrapeProtocol)
      const same =
        got.parser === c.parser &&
        (c.errorContains === null ? got.error === null : (got.error?.includes(c.errorContains) ?? false))
      return { name: `contentType ${c.name}`, error: same ? null : `got ${JSON.stringify(got)}` }
    }),
  ]
}

/** A real page: it parses, and the reader of scrapes agrees with the event parser, on first sight and on second. */
export function runExpositionPage(name: string, page: Uint8Array, format: ExpositionFormat): CaseResult {
  try {
    const series = parseExposition(page, { format, startTimestamps: false }).filter(({ kind }) => kind === 'series')
    const reader = new PageReader()
    const options = { format, ignoreTimestamps: false, startTimestamps: false, typeAndUnitLabels: false }
    for (let scrape = 1; scrape <= 2; scrape++) {
      reader.read(page, options)
      if (reader.scraped !== series.length) {
        return { name, error: `scrape ${scrape} read ${reader.scraped} samples of ${series.length}` }
      }
    }
    return { name, error: null }
  } catch (error) {
    if (error instanceof ExpositionError) return { name, error: error.message }
    throw error
  }
}

/** Both readers must say the same. */
function compareError(bytes: Uint8Array, format: ExpositionFormat, expected: string | null): string | null {
  const runs: (() => unknown)[] = [
    () => parseExposition(bytes, { format }),
    () =>
      new PageReader().read(bytes, {
        format,
        ignoreTimestamps: false,
        startTimestamps: true,
        typeAndUnitLabels: false,
      }),
  ]
  for (const run of runs) {
    const got = messageOf(run)
    if (got !== expected) return `got  ${got}\nwant ${expected}`
  }
  return null
}

function messageOf(run: () => unknown): string | null {
  try {
    run()
    return null
  } catch (error) {
    if (error instanceof ExpositionError) return error.message
    throw error
  }
}

function compareEntries({ format, typeAndUnitLabels = false, input, entries }: EntryCase): string | null {
  let got: ExpositionEntry[]
  try {
    got = parseExposition(new TextEncoder().encode(input), { format, typeAndUnitLabels })
  } catch (error) {
    return (error as Error).message
  }
  if (got.length !== entries.length) return `${got.length} entries, want ${entries.length}`
  for (const [i, wanted] of entries.entries()) {
    const have = canonical(asExpected(got[i]!, wanted))
    if (have !== canonical(wanted)) return `entry ${i}\ngot  ${have}\nwant ${canonical(wanted)}`
  }
  return null
}

/** The entry as case files write it: absent timestamps and exemplars are left out, odd numbers are strings. */
function asExpected(entry: ExpositionEntry, wanted: Expected): Record<string, unknown> {
  if (entry.kind !== 'series') return entry
  const out: Record<string, unknown> = { kind: 'series', series: entry.series }
  if ('value' in wanted) out['value'] = jsonNumber(entry.value)
  if ('labels' in wanted) out['labels'] = labelsToObject(entry.labels)
  if (entry.timestampMs !== null) out['timestampMs'] = entry.timestampMs
  if (entry.startTimestampMs !== 0 || 'startTimestampMs' in wanted) out['startTimestampMs'] = entry.startTimestampMs
  if (entry.exemplars.length > 0) {
    out['exemplars'] = entry.exemplars.map(({ labels, value, timestampMs }) => ({
      labels: labelsToObject(labels as Parameters<typeof labelsToObject>[0]),
      value: jsonNumber(value),
      ...(timestampMs === null ? {} : { timestampMs }),
    }))
  }
  return out
}

function jsonNumber(value: number): number | string {
  if (Number.isNaN(value)) return 'NaN'
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf'
  return Object.is(value, -0) ? '-0' : value
}

/** JSON with the keys of objects sorted. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, each: unknown) =>
    each !== null && typeof each === 'object' && !Array.isArray(each)
      ? Object.fromEntries(Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1)))
      : each,
  )
}

function caseBytes(text: string | undefined, base64: string | undefined): Uint8Array {
  if (base64 === undefined) return new TextEncoder().encode(text ?? '')
  return Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))
}
