import assert from 'node:assert/strict'
import test from 'node:test'
import { escapeName, type NameEscaping, negotiateEscaping } from './escape-names.ts'

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
  test(`Accept: ${accept} asks for ${scheme}`, () => assert.equal(negotiateEscaping(accept), scheme))

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
