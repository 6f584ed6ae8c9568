import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ConfigError, decodeYaml } from '../../protocol/config/mod.ts'
import { timeInterval } from './time-intervals.ts'

const rows: readonly (readonly [text: string, problem: string])[] = [
  ["days_of_month: ['a']", 'strconv.Atoi: parsing "a": invalid syntax'],
  ["days_of_month: ['28:-3']", 'end day -3 is always before start day 28'],
  ["days_of_month: ['25:-3']", ''],
  ["months: ['5:3']", 'end month march is before start month may'],
  ["months: ['13']", ''],
  ["years: ['2020:x']", 'strconv.Atoi: parsing "x": invalid syntax'],
  ['location: Local', ''],
  ['location: Nowhere', 'unknown time zone Nowhere'],
]
for (const [text, problem] of rows)
  test(`a time interval with ${text}: ${problem || 'good'}`, () => {
    let got = ''
    try {
      decodeYaml(text, 'x.yml', timeInterval)
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error
      got = error.problem
    }
    assert.equal(got, problem)
  })
