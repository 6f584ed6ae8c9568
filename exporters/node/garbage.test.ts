/**
 * Whatever stands in the files of procfs and sysfs: a scrape ends, its page can be parsed, and what cannot be read is
 * told as that collector's failure. The trees are the kit's fixtures with files damaged at random.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Disk } from '../../protocol/env/mod.ts'
import { formatExposition, parseExposition } from '../../protocol/exposition/mod.ts'
import { KIT, temporaryFolder, testDisk, testEnv } from '../testing/env.ts'
import { FILE_BYTES_MAX } from './bounded-disk.ts'
import { COLLECTORS } from './collectors.ts'
import { createNodeExporter } from './mod.ts'

const archive = path.join(KIT, 'exporters/node/fixtures.tar.gz')
const absent = fs.existsSync(archive) ? false : `${archive} is absent`
/** Of a CPU, whatever else the host does. Loops over what a file claims (counts, ranges) would take far longer. */
const PATIENCE_US = 20e6
const WORDS = [
  '0-99999999999',
  '-1',
  '18446744073709551616',
  '1e999',
  'NaN',
  '0x',
  '\0',
  '"',
  '\\',
  '{',
  '\n\n',
  'é\ud800',
]

type Damage = (text: string, seed: number) => string
/** What may have become of a file; the number chooses where. */
const DAMAGES: readonly Damage[] = [
  (text) => text,
  () => '',
  (text, seed) => text.slice(0, seed % (text.length + 1)),
  (text, seed) => text.slice(seed % (text.length + 1)),
  (text, seed) => text.replace(/\d+/g, (digits) => WORDS[(seed + digits.length) % WORDS.length]!),
  (text, seed) =>
    text
      .split(/(\s+)/)
      .map((word, i) => ((i + seed) % 5 === 0 ? WORDS[(i + seed) % WORDS.length] : word))
      .join(''),
  (text, seed) =>
    text
      .split('\n')
      .map((line, i) => ((i + seed) % 3 === 0 ? line.split(' ').reverse().join(' ') : line))
      .join('\n'),
  (text, seed) => `${text.slice(0, 2000)}\n`.repeat(1 + (seed % 40)),
  (_, seed) => Array.from({ length: 400 }, (_, i) => String.fromCharCode((i * seed + (seed >>> 3)) % 256)).join(''),
  (_, seed) => ' '.repeat(seed % 50_000),
  (_, seed) => '9'.repeat(1 + (seed % 50_000)),
  (_, seed) => 'a:'.repeat(1 + (seed % 30_000)),
]

function hash(text: string, seed: number): number {
  let out = seed | 0
  for (let i = 0; i < text.length; i++) out = (Math.imul(out, 31) + text.charCodeAt(i)) | 0
  return out >>> 0
}

/** One file in `rare` is damaged, each in its own way. */
function damaged(disk: Disk, root: string, seed: number, rare: number): Disk {
  const harm = (file: string, text: string): string => {
    const h = hash(file, seed)
    return h % rare === 0 ? DAMAGES[(h >>> 8) % DAMAGES.length]!(text, h >>> 4) : text
  }
  return {
    ...disk,
    readText: (file) => (file.startsWith(root) ? harm(file, disk.readText(file)) : disk.readText(file)),
    readFile: (file) =>
      file.startsWith(root)
        ? new TextEncoder().encode(harm(file, new TextDecoder('latin1').decode(disk.readFile(file))))
        : disk.readFile(file),
  }
}

/** Every collector that reads these trees. @returns the page, which was parsed */
async function scrape(disk: Disk, root: string): Promise<string> {
  const on = Object.fromEntries(Object.keys(COLLECTORS).map((name) => [`collector.${name}`, 'true']))
  const fixtures = path.join(root, 'fixtures')
  const flags = {
    ...on,
    'path.procfs': path.join(fixtures, 'proc'),
    'path.sysfs': path.join(fixtures, 'sys'),
    'path.rootfs': fixtures,
    'path.udev.data': path.join(fixtures, 'udev/data'),
    'collector.qdisc.fixtures': path.join(fixtures, 'qdisc'),
    'collector.wifi.fixtures': path.join(fixtures, 'wifi'),
    'collector.cpu.info': 'true',
    'collector.bcache.priorityStats': 'true',
    'collector.stat.softirq': 'true',
    'collector.sysctl.include': 'fs.file-nr:total,current,max',
  }
  const exporter = createNodeExporter({ ...testEnv, disk, flags, version: 't' })
  const before = process.cpuUsage()
  const page = formatExposition(await exporter.collect())
  assert.ok(process.cpuUsage(before).user < PATIENCE_US, 'the scrape took too long')
  const seen = new Set<string>()
  for (const entry of parseExposition(new TextEncoder().encode(page), { format: 'text' })) {
    if (entry.kind !== 'series') continue
    const key = entry.series
    assert.ok(!seen.has(key), `twice: ${key}`)
    seen.add(key)
  }
  for (const name of Object.keys(COLLECTORS))
    assert.match(page, new RegExp(`node_scrape_collector_success\\{collector="${name}"\\} [01]`))
  return page
}

test('a scrape of damaged trees ends, and its page can be parsed', { skip: absent }, async () => {
  const root = temporaryFolder()
  execFileSync('tar', ['-xzf', archive, '-C', root])
  await fc.assert(
    fc.asyncProperty(fc.nat(0x7fffffff), fc.constantFrom(1, 2, 10), async (seed, rare) => {
      await scrape(damaged(testDisk, root, seed, rare), root)
    }),
    { numRuns: 20 },
  )
})

test('a pipe, a device without end, a folder and a huge file fail their collectors alone', async () => {
  const root = temporaryFolder()
  const proc = path.join(root, 'fixtures/proc')
  fs.mkdirSync(path.join(proc, 'net'), { recursive: true })
  fs.mkdirSync(path.join(root, 'fixtures/sys'))
  execFileSync('mkfifo', [path.join(proc, 'meminfo')])
  fs.symlinkSync('/dev/zero', path.join(proc, 'loadavg'))
  fs.mkdirSync(path.join(proc, 'vmstat'))
  fs.closeSync(fs.openSync(path.join(proc, 'stat'), 'w'))
  fs.truncateSync(path.join(proc, 'stat'), FILE_BYTES_MAX + 1)
  fs.writeFileSync(path.join(proc, 'uptime'), '1 1')
  const before = process.memoryUsage().rss
  const page = await scrape(testDisk, root)
  for (const name of ['meminfo', 'loadavg', 'vmstat', 'stat'])
    assert.match(page, new RegExp(`node_scrape_collector_success\\{collector="${name}"\\} 0`))
  assert.match(page, /node_scrape_collector_success\{collector="time"\} 1/)
  assert.ok(process.memoryUsage().rss - before < 200 * 2 ** 20)
})
