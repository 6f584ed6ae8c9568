import assert from 'node:assert/strict'
import test from 'node:test'
import { escapeName, type NameEscaping, negotiateFormat } from './escape-names.ts'

/** As a Prometheus 3.5.3 answered `/federate`. */
const ACCEPTED: readonly [accept: string, NameEscaping][] = [
  ['', 'underscores'],
  ['*/*', 'underscores'],
  ['text/plain;version=1.0.0;escaping=dots', 'dots'],
  ['text/plain;version=0.0.4;escaping=values', 'values'],
  ['text/plain;version=0.0.4;escaping=nonsense', 'underscores'],
  [
    'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.3',
    'allow-utf-8',
  ],
  [
    'text/plain;version=0.0.4;q=0.9,application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6',
    'underscores',
  ],
]
for (const [accept, scheme] of ACCEPTED)
  test(`Accept: ${accept} asks for ${scheme}`, () =>
    assert.deepEqual(negotiateFormat(accept), { format: 'text', escaping: scheme }))

const FAMILIES = 'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily'
for (const [accept, format, escaping] of [
  [`${FAMILIES};encoding=delimited;q=0.6,text/plain;version=0.0.4;q=0.5`, 'protobuf', 'underscores'],
  [`${FAMILIES};encoding=delimited;q=0.4,text/plain;version=0.0.4;q=0.5`, 'text', 'underscores'],
  [`${FAMILIES};encoding=delimited;escaping=allow-utf-8`, 'protobuf', 'allow-utf-8'],
  [`${FAMILIES};encoding=text,text/plain`, 'text', 'underscores'],
  ['application/vnd.google.protobuf;encoding=delimited', 'text', 'underscores'],
] as const)
  test(`Accept: ${accept} asks for ${format}`, () => assert.deepEqual(negotiateFormat(accept), { format, escaping }))

const ESCAPED: readonly [name: string, NameEscaping, escaped: string][] = [
  ['my.metric', 'allow-utf-8', 'my.metric'],
  ['my.metric', 'underscores', 'my_metric'],
  ['my.metric', 'dots', 'my_dot_metric'],
  ['my.metric', 'values', 'U__my_2e_metric'],
  ['x y', 'dots', 'x__y'],
  ['x y', 'values', 'U__x_20_y'],
  ['a_b.c', 'values', 'U__a__b_2e_c'],
  ['5xx.total', 'underscores', '_xx_total'],
  ['plain_name', 'dots', 'plain_name'],
  ['plain_name', 'values', 'plain_name'],
]
for (const [name, scheme, escaped] of ESCAPED)
  test(`${name} under ${scheme}`, () => assert.equal(escapeName(name, scheme), escaped))
