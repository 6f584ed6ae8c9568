/**
 * The kit's fixture trees with one file damaged, read by the node exporter and by the packaged upstream one: both must
 * show the same values and the same successes. Seeded: `HELIO_SEED=7 HELIO_CASES=20000` looks further.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { after, test } from 'node:test'
import type { Flags } from '../../../exporters/contract.ts'
import { COLLECTORS } from '../../../exporters/node/collectors.ts'
import { createNodeExporter } from '../../../exporters/node/mod.ts'
import { KIT, temporaryFolder, testDisk, testEnv } from '../../../exporters/testing/env.ts'
import { formatExposition } from '../../../protocol/exposition/mod.ts'
import { peer } from '../../peers/peers.ts'
import { freePort } from '../world.ts'
import { damage, type Random, randomOf, SAFE_WORDS, WORDS } from './damage.ts'

const real = peer('node-exporter')
const archive = path.join(KIT, 'exporters/node/fixtures.tar.gz')
const skip = real.path === null ? real.reason : !fs.existsSync(archive) && `${archive} is absent`
const CASES = Number(process.env['HELIO_CASES'] ?? 1500)
const SEED = Number(process.env['HELIO_SEED'] ?? 1)

/** Of the host and not of the trees; or of helpers in JSON that upstream made for its own tests. */
const ELSEWHERE =
  /^(?:timex|time|ntp|tcpstat|network_route|ethtool|perf|logind|systemd|supervisord|textfile|uname|filesystem|runit|arp|os|processes|netdev|wifi|qdisc|selinux)$/
/** What the packaged 1.11 does not have, or reads once, when it starts. */
const NEWER = /^(?:dmmultipath|nvmesubsystem|dmi)$/
const NEWER_METRICS = /^node_(?:edac_channel|ksmd_general_profit|mountstats_nfs_mountpoint_info|hwmon_)/
const NEWER_FILES = /\/ch\d+_|\/general_profit$|\/hwmon\/|\/devices\/system\/cpu\/isolated$/
/**
 * Whose differences are meant: which mount has which address is told by its path, not by its place in another file; one
 * parser reads /proc/cpuinfo of all architectures; for `rotational` see the exporter's README.
 */
const OTHERWISE = /\/mount(?:info|stats)$|\/cpuinfo$|\/queue\/rotational$|\/ports\/\d+\/rate$/
/**
 * Sizes with a unit, which upstream casts from floats: what no size can be, and beyond 2^64, are other numbers there. And
 * numbers that nobody shows: whether they fit into 32 or 64 bits is not looked at here.
 */
const CAST =
  /\/(?:thermal_zone\d+|bcache|bcachefs|btrfs|infiniband|nvme)\/|\/(?:meminfo|stat|udp|mdstat|diskstats)$|\/pci\//

const root = skip ? '' : temporaryFolder()
const fixtures = path.join(root, 'fixtures')
let running: { readonly child: ChildProcess; readonly url: string } | null = null
after(() => running?.child.kill('SIGKILL'))

const names = Object.keys(COLLECTORS).filter((name) => !ELSEWHERE.test(name) && !NEWER.test(name))
const FLAGS: Flags = {
  'collector.disable-defaults': 'true',
  'web.disable-exporter-metrics': 'true',
  'path.procfs': `${fixtures}/proc`,
  'path.sysfs': `${fixtures}/sys`,
  'path.rootfs': fixtures,
  'path.udev.data': `${fixtures}/udev/data`,
}
const OWN_FLAGS: Flags = {
  'collector.cpu.info': 'true',
  'collector.bcache.priorityStats': 'true',
  'collector.stat.softirq': 'true',
  'collector.sysctl.include': ['fs.file-nr', 'fs.file-nr:total,current,max', 'kernel.threads-max'],
}

test(`${CASES} damaged files are read, or refused, as by the real node exporter (seed ${SEED})`, { skip }, async () => {
  execFileSync('tar', ['-xzf', archive, '-C', root])
  const readers = await filesOf()
  const files = [...readers.keys()].filter((file) => !NEWER_FILES.test(file) && !OTHERWISE.test(file)).sort()
  assert.ok(files.length > 600, `${files.length} files`)
  const random = randomOf(SEED)
  const usual = await usualDifferences()
  const counts = { same: 0, failed: 0, crashed: 0 }
  const wrong: string[] = []
  // Each collector in turn: some have a thousand files, and some have one.
  for (let i = 0; i < CASES; i++) {
    const name = names[i % names.length]!
    const own = files.filter((file) => readers.get(file)!.has(name))
    if (own.length === 0) continue
    const outcome = await compare(own[random(own.length)]!, name, random, usual.get(name)!)
    if (outcome.length < 10) counts[outcome as keyof typeof counts]++
    else wrong.push(outcome)
  }
  assert.deepEqual(wrong, [], `${JSON.stringify(counts)}`)
  assert.ok(counts.same > CASES / 3 && counts.failed > CASES / 8, JSON.stringify(counts))
})

