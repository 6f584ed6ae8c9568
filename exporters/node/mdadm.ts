/** Software RAID, from /proc/mdstat and the arrays' folders in sysfs. */
import { readGoFloat } from '../../protocol/exposition/mod.ts'
import { readUint } from './attributes.ts'
import { type Collector, collectInto, FamilySet, NoDataError, type NodeContext } from './collector.ts'
import { intOf, listDirectory, readOptional, readTrimmed, words } from './files.ts'

/** Upstream shows these; an array that is being reshaped is in none of them. */
const STATES = ['active', 'inactive', 'recovering', 'resync', 'check'] as const
type State = (typeof STATES)[number] | 'reshaping' | 'other'

/** Sizes in blocks of 1 KiB. */
type MdArray = {
  readonly device: string
  readonly state: State
  readonly disksActive: number
  readonly disksTotal: number
  readonly disksFailed: number
  readonly disksSpare: number
  readonly blocks: number
  readonly blocksSynced: number
}

export function mdadmCollector({ disk, procfs, sysfs }: NodeContext): Collector {
  const file = `${procfs}/mdstat`
  return {
    name: 'mdadm',
    update() {
      const text = readOptional(disk, file)
      if (text === null) throw new NoDataError('no software RAID')
      const out = new FamilySet()
      return collectInto(out, () => {
        for (const array of parseMdstat(text, file)) describe(out, array)
        for (const device of listDirectory(disk, `${sysfs}/block`))
          if (device.startsWith('md')) redundancy(disk, out, `${sysfs}/block/${device}/md`, device)
      })
    },
  }
}

/** Levels that can do without a disk; others have no file that counts what they lack. */
const REDUNDANT = new Set(['raid1', 'raid4', 'raid5', 'raid6', 'raid10'])
/** What holds arrays, and is none. */
const CONTAINERS = new Set(['container', 'imsm', 'ddf', ''])

/** Semantics: prometheus/procfs sysfs/mdraid.go. */
function redundancy(disk: NodeContext['disk'], out: FamilySet, folder: string, device: string): void {
  const level = readTrimmed(disk, `${folder}/level`)
  if (level === null) return
  // `4 (3)` while the array is reshaped.
  const disks = CONTAINERS.has(level) ? '' : (readTrimmed(disk, `${folder}/raid_disks`)?.split(' ')[0] ?? '')
  if (/^\d+$/.test(disks) && Number(disks) < 2 ** 64)
    out.gauge('md_raid_disks', 'Number of raid disks on device.', ['device', device], Number(disks))
  const missing = REDUNDANT.has(level) ? readUint(disk, `${folder}/degraded`) : 0
  out.gauge('md_degraded', 'Number of degraded disks on device.', ['device', device], missing ?? 0)
}

function describe(out: FamilySet, array: MdArray): void {
  const { device } = array
  const disks = (state: string, count: number): void =>
    out.gauge('md_disks', 'Number of active/failed/spare disks of device.', ['device', device, 'state', state], count)
  out.gauge('md_disks_required', 'Total number of disks of device.', ['device', device], array.disksTotal)
  disks('active', array.disksActive)
  disks('failed', array.disksFailed)
  disks('spare', array.disksSpare)
  out.gauge('md_blocks', 'Total number of blocks on device.', ['device', device], array.blocks)
  out.gauge('md_blocks_synced', 'Number of blocks synced on device.', ['device', device], array.blocksSynced)
  for (const state of STATES) {
    const help = 'Indicates the state of md-device.'
    out.gauge('md_state', help, ['device', device, 'state', state], state === array.state ? 1 : 0)
  }
}

/** A section of indented lines below each array's own line. Semantics: prometheus/procfs mdstat.go, parseMDStat. */
function parseMdstat(text: string, file: string): MdArray[] {
  const fail = (what: string, line: string): never => {
    throw new Error(`Cannot read ${file}: ${what}, got ${JSON.stringify(line)}`)
  }
  const out: MdArray[] = []
  const rows = text.split('\n')
  let hasPersonalities = false
  for (let i = 0; i < rows.length; i++) {
    const line = rows[i]!
    if (line.trim() === '' || line.startsWith(' ') || line.startsWith('unused')) continue
    if (!hasPersonalities && line.startsWith('Personalities : ')) {
      hasPersonalities = words(line).length > 2
      continue
    }
    const fields = words(line)
    if (fields.length < 3) fail('"NAME : STATE" expected', line)
    if (rows.length <= i + 3) fail('two lines more expected below the name of an array', line)
    const status = rows[i + 1]!
    const blocks = intOf(words(status)[0], file)
    const { active, total } = diskCounts(line, status) ?? fail('"[TOTAL/ACTIVE] [UU]" expected', status)
    const syncLine = rows[rows[i + 2]!.includes('bitmap') ? i + 3 : i + 2]!
    const state = stateOf(syncLine)
    out.push({
      device: fields[0]!,
      state: state ?? (fields[2] === 'active' || fields[2] === 'inactive' ? fields[2] : 'other'),
      disksActive: active,
      disksTotal: total,
      disksFailed: line.split('(F)').length - 1,
      disksSpare: line.split('(S)').length - 1,
      blocks,
      blocksSynced: state === null ? blocks : (syncedBlocks(syncLine) ?? fail('progress expected', syncLine)),
    })
  }
  return out
}

function diskCounts(line: string, status: string): { readonly active: number; readonly total: number } | null {
  if (/raid0|linear/.test(line)) {
    const disks = line.split('[').length - 1
    return { active: disks, total: disks }
  }
  if (line.includes('inactive')) return { active: 0, total: 0 }
  const match = /\d+ blocks .*\[(\d+)\/(\d+)\] \[[U_]+\]/.exec(status)
  return match && { active: Number(match[2]), total: Number(match[1]) }
}

function stateOf(line: string): State | null {
  if (line.includes('recovery')) return 'recovering'
  if (line.includes('reshape')) return 'reshaping'
  if (line.includes('check')) return 'check'
  return line.includes('resync') ? 'resync' : null
}

/** `[=>...]  recovery =  8.5% (16775552/195310144) finish=17.0min speed=259783K/sec`, or `resync=DELAYED` of one that waits. */
function syncedBlocks(line: string): number | null {
  if (/PENDING|DELAYED/.test(line)) return 0
  const blocks = /\((\d+)\/\d+\)/.exec(line)?.[1]
  const figures = [/= (.+)%/, /finish=(.+)min/, /speed=(.+)[A-Z]/].map((figure) => figure.exec(line)?.[1]?.trim() ?? '')
  const isWhole = figures.every((figure) => typeof readGoFloat(figure) === 'number')
  return blocks !== undefined && isWhole ? Number(blocks) : null
}
