/**
 * The node exporter on this host beside the real one, without an agent around it: the collectors that read files.
 * Those that ask the kernel or a daemon are in `node-exporter.test.ts`.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import type { Flags } from '../../../exporters/contract.ts'
import { createNodeExporter } from '../../../exporters/node/mod.ts'
import { temporaryFolder, testEnv } from '../../../exporters/testing/env.ts'
import { formatExposition } from '../../../protocol/exposition/mod.ts'
import { peer } from '../../peers/peers.ts'
import { untilHolds } from '../client.ts'

async function page(flags: Flags): Promise<string> {
  return formatExposition(await createNodeExporter({ ...testEnv, flags, version: 't' }).collect())
}

const real = peer('node-exporter')
const skipReal = real.path === null ? real.reason : false

/** Debian's package has other defaults than upstream; timex needs system calls, which these tests do not give. */
const COMMON = {
  'collector.filesystem.mount-points-exclude': '^/(dev|proc|sys|run)($|/)',
  'collector.textfile.directory': '',
  'collector.systemd': 'false',
  'collector.timex': 'false',
}
/** Those that node_exporter 1.11 does not have yet, or of which it tells less. */
const NEWER = /dmmultipath|node_ksmd_general_profit|node_exporter_build_info|^node_drm_card_info/
/** It reads `ro` only as the sole option of a mount, and takes a disk without all queue attributes as not rotating. */
const KNOWN_BUGS = /^node_(?:filesystem_readonly|disk_info)/

test('all default-on collectors agree with the real node exporter on this host', { skip: skipReal }, async () => {
  await compare(COMMON)
})

test('collectors that are off by default agree with the real node exporter on this host', {
  skip: skipReal,
}, async () => {
  const names = [
    ...['buddyinfo', 'cgroups', 'cpu_vulnerabilities', 'interrupts', 'lnstat', 'meminfo_numa', 'mountstats'],
    ...['pcidevice', 'softirqs', 'swap', 'xfrm', 'zoneinfo'],
  ]
  const flags = Object.fromEntries(names.map((name) => [`collector.${name}`, 'true']))
  await compare({ ...COMMON, 'collector.disable-defaults': 'true', ...flags })
})

test('network devices in detail agree with the real node exporter on this host', { skip: skipReal }, async () => {
  await compare({
    ...COMMON,
    'collector.disable-defaults': 'true',
    'collector.netdev': 'true',
    'collector.netdev.enable-detailed-metrics': 'true',
    'collector.netdev.label-ifalias': 'true',
  })
})

test('graphics cards of a made-up tree are those of the real node exporter', { skip: skipReal }, async () => {
  const sysfs = temporaryFolder()
  const device = path.join(sysfs, 'devices/pci0000:00/0000:09:00.0')
  const files: Record<string, string> = {
    uevent: 'DRIVER=amdgpu\nPCI_CLASS=30000\n',
    gpu_busy_percent: '4\n',
    mem_info_gtt_total: '8573157376\n',
    mem_info_gtt_used: '144560128\n',
    mem_info_vis_vram_total: '8573157376\n',
    mem_info_vis_vram_used: '1490378752\n',
    mem_info_vram_total: '8573157376\n',
    mem_info_vram_used: '1490378752\n',
    mem_info_vram_vendor: 'samsung\n',
    power_dpm_force_performance_level: 'manual\n',
    unique_id: '0123456789abcdef\n',
  }
  fs.mkdirSync(device, { recursive: true })
  for (const [name, text] of Object.entries(files)) fs.writeFileSync(path.join(device, name), text)
  fs.mkdirSync(path.join(sysfs, 'class/drm/card0'), { recursive: true })
  fs.symlinkSync(device, path.join(sysfs, 'class/drm/card0/device'))
  const flags = { 'path.sysfs': sysfs, 'collector.disable-defaults': 'true', 'collector.drm': 'true' }
  await compare(flags)
  // The chip's name is new in 1.12, so that the series join with those of hwmon.
  assert.match(
    await page(flags),
    /^node_drm_card_info\{card="card0",chip="pci0000:00_0000:09:00_0",memory_vendor="samsung"/m,
  )
})

/** Same families, types and series; the same values, but for those that move between the two readings. */
async function compare(flags: Readonly<Record<string, string>>): Promise<void> {
  // What they are read of moves meanwhile: other tests mount file systems.
  await untilHolds('both tell the same', () => compareOnce(flags))
}

async function compareOnce(flags: Readonly<Record<string, string>>): Promise<void> {
  const theirs = parse(await realOutput(real.path!, flags))
  const ours = parse(await page(flags))
  const interesting = (series: string): boolean => !NEWER.test(series) && !KNOWN_BUGS.test(series)
  const missing = [...theirs.keys()].filter((series) => interesting(series) && !ours.has(series))
  const extra = [...ours.keys()].filter((series) => interesting(series) && !theirs.has(series))
  assert.deepEqual({ missing, extra }, { missing: [], extra: [] })
  const differing: string[] = []
  for (const [series, value] of theirs) {
    if (!interesting(series) || /duration_seconds|^# HELP node_ksmd/.test(series)) continue
    const mine = ours.get(series)!
    if (mine !== value && !closeTo(Number(mine), Number(value)))
      differing.push(`${series}: ours ${mine}, theirs ${value}`)
  }
  // A host that works hard may move one gauge a lot (procs_running, a queue) between two readings.
  assert.ok(differing.length <= 0.03 * theirs.size, differing.join('\n'))
  assert.ok(theirs.size > 10)
}

function closeTo(a: number, b: number): boolean {
  return Math.abs(a - b) <= Math.max(0.2 * Math.abs(b), 1000)
}

/** Series with their values, and HELP and TYPE lines, of the exporter's own families. */
function parse(text: string): Map<string, string> {
  const out = new Map<string, string>()
  for (const line of text.split('\n')) {
    const meta = /^(# (?:HELP|TYPE) node_\S+) (.*)$/.exec(line)
    if (meta) out.set(meta[1]!, meta[2]!)
    else if (line.startsWith('node_'))
      out.set(line.slice(0, line.lastIndexOf(' ')), line.slice(line.lastIndexOf(' ') + 1))
  }
  return out
}

async function realOutput(program: string, flags: Readonly<Record<string, string>>): Promise<string> {
  const words = Object.entries(flags).map(([name, value]) =>
    value === 'true' ? `--${name}` : value === 'false' ? `--no-${name}` : `--${name}=${value}`,
  )
  const child = spawn(program, ['--web.listen-address=127.0.0.1:0', ...words], { stdio: ['ignore', 'ignore', 'pipe'] })
  try {
    let log = ''
    child.stderr.on('data', (chunk) => {
      log += chunk
    })
    for (let i = 0; i < 1200; i++) {
      const address = /address=(127\.0\.0\.1:\d+)/.exec(log)?.[1]
      if (address) return await (await fetch(`http://${address}/metrics`)).text()
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    throw new Error(`The node exporter did not start: ${log}`)
  } finally {
    child.kill()
  }
}