/** `same`, `failed` (both), `crashed` (upstream did), or what differs. */
async function compare(file: string, name: string, random: Random, usual: ReadonlySet<string>): Promise<string> {
  const original = fs.readFileSync(file)
  // Its counters must not seem to go back.
  if (name === 'cpu') stop()
  try {
    const damaged = damage(original.toString('latin1'), random, CAST.test(file) ? SAFE_WORDS : WORDS)
    fs.writeFileSync(file, Buffer.from(damaged, 'latin1'))
    const theirs = await realPage(name)
    if (theirs === null) return 'crashed'
    const ours = await ownPage(name)
    const success = `node_scrape_collector_success{collector="${name}"}`
    // What stands there beside a failure depends on the order in which Go walks its maps.
    if (ours.get(success) === '0' && theirs.get(success) === '0') return 'failed'
    const keys = new Set([...ours.keys(), ...theirs.keys()])
    const differing = [...keys].filter((key) => !usual.has(key) && ours.get(key) !== theirs.get(key))
    if (differing.length === 0) return 'same'
    const shown = differing.slice(0, 3).map((key) => `${key}: ours ${ours.get(key)}, theirs ${theirs.get(key)}`)
    return `${path.relative(root, file)} ${changeOf(original.toString('latin1'), damaged)}\n  ${shown.join('\n  ')}`
  } finally {
    fs.writeFileSync(file, original)
  }
}

function changeOf(before: string, now: string): string {
  const [old, text] = [before.split('\n'), now.split('\n')]
  const at = old.findIndex((line, i) => line !== text[i])
  return `line ${at + 1}: ${JSON.stringify(old[at]?.slice(0, 120))} -> ${JSON.stringify(text[at]?.slice(0, 120))}`
}

/** By file, the collectors that read it. */
async function filesOf(): Promise<Map<string, Set<string>>> {
  const out = new Map<string, Set<string>>()
  for (const name of names) {
    const note = (file: string): void => {
      if (!file.startsWith(`${fixtures}/`) || !fs.statSync(file, { throwIfNoEntry: false })?.isFile()) return
      if (!/\/auxv$|\/kernel\/arch$/.test(file)) out.set(file, (out.get(file) ?? new Set()).add(name))
    }
    const disk = {
      ...testDisk,
      readText(file: string) {
        note(file)
        return testDisk.readText(file)
      },
    }
    const exporter = createNodeExporter({ ...testEnv, disk, flags: allFlags(), version: 't' })
    await exporter.collect(new URLSearchParams({ 'collect[]': name }))
  }
  return out
}

/** What the two show differently of trees that nobody has damaged: what is new since 1.11. */
async function usualDifferences(): Promise<Map<string, ReadonlySet<string>>> {
  const out = new Map<string, ReadonlySet<string>>()
  for (const name of names) {
    const [ours, theirs] = [await ownPage(name), await realPage(name)]
    const keys = [...new Set([...ours.keys(), ...theirs!.keys()])].filter((key) => ours.get(key) !== theirs!.get(key))
    assert.deepEqual(keys, [], `${name} of trees without damage`)
    out.set(name, new Set(keys))
  }
  return out
}

/** All are on with both: some ask whether another one is. */
function allFlags(): Flags {
  return { ...FLAGS, ...OWN_FLAGS, ...Object.fromEntries(names.map((name) => [`collector.${name}`, 'true'])) }
}

type Page = ReadonlyMap<string, string>

async function ownPage(name: string): Promise<Page> {
  const exporter = createNodeExporter({ ...testEnv, flags: allFlags(), version: 't' })
  return pageOf(formatExposition(await exporter.collect(new URLSearchParams({ 'collect[]': name }))))
}

/** null when it has crashed, as it does of many a file. */
async function realPage(name: string): Promise<Page | null> {
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      running ??= await start()
      const response = await fetch(`${running.url}/metrics?collect[]=${name}`)
      return response.ok ? pageOf(await response.text()) : null
    } catch {
      stop()
    }
  }
  return null
}

function stop(): void {
  running?.child.kill('SIGKILL')
  running = null
}

async function start(): Promise<NonNullable<typeof running>> {
  const port = await freePort()
  const words = Object.entries(allFlags()).flatMap(([flag, values]) =>
    [values].flat().map((value) => (value === 'true' ? `--${flag}` : `--${flag}=${value}`)),
  )
  const args = [`--web.listen-address=127.0.0.1:${port}`, '--log.level=error', ...words]
  const child = spawn(real.path!, args, { stdio: 'ignore' })
  const url = `http://127.0.0.1:${port}`
  for (let tries = 0; child.exitCode === null && tries < 3000; tries++) {
    if (
      await fetch(url).then(
        ({ ok }) => ok,
        () => false,
      )
    )
      return { child, url }
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  child.kill('SIGKILL')
  throw new Error('the node exporter does not start')
}

/** Values by series, as floats; bytes that are no UTF-8 are the same to both. */
function pageOf(text: string): Page {
  const out = new Map<string, string>()
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#') || NEWER_METRICS.test(line)) continue
    if (/^node_(?:scrape_collector_duration|exporter_build_info)/.test(line)) continue
    const at = line.lastIndexOf(' ')
    out.set(line.slice(0, at).replace(/mountaddr="[^"]*"/, ''), String(Number(line.slice(at + 1))))
  }
  return out
}
