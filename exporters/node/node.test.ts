import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import { createLogger, nodeDisk, systemClock } from '../../agent/env/mod.ts'
import { peer } from '../../bench/peers/peers.ts'
import { formatExposition } from '../../protocol/exposition/mod.ts'
import { FlagError } from '../contract.ts'
import { FIXTURE_COLLECTORS, runNodeCases } from './conformance.ts'
import { createNodeExporter, readMounts } from './mod.ts'

const kit = process.env['HELIO_CONFORMANCE'] ?? path.resolve(import.meta.dirname, '../../../shared/conformance')
const folder = path.join(kit, 'exporters/node')
const absent = fs.existsSync(folder) ? false : `${folder} is absent`
const env = {
  disk: nodeDisk,
  clock: systemClock,
  log: createLogger({ level: 'error', format: 'logfmt', now: () => 0, write: () => {} }),
}
let unpacked = ''
after(() => unpacked && fs.rmSync(unpacked, { recursive: true }))

function fixtures(): string {
  if (unpacked === '') {
    unpacked = fs.mkdtempSync(path.join(os.tmpdir(), 'helio-node-'))
    execFileSync('tar', ['-xzf', path.join(folder, 'fixtures.tar.gz'), '-C', unpacked])
  }
  return unpacked
}

for (const collector of FIXTURE_COLLECTORS) {
  test(`${collector} on the fixtures is upstream's output, line by line`, { skip: absent }, async () => {
    const cases = JSON.parse(fs.readFileSync(path.join(folder, 'e2e.json'), 'utf8'))
    const expected = fs.readFileSync(path.join(folder, 'e2e-output.txt'), 'utf8')
    const results = await runNodeCases(cases, expected, fixtures(), env, [collector])
    assert.ok(results.length > 3)
    assert.deepEqual(
      results.filter(({ error }) => error !== null),
      [],
    )
  })
}

test('mount points are read as upstream reads them', { skip: absent }, () => {
  const cases = JSON.parse(fs.readFileSync(path.join(folder, 'e2e.json'), 'utf8')).filesystemMountPoints as Record<
    string,
    { rootfs: string | null; mountPoints: string[] }
  >
  for (const [procfs, { rootfs, mountPoints }] of Object.entries(cases)) {
    const mounts = readMounts({ disk: nodeDisk, procfs: path.join(fixtures(), procfs), rootfs: rootfs ?? '/' })
    assert.deepEqual([...new Set(mounts.map(({ mountPoint }) => mountPoint))].sort(), [...mountPoints].sort(), procfs)
  }
})

test('a file system mounted ro with other options is read-only', async () => {
  const line = '28 27 0:25 / /opt ro,nosuid,relatime - tmpfs none rw,size=4k'
  const disk = {
    ...nodeDisk,
    readText: (file: string) => (file.endsWith('/1/mountinfo') ? line : nodeDisk.readText(file)),
  }
  const text = formatExposition(await createNodeExporter({ ...env, disk, flags: {}, version: 't' }).collect())
  assert.match(text, /node_filesystem_readonly\{[^}]*mountpoint="\/opt"\} 1/)
})

test('an unknown flag is refused by name', () => {
  assert.throws(
    () => createNodeExporter({ ...env, flags: { 'collector.oracle': 'true' }, version: 't' }),
    (error) => error instanceof FlagError && error.flag === 'collector.oracle',
  )
})

test('a collector without its files fails alone', async () => {
  const exporter = createNodeExporter({ ...env, flags: { 'path.procfs': '/nonexistent' }, version: 't' })
  const text = formatExposition(await exporter.collect())
  assert.match(text, /node_scrape_collector_success\{collector="cpu"\} 0/)
  assert.match(text, /node_scrape_collector_success\{collector="time"\} 1/)
})

const real = peer('node-exporter')
// Debian's package has another default than upstream.
const EXCLUDE = '^/(dev|proc|sys|run)($|/)'
test('netdev, uname, os, time and filesystem agree with the real node exporter on this host', {
  skip: real.path === null ? real.reason : false,
}, async () => {
  const theirs = await realOutput(real.path!)
  const ours = parse(
    formatExposition(
      await createNodeExporter({
        ...env,
        flags: { 'collector.filesystem.mount-points-exclude': EXCLUDE },
        version: 't',
      }).collect(),
    ),
  )
  const families = /^node_(?:network_(?:receive|transmit)_\w+_total|uname_info|os_\w+|time_\w+|filesystem_\w+)/
  // Values that move between the two readings.
  const moving = /^node_(?:network_|filesystem_(?:free|avail|files_free)|time_seconds)/
  let compared = 0
  for (const [series, value] of theirs) {
    if (!families.test(series)) continue
    // node_exporter 1.11 joins a mount's options without a separator, and so misses `ro` beside other options.
    if (/^node_filesystem_readonly/.test(series)) continue
    compared++
    const mine = ours.get(series)
    assert.notEqual(mine, undefined, `missing ${series}`)
    if (!moving.test(series)) assert.equal(mine, value, series)
    else
      assert.ok(
        Math.abs(mine! - value) <= Math.max(0.2 * Math.abs(value), 1000),
        `${series}: ours ${mine}, theirs ${value}`,
      )
  }
  for (const series of ours.keys()) if (families.test(series)) assert.ok(theirs.has(series), `theirs lacks ${series}`)
  assert.ok(compared > 20)
})

function parse(text: string): Map<string, number> {
  const out = new Map<string, number>()
  for (const line of text.split('\n')) {
    const space = line.lastIndexOf(' ')
    if (line !== '' && !line.startsWith('#')) out.set(line.slice(0, space), Number(line.slice(space + 1)))
  }
  return out
}

async function realOutput(program: string): Promise<Map<string, number>> {
  const child = spawn(
    program,
    ['--web.listen-address=127.0.0.1:0', `--collector.filesystem.mount-points-exclude=${EXCLUDE}`],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  )
  try {
    let log = ''
    child.stderr.on('data', (chunk) => {
      log += chunk
    })
    for (let i = 0; i < 200; i++) {
      const address = /address=(127\.0\.0\.1:\d+)/.exec(log)?.[1]
      if (address) return parse(await (await fetch(`http://${address}/metrics`)).text())
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    throw new Error(`The node exporter did not start: ${log}`)
  } finally {
    child.kill()
  }
}
