/** `heliograph-hub tsdb` on a data directory: text in and out, what it says of damage, and what it saves. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import { promisify } from 'node:util'
import { queryValue, ROOT, until, withWorld } from './world.ts'

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'helio-tsdb-'))
after(() => fs.rmSync(folder, { recursive: true, force: true }))

type Ran = { readonly code: number; readonly stdout: string; readonly stderr: string }

async function tsdb(data: string, name: string, ...args: readonly string[]): Promise<Ran> {
  const all = [
    path.join(ROOT, 'hub/main.ts'),
    'tsdb',
    name,
    ...(data === '' ? [] : [`--storage.tsdb.path=${data}`]),
    ...args,
  ]
  try {
    return { code: 0, ...(await promisify(execFile)(process.execPath, all, { maxBuffer: 64 << 20 })) }
  } catch (error) {
    return error as Ran
  }
}

const START_S = 1_700_000_000
const SERIES = 300
const STEPS = 200

/** Three hours of a few series, with a name that is not a legacy one. */
function openMetrics(): string {
  const lines: string[] = ['# HELP requests Requests.', '# TYPE requests counter']
  for (let s = 0; s < SERIES; s++)
    for (let n = 0; n < STEPS; n++)
      lines.push(`requests_total{host="h${s}",path="/ä\\"\\n"} ${n * s} ${START_S + 60 * n}.25`)
  lines.push(
    '# TYPE temp gauge',
    'temp NaN 1700000000',
    'temp -Inf 1700000060',
    'temp 1e-300 1700000120',
    '{"unit.of°",a="b"} 4 1700000000',
    '# EOF',
  )
  return `${lines.join('\n')}\n`
}

