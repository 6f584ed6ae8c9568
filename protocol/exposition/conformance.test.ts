import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { labelsToObject } from '../labels/mod.ts'
import { contentTypeFor, type ScrapeProtocol } from './content-type.ts'
import { ExpositionError } from './errors.ts'
import { type ExpositionEntry, parseExposition } from './parse.ts'
import type { ExpositionFormat } from './parser.ts'

const ROOT = process.env['HELIO_CONFORMANCE'] ?? path.resolve(import.meta.dirname, '../../../shared/conformance')
const FILE = path.join(ROOT, 'exposition/cases.json')
const skip = existsSync(FILE) ? false : `no conformance data at ${FILE}`

type Expected = Record<string, unknown> & { readonly kind: string }
type Cases = {
  readonly parse: readonly {
    readonly name: string
    readonly format: ExpositionFormat
    readonly typeAndUnitLabels: boolean
    readonly input: string
    readonly entries: readonly Expected[]
  }[]
  readonly startTimestamps: readonly {
    readonly name: string
    readonly format: ExpositionFormat
    readonly input: string
    readonly entries: readonly Expected[]
  }[]
  readonly errors: readonly {
    readonly format: ExpositionFormat
    readonly input?: string
    readonly inputBase64?: string
    readonly error: string | null
  }[]
  readonly contentType: readonly {
    readonly name: string
    readonly contentType: string
    readonly parser: string | null
    readonly errorContains: string | null
    readonly fallbackScrapeProtocol: ScrapeProtocol | null
  }[]
}
const cases: Cases = skip
  ? { parse: [], startTimestamps: [], errors: [], contentType: [] }
  : (JSON.parse(readFileSync(FILE, 'utf8')) as Cases)
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

/** The entry as the case file writes it: absent timestamps and exemplars are left out. */
function asExpected(entry: ExpositionEntry, wanted: Expected | undefined): Record<string, unknown> {
  if (entry.kind !== 'series') return entry
  const out: Record<string, unknown> = { kind: 'series', series: entry.series }
  if (wanted === undefined || 'value' in wanted) {
    out['value'] = Number.isFinite(entry.value) ? entry.value : Number.isNaN(entry.value) ? 'NaN' : `${entry.value}`
    out['labels'] = { ...labelsToObject(entry.labels) }
  }
  if (entry.timestampMs !== null) out['timestampMs'] = entry.timestampMs
  if (entry.startTimestampMs !== 0 || wanted?.['startTimestampMs'] === 0)
    out['startTimestampMs'] = entry.startTimestampMs
  if (entry.exemplars.length > 0) {
    out['exemplars'] = entry.exemplars.map(({ labels, value, timestampMs }) => ({
      labels: Object.fromEntries(labels.flatMap((text, i) => (i % 2 === 0 ? [[text, labels[i + 1]]] : []))),
      value,
      ...(timestampMs === null ? {} : { timestampMs }),
    }))
  }
  return out
}

test('the conformance cases are there', { skip }, () => assert.ok(cases.parse.length >= 6 && cases.errors.length > 100))

for (const { name, format, typeAndUnitLabels, input, entries } of cases.parse) {
  test(`parseExposition() reads ${name}`, () => {
    const got = parseExposition(bytesOf(input), { format, typeAndUnitLabels })
    assert.deepEqual(
      got.map((entry, i) => asExpected(entry, entries[i])),
      entries,
    )
  })
}

for (const { name, format, input, entries } of cases.startTimestamps) {
  test(`parseExposition() start timestamps: ${name}`, () => {
    const got = parseExposition(bytesOf(input), { format })
    assert.deepEqual(
      got.map((entry, i) => asExpected(entry, entries[i])),
      entries,
    )
  })
}

for (const [i, { format, input, inputBase64, error }] of cases.errors.entries()) {
  const bytes = inputBase64 === undefined ? bytesOf(input!) : new Uint8Array(Buffer.from(inputBase64, 'base64'))
  test(`parseExposition() ${error === null ? 'accepts' : 'refuses'} case ${i} (${format})`, () => {
    if (error === null) parseExposition(bytes, { format })
    else
      assert.throws(
        () => parseExposition(bytes, { format }),
        (thrown: unknown) => {
          assert.ok(thrown instanceof ExpositionError)
          assert.equal(thrown.message, error)
          return true
        },
      )
  })
}

for (const { name, contentType, parser, errorContains, fallbackScrapeProtocol } of cases.contentType) {
  test(`contentTypeFor() ${name}`, () => {
    const got = contentTypeFor(contentType, fallbackScrapeProtocol)
    assert.equal(got.parser, parser)
    if (errorContains === null) assert.equal(got.error, null)
    else assert.ok(got.error?.includes(errorContains), `${got.error}`)
  })
}
