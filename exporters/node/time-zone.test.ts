import assert from 'node:assert/strict'
import fs from 'node:fs'
import { test } from 'node:test'
import { fromRule, zoneAt, zoneFile } from './time-zone.ts'

const at = (text: string): number => Date.parse(text) / 1000

const rules: readonly (readonly [rule: string, time: string, name: string, offset: number])[] = [
  ['UTC0', '2026-07-01T00:00:00Z', 'UTC', 0],
  ['CET-1CEST,M3.5.0,M10.5.0/3', '2026-03-29T00:59:59Z', 'CET', 3600],
  ['CET-1CEST,M3.5.0,M10.5.0/3', '2026-03-29T01:00:00Z', 'CEST', 7200],
  ['CET-1CEST,M3.5.0,M10.5.0/3', '2026-10-25T00:59:59Z', 'CEST', 7200],
  ['CET-1CEST,M3.5.0,M10.5.0/3', '2026-10-25T01:00:00Z', 'CET', 3600],
  // The year turns in summer.
  ['AEST-10AEDT,M10.1.0,M4.1.0/3', '2026-01-01T00:00:00Z', 'AEDT', 39_600],
  ['AEST-10AEDT,M10.1.0,M4.1.0/3', '2026-07-01T00:00:00Z', 'AEST', 36_000],
  ['<+1030>-10:30<+11>-11,M10.1.0,M4.1.0', '2026-01-01T00:00:00Z', '+11', 39_600],
  ['<-03>3', '2026-01-01T00:00:00Z', '-03', -10_800],
  ['EST5EDT', '2026-07-01T00:00:00Z', 'EDT', -14_400],
  ['AAA0BBB,J60,J61', '2024-03-01T12:00:00Z', 'BBB', 3600],
  ['AAA0BBB,59,60', '2024-02-29T12:00:00Z', 'BBB', 3600],
  ['<-02>2<-01>,M3.5.0/-1,M10.5.0/0', '2026-03-29T01:00:00Z', '-01', -3600],
]
for (const [rule, time, name, offsetSeconds] of rules)
  test(`${rule} at ${time} is ${name}`, () => assert.deepEqual(fromRule(rule, at(time)), { name, offsetSeconds }))

test('what is no rule has none', () => assert.equal(fromRule('nonsense!', 0), null))

const FOLDER = '/usr/share/zoneinfo'
const zones = ['Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Asia/Kolkata']
const more = ['America/Sao_Paulo', 'Europe/Dublin', 'Antarctica/Troll', 'Pacific/Apia', 'Etc/UTC', 'America/Nuuk']
const missing = fs.existsSync(`${FOLDER}/Europe/Berlin`) ? false : 'no time zones on this system'
for (const zone of [...zones, ...more])
  test(`${zone} is as the runtime has it, over seventy years`, { skip: missing }, () => {
    const file = fs.readFileSync(`${FOLDER}/${zone}`)
    const format = new Intl.DateTimeFormat('en', { timeZone: zone, timeZoneName: 'longOffset' })
    // Every 11 days and a bit, so that all times of the day are seen.
    for (let time = at('1971-01-01T00:00:00Z'); time < at('2040-01-01T00:00:00Z'); time += 1_000_003) {
      const text = format.formatToParts(new Date(time * 1000)).find(({ type }) => type === 'timeZoneName')!.value
      const [, sign = '+', hours = '0', minutes = '0', seconds = '0'] = /([+-])(\d+):(\d+)(?::(\d+))?/.exec(text) ?? []
      const size = Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)
      assert.equal(
        zoneAt(file, time).offsetSeconds,
        sign === '-' ? 0 - size : size,
        new Date(time * 1000).toISOString(),
      )
    }
  })

test('names are those of the file', { skip: missing }, () => {
  const berlin = fs.readFileSync(`${FOLDER}/Europe/Berlin`)
  assert.equal(zoneAt(berlin, at('2026-01-01T00:00:00Z')).name, 'CET')
  assert.equal(zoneAt(berlin, at('2026-07-01T00:00:00Z')).name, 'CEST')
  assert.equal(zoneAt(berlin, at('1880-01-01T00:00:00Z')).name, 'LMT')
})

test('what is no file of a zone is UTC', () => {
  const utc = { name: 'UTC', offsetSeconds: 0 }
  assert.deepEqual(zoneAt(new Uint8Array(0), 0), utc)
  assert.deepEqual(zoneAt(new TextEncoder().encode('TZif2'), 0), utc)
  assert.deepEqual(zoneAt(new Uint8Array(100), 0), utc)
})

const files: readonly (readonly [tz: string | undefined, file: string | null])[] = [
  [undefined, '/etc/localtime'],
  ['', null],
  ['UTC', null],
  ['Europe/Berlin', '/usr/share/zoneinfo/Europe/Berlin'],
  [':Europe/Berlin', '/usr/share/zoneinfo/Europe/Berlin'],
  ['/tmp/zone', '/tmp/zone'],
]
for (const [tz, file] of files) test(`TZ=${tz} is in ${file}`, () => assert.equal(zoneFile(tz), file))
