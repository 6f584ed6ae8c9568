/** Software RAID, from /proc/mdstat and the arrays' folders in sysfs. */
import { type Collector, FamilySet, NoDataError, type NodeContext } from './collector.ts'
import { listDirectory, readNumber, readOptional, readTrimmed } from './files.ts'

/** Upstream shows these; an array that is being reshaped is in none of them. */
const STATES = ['active', 'inactive', 'recovering', 'resync', 'check'] as const
type State = (typeof STATES)[number] | 'reshaping'

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
      for (const array of parseMdstat(text, file)) describe(out, array)
      for (const device of listDirectory(disk, `${sysfs}/block`)) {
        if (!/^md/.test(device)) continue
        // `4 (3)` while the array is reshaped.
        const raidDisks = Number.parseInt(readTrimmed(disk, `${sysfs}/block/${device}/md/raid_disks`) ?? '', 10)
        if (Number.isNaN(raidDisks)) continue
        out.gauge('md_raid_disks', 'Number of raid disks on device.', ['device', device], raidDisks)
        // Levels without redundancy have no such file.
        const degraded = readNumber(disk, `${sysfs}/block/${device}/md/degraded`) ?? 0
        out.gauge('md_degraded', 'Number of degraded disks on device.', ['device', device], degraded)
      }
      return out.list()
    },
  }
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
  const out: MdArray[] = []
  const rows = text.split('\n')
  for (let i = 0; i < rows.length; i++) {
    const line = rows[i]!
    const match = /^(\S+) : (\S+)/.exec(line)
    if (!match || /^(?:Personalities|unused)/.test(line)) continue
    const [, device = '', activity = ''] = match
    const status = rows[i + 1] ?? ''
    const blocks = Number.parseInt(status, 10)
    if (Number.isNaN(blocks)) throw new Error(`Cannot read ${file}: no size below "${line}"`)
    const { active, total } = diskCounts(line, status)
    const sync = syncOf(rows[(rows[i + 2] ?? '').includes('bitmap') ? i + 3 : i + 2] ?? '', blocks)
    out.push({
      device,
      state: sync.state ?? (activity === 'active' ? 'active' : 'inactive'),
      disksActive: active,
      disksTotal: total,
      disksFailed: line.split('(F)').length - 1,
      disksSpare: line.split('(S)').length - 1,
      blocks,
      blocksSynced: sync.synced,
    })
  }
  return out
}

function diskCounts(line: string, status: string): { readonly active: number; readonly total: number } {
  if (/\b(?:raid0|linear)\b/.test(line)) {
    const disks = line.split('[').length - 1
    return { active: disks, total: disks }
  }
  const match = /\[(\d+)\/(\d+)\]/.exec(status)
  if (line.includes('inactive') || !match) return { active: 0, total: 0 }
  return { active: Number(match[2]), total: Number(match[1]) }
}

/** `[=>...]  recovery =  8.5% (16775552/195310144) finish=…`, or `resync=DELAYED` of one that waits. */
function syncOf(line: string, blocks: number): { readonly state: State | null; readonly synced: number } {
  const action = /\b(recovery|resync|check|reshape)\b/.exec(line)?.[1]
  if (action === undefined) return { state: null, synced: blocks }
  const state = action === 'recovery' ? 'recovering' : action === 'reshape' ? 'reshaping' : (action as State)
  return { state, synced: Number(/\((\d+)\/\d+\)/.exec(line)?.[1] ?? 0) }
}
