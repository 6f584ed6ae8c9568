/** What of a request 2.0 is no series, and why. Rows as of Prometheus storage/remote/write_handler_test.go (v3). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import protobuf from 'protobufjs'
import { formatLabels } from '../labels/mod.ts'
import { WriteRequest2Decoder } from './mod.ts'

const Request2 = protobuf
  .parse(`syntax = "proto3";
    message Request { repeated string symbols = 4; repeated TimeSeries timeseries = 5; }
    message TimeSeries {
      repeated uint32 labels_refs = 1; repeated Sample samples = 2; repeated Exemplar exemplars = 4; Metadata metadata = 5;
    }
    message Metadata { int32 type = 1; uint32 help_ref = 3; uint32 unit_ref = 4; }
    message Sample { double value = 1; int64 timestamp = 2; }
    message Exemplar { repeated uint32 labels_refs = 1; double value = 2; int64 timestamp = 3; }`)
  .root.lookupType('Request')

const SYMBOLS = ['', '__name__', 'm', 'a', 'b']
const samples = [{ value: 1, timestamp: 1 }]
const rows: readonly [name: string, series: object, problem: string | null][] = [
  ['a name and a label', { labelsRefs: [1, 2, 3, 4], samples }, null],
  [
    'an odd number of references',
    { labelsRefs: [1, 2, 3], samples },
    'parsing labels for series [1 2 3]: invalid labelRefs length 3',
  ],
  [
    'a value outside of the table',
    { labelsRefs: [1, 99], samples },
    'parsing labels for series [1 99]: labelRefs 1 (name) = 99 (value) outside of symbols table (size 5)',
  ],
  [
    'a name outside of the table',
    { labelsRefs: [1, 2, 5, 4], samples },
    'parsing labels for series [1 2 5 4]: labelRefs 5 (name) = 4 (value) outside of symbols table (size 5)',
  ],
  ['no metric name', { labelsRefs: [3, 4], samples }, 'invalid metric name or labels, got {a="b"}'],
  ['an empty metric name', { labelsRefs: [1, 0], samples }, 'invalid metric name or labels, got {__name__=""}'],
  [
    'a label twice',
    { labelsRefs: [1, 2, 3, 4, 3, 4], samples },
    'invalid labels for series, labels {__name__="m", a="b", a="b"}, duplicated label a',
  ],
  [
    'an exemplar alone',
    { labelsRefs: [1, 2], exemplars: [{ labelsRefs: [], value: 1, timestamp: 1 }] },
    'TimeSeries must contain at least one sample or histogram for series {__name__="m"}',
  ],
]
for (const [name, series, problem] of rows)
  test(`a series of remote write 2.0 with ${name}`, () => {
    const body = Request2.encode(Request2.fromObject({ symbols: SYMBOLS, timeseries: [series] })).finish()
    assert.equal(new WriteRequest2Decoder().decode(body).labels(0).problem, problem)
  })

const TYPED = ['', '__name__', 'm', 'a', 'b', 'bytes', '__type__', '__unit__', 'sent']
const typed: readonly [what: string, metadata: object | undefined, labelsRefs: number[], labels: string][] = [
  [
    'a type and a unit',
    { type: 1, unitRef: 5 },
    [1, 2, 3, 4],
    '{__name__="m", __type__="counter", __unit__="bytes", a="b"}',
  ],
  ['a unit alone', { unitRef: 5 }, [1, 2], '{__name__="m", __unit__="bytes"}'],
  ['a type alone, in place of what is sent', { type: 2 }, [1, 2, 6, 8, 7, 8], '{__name__="m", __type__="gauge"}'],
  ['neither: what is sent stays', { type: 0 }, [1, 2, 6, 8], '{__name__="m", __type__="sent"}'],
  ['no metadata', undefined, [1, 2], '{__name__="m"}'],
]
for (const [what, metadata, labelsRefs, expected] of typed)
  test(`type and unit become labels of 2.0, where they are asked for: ${what}`, () => {
    const series = { labelsRefs, samples, ...(metadata && { metadata }) }
    const body = Request2.encode(Request2.fromObject({ symbols: TYPED, timeseries: [series] })).finish()
    const labelsWith = (isAsked: boolean): string =>
      formatLabels(new WriteRequest2Decoder().decode(body, isAsked).labels(0).labels!)
    assert.equal(labelsWith(true), expected)
    assert.ok(!labelsWith(false).includes('counter'))
  })