const data = path.join(folder, 'data')
const file = path.join(folder, 'in.om')
fs.writeFileSync(file, openMetrics())
const linesOf = (text: string): string[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .sort()
const SAMPLES = SERIES * STEPS + 4

test('OpenMetrics text goes in once, and comes out as it was', async () => {
  const first = await tsdb(data, 'import', file)
  assert.equal(first.code, 0, first.stderr)
  assert.match(first.stdout, new RegExp(`^imported ${SAMPLES} samples into 2 blocks\n`))
  assert.match(first.stderr, /older than 15 days/)
  const again = await tsdb(data, 'import', '--format=openmetrics', file)
  assert.match(again.stdout, /imported before: nothing to do/)
  const out = path.join(folder, 'out.om')
  const exported = await tsdb(data, 'export', '--format=openmetrics', out)
  assert.match(exported.stdout, new RegExp(`^exported ${SAMPLES} samples`))
  const text = fs.readFileSync(out, 'utf8')
  assert.ok(text.endsWith('# EOF\n'))
  const plain = (line: string): string => line.replace(/ (\d+)$/, ' $1.000').replace(/\.25$/, '.250')
  const wanted = linesOf(fs.readFileSync(file, 'utf8'))
    .filter((line) => !line.startsWith('#'))
    .map(plain)
  const numbers = (lines: readonly string[]): string[] =>
    lines
      .map((line) =>
        line.replace(
          / (\S+) (\S+)$/,
          (_, value: string, time: string) => ` ${Number(value.replace('Inf', 'Infinity'))} ${time}`,
        ),
      )
      .sort()
  assert.deepEqual(numbers(linesOf(text).filter((line) => !line.startsWith('#'))), numbers(wanted))
  for (const line of ['# TYPE requests counter', '# HELP requests Requests.', '# TYPE temp gauge'])
    assert.ok(text.includes(`${line}\n`), line)
  const second = path.join(folder, 'second')
  assert.equal((await tsdb(second, 'import', out)).code, 0)
  assert.equal((await tsdb(second, 'dump')).stdout, (await tsdb(data, 'dump')).stdout)
})

const bad: readonly (readonly [name: string, text: string, why: RegExp])[] = [
  [
    'a line without a timestamp',
    'a 1 1\nb{c="d"} 2\n# EOF\n',
    /bad.om:2: expected timestamp for series b\{c="d"\}, got none/,
  ],
  ['a line that is none', 'a 1 1\na 2 2\na 3 3 4 5\n# EOF\n', /bad.om:3: /],
  ['no end', 'a 1 1\n', /bad.om:2: data does not end with # EOF/],
  ['more after the end', 'a 1 1\n# EOF\na 2 2\n', /bad.om:\d: /],
]
for (const [name, text, why] of bad)
  test(`text with ${name} is refused whole, by its line`, async () => {
    const target = path.join(folder, 'refused')
    fs.writeFileSync(path.join(folder, 'bad.om'), text)
    const { code, stderr } = await tsdb(target, 'import', path.join(folder, 'bad.om'))
    assert.equal(code, 1)
    assert.match(stderr, why)
    assert.deepEqual(fs.readdirSync(path.join(target, 'blocks')), [])
  })

test('text with times of the future is taken, with a warning that timestamps are seconds', async () => {
  const wrong = path.join(folder, 'ms.om')
  fs.writeFileSync(wrong, `# TYPE x gauge\nx 1 ${START_S}000\n# EOF\n`)
  const { code, stderr } = await tsdb(path.join(folder, 'future'), 'import', wrong)
  assert.equal(code, 0)
  assert.match(stderr, /warning: the newest sample is of .*, in the future: timestamps of OpenMetrics are seconds/)
})

test('list and analyze say what there is', async () => {
  const { stdout: listed } = await tsdb(data, 'list')
  const rows = listed
    .trimEnd()
    .split('\n')
    .slice(1)
    .map((line) => line.split(/ +/))
  assert.equal(rows.length, 2)
  assert.equal(
    rows.reduce((sum, row) => sum + Number(row[4]), 0),
    SAMPLES,
  )
  const { stdout } = await tsdb(data, 'analyze', '--limit=2')
  assert.match(stdout, new RegExp(`Total Series: ${SERIES + 2}\n`))
  assert.match(stdout, new RegExp(`Most common label pairs:\n${SERIES} __name__=requests_total\n`))
  assert.match(stdout, new RegExp(`Highest cardinality labels:\n${SERIES} host\n3 __name__\n`))
  const block = await tsdb(data, 'analyze', rows[0]![0]!)
  assert.match(block.stdout, /^Block ID: .*\nDuration: 2h0m0s\n/)
  assert.match(block.stdout, /Bytes per sample: \d\.\d{3}\n/)
  assert.match((await tsdb(data, 'analyze', 'none')).stderr, /there is no block "none"/)
})

test('verify names file and byte of what is damaged; repair saves the rest and says what is lost', async () => {
  const broken = path.join(folder, 'broken')
  fs.cpSync(data, broken, { recursive: true })
  const before = linesOf((await tsdb(broken, 'dump')).stdout)
  const sound = await tsdb(broken, 'verify')
  assert.equal(sound.code, 0, sound.stdout)
  assert.match(sound.stdout, /all checksums match/)
  const [first, second] = fs.readdirSync(path.join(broken, 'blocks')).filter((name) => /^\d+-\d+-\d+$/.test(name)) as [
    string,
    string,
  ]
  flip(path.join(broken, 'blocks', first, 'index'), 200)
  const chunks = path.join(broken, 'blocks', second, 'chunks')
  flip(chunks, 500)
  const damaged = await tsdb(broken, 'verify')
  assert.equal(damaged.code, 1)
  assert.match(damaged.stdout, new RegExp(`^${broken}/blocks/${first}/index:\\d+: index: wrong checksum\n`, 'm'))
  assert.match(damaged.stdout, new RegExp(`^${chunks}:16: run at byte 16: wrong checksum\n`, 'm'))
  const repaired = await tsdb(broken, 'repair')
  assert.equal(repaired.code, 0, repaired.stderr)
  assert.match(repaired.stdout, new RegExp(`blocks/${first}: .*the whole block is lost, kept as ${first}.damaged`))
  const lost = [...repaired.stdout.matchAll(/^ {2}(\{.*\}): (\d+) samples from (\S+) to (\S+)$/gm)]
  const inRun = lost.reduce((sum, [, , count]) => sum + Number(count), 0)
  assert.ok(inRun > 0)
  assert.match(repaired.stdout, new RegExp(`${second}: ${inRun} of \\d+ samples are lost; the rest is`))
  assert.equal((await tsdb(broken, 'verify')).code, 0)
  const after = new Set(linesOf((await tsdb(broken, 'dump')).stdout))
  const gone = before.filter((line) => !after.has(line))
  const [from = 0, to = 0] = first.split('-').map(Number)
  const ofBlock = before.filter((line) => Number(line.split(' ').at(-1)) >= from && Number(line.split(' ').at(-1)) < to)
  assert.equal(gone.length, ofBlock.length + inRun, 'no more is gone than it said')
  assert.equal(after.size, before.length - gone.length, 'nothing was invented')
  assert.ok(fs.existsSync(`${chunks.slice(0, -'/chunks'.length)}.damaged`))
  assert.match((await tsdb(broken, 'repair')).stdout, /nothing is damaged/)
})

const SCRAPES = 'count_over_time(up{job="own"}[1m])'

test('a damaged log is told of by verify and mended by repair; a hub starts on the rest', () =>
  withWorld(async (world) => {
    const hub = await world.startHub({
      config: `global: { scrape_interval: 200ms }\nscrape_configs: [{ job_name: own, static_configs: [{ targets: ['127.0.0.1:1'] }] }]`,
    })
    await until('the log has records enough', async () => Number(await queryValue(hub, SCRAPES)) >= 10)
    await hub.stop()
    const log = path.join(
      hub.dataFolder,
      'wal',
      fs
        .readdirSync(path.join(hub.dataFolder, 'wal'))
        .filter((name) => /^\d+\.wal$/.test(name))
        .at(-1)!,
    )
    assert.equal((await tsdb(hub.dataFolder, 'verify')).code, 0)
    flip(log, 4096 + 40)
    const damaged = await tsdb(hub.dataFolder, 'verify')
    assert.equal(damaged.code, 1, damaged.stdout)
    assert.match(damaged.stdout, new RegExp(`^${log}:4096: no sound record up to byte \\d+`, 'm'))
    const repaired = await tsdb(hub.dataFolder, 'repair')
    assert.match(repaired.stdout, new RegExp(`^${log}:4096: .*bytes of the log are lost, kept as .*/quarantine/`, 'm'))
    assert.equal((await tsdb(hub.dataFolder, 'verify')).code, 0, 'of the older generation, too')
    assert.match((await tsdb(hub.dataFolder, 'repair')).stdout, /nothing is damaged/)
    await hub.restart()
  }))

test('commands have their help, and bad usage is 2', async () => {
  for (const name of ['analyze', 'import']) {
    const { code, stdout } = await tsdb('', name, '--help')
    assert.equal(code, 0)
    assert.match(stdout, new RegExp(`^usage: heliograph-hub tsdb ${name}[^]*--storage.tsdb.path`))
  }
  for (const args of [['import'], ['dump', '--match={'], ['verify', '--match=a']])
    assert.equal((await tsdb('', args[0]!, ...args.slice(1))).code, 2, args.join(' '))
  const missing = await tsdb(path.join(folder, 'missing'), 'dump')
  assert.equal(missing.code, 1)
  assert.match(missing.stderr, /there is no data directory/)
})

function flip(name: string, at: number): void {
  const bytes = fs.readFileSync(name)
  bytes[at] = bytes[at]! ^ 0x40
  fs.writeFileSync(name, bytes)
}
