/** The kit's page of statistics with a small harm, read by our exporter and by the packaged one. Seeded. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import fs from 'node:fs'
import http from 'node:http'
import path from 'node:path'
import { test } from 'node:test'
import { createEnv } from '../../../agent/env/mod.ts'
import { createHaproxyExporter } from '../../../exporters/haproxy/mod.ts'
import { KIT } from '../../../exporters/testing/env.ts'
import { formatExposition } from '../../../protocol/exposition/mod.ts'
import { peer } from '../../peers/peers.ts'
import { damage, randomOf, WORDS } from '../node/damage.ts'
import { freePort, lacks, until } from '../world.ts'

const source = path.join(KIT, 'exporters/haproxy/haproxy.csv')
const skip = lacks('haproxy-exporter') || (!fs.existsSync(source) && `${source} is absent`)
const CASES = Number(process.env['HELIO_CASES'] ?? 600)
const SEED = Number(process.env['HELIO_SEED'] ?? 1)

test(`${CASES} damaged pages are read as by the real haproxy exporter (seed ${SEED})`, { skip }, async () => {
  const text = smallPage(fs.readFileSync(source, 'utf8'))
  let page = text
  const statistics = http.createServer((_, response) => response.end(page))
  const [port, statisticsPort] = [await freePort(), await freePort()]
  statistics.listen(statisticsPort, '127.0.0.1')
  const scrapeUri = `http://127.0.0.1:${statisticsPort}/;csv`
  const uri = `--haproxy.scrape-uri=${scrapeUri}`
  const real = peer('haproxy-exporter').path!
  const child = spawn(real, [uri, `--web.listen-address=127.0.0.1:${port}`, '--log.level=error'], { stdio: 'ignore' })
  try {
    const url = `http://127.0.0.1:${port}/metrics`
    await until('it answers', async () => (await fetch(url)).ok)
    const env = createEnv({ logLevel: 'error', logFormat: 'logfmt' })
    const silent = { debug() {}, info() {}, warn() {}, error() {}, with: () => silent }
    const random = randomOf(SEED)
    const wrong: string[] = []
    const exporter = createHaproxyExporter({ ...env, log: silent, flags: { 'haproxy.scrape-uri': scrapeUri } })
    let failuresBefore = { ours: 0, theirs: Number((await pageFrom(url))?.get(FAILURES)) }
    for (let i = 0; i < CASES; i++) {
      const damaged = damage(text, random, words)
      page = damaged
      const [ours, theirs] = [pageOf(formatExposition(await exporter.collect())), await pageFrom(url)]
      if (theirs === null) continue // two lines of one name, at which upstream answers with an error
      const failures = { ours: Number(ours.get(FAILURES)), theirs: Number(theirs.get(FAILURES)) }
      ours.set(FAILURES, String(failures.ours - failuresBefore.ours))
      theirs.set(FAILURES, String(failures.theirs - failuresBefore.theirs))
      failuresBefore = failures
      const keys = [...new Set([...ours.keys(), ...theirs.keys()])].filter((key) => ours.get(key) !== theirs.get(key))
      if (keys.length === 0) continue
      const at = text.split('\n').findIndex((line, i) => line !== damaged.split('\n')[i])
      const shown = keys.slice(0, 3).map((key) => `${key}: ours ${ours.get(key)}, theirs ${theirs.get(key)}`)
      wrong.push(`line ${at + 1}: ${damaged.split('\n')[at]?.slice(0, 200)}\n  ${shown.join('\n  ')}`)
    }
    assert.deepEqual(wrong, [])
  } finally {
    child.kill('SIGKILL')
    statistics.closeAllConnections()
    statistics.close()
  }
})

const FAILURES = 'haproxy_exporter_csv_parse_failures_total'
const words = [
  ...WORDS,
  '"',
  '"a"',
  '#',
  'UP',
  'MAINT',
  'no check',
  'nan',
  'inf',
  '1_000',
  '1e999',
  '0x1p-2',
  '"a\nb"',
  '\r',
  'é',
  '\xff',
]

/** A frontend, two servers and a backend, each number another one: the kit's lines say nearly everywhere 0. */
function smallPage(text: string): string {
  const lines = text.split('\n')
  const chosen = [lines[0]!, lines[1]!, lines[2]!, lines[32]!]
  const types = ['0', '2', '2', '1']
  const TYPE = 32
  return chosen
    .map((line, row) =>
      line
        .split(',')
        .map((field, i) => (i === TYPE ? types[row] : field === '0' || (field === '' && i > 3) ? 100 * row + i : field))
        .join(','),
    )
    .join('\n')
}

async function pageFrom(url: string): Promise<Map<string, string> | null> {
  const response = await fetch(url)
  const text = await response.text()
  return response.ok ? pageOf(text) : null
}

/** What is told of HAProxy, and of what could not be read. */
function pageOf(text: string): Map<string, string> {
  const out = new Map<string, string>()
  for (const line of text.split('\n')) {
    if (!line.startsWith('haproxy_') || /^haproxy_exporter_(?!csv)/.test(line)) continue
    const at = line.lastIndexOf(' ')
    out.set(line.slice(0, at), String(Number(line.slice(at + 1))))
  }
  return out
}
