/** Memory errors that the hardware detected and corrected. */
import { readUint } from './attributes.ts'
import { type Collector, FamilySet, type NodeContext } from './collector.ts'
import { listDirectory, readTrimmed } from './files.ts'

export function edacCollector({ disk, sysfs }: NodeContext): Collector {
  const base = `${sysfs}/devices/system/edac/mc`
  return {
    name: 'edac',
    update() {
      const out = new FamilySet()
      for (const name of listDirectory(disk, base)) {
        const controller = /^mc(\d+)$/.exec(name)?.[1]
        if (controller !== undefined) controllerErrors(disk, out, `${base}/${name}`, controller)
      }
      return out.list()
    },
  }
}

type Disk = NodeContext['disk']

function controllerErrors(disk: Disk, out: FamilySet, folder: string, controller: string): void {
  const labels = ['controller', controller]
  count(disk, out, `${folder}/ce_count`, 'correctable', 'edac', 'Total correctable memory errors.', labels)
  count(disk, out, `${folder}/ue_count`, 'uncorrectable', 'edac', 'Total uncorrectable memory errors.', labels)
  // Errors without a row: upstream counts them as a row of their own.
  rowErrors(disk, out, folder, [...labels, 'csrow', 'unknown'], 'noinfo_')
  for (const name of listDirectory(disk, folder)) {
    const csrow = /^csrow(\d+)$/.exec(name)?.[1]
    if (csrow === undefined) continue
    rowErrors(disk, out, `${folder}/${name}`, [...labels, 'csrow', csrow], '')
    channelErrors(disk, out, `${folder}/${name}`, controller, csrow)
  }
}

function rowErrors(disk: Disk, out: FamilySet, folder: string, labels: readonly string[], infix: string): void {
  const help = (kind: string): string => `Total ${kind} memory errors for this csrow.`
  const kinds = [
    ['ce', 'correctable'],
    ['ue', 'uncorrectable'],
  ] as const
  for (const [short, kind] of kinds)
    count(disk, out, `${folder}/${short}_${infix}count`, kind, 'edac_csrow', help(kind), labels)
}

function channelErrors(disk: Disk, out: FamilySet, folder: string, controller: string, csrow: string): void {
  for (const name of listDirectory(disk, folder)) {
    const match = /^ch(\d+)_(ce|ue)_count$/.exec(name)
    if (!match) continue
    const [, channel = '', short] = match
    const kind = short === 'ce' ? 'correctable' : 'uncorrectable'
    const label = dimmLabel(readTrimmed(disk, `${folder}/ch${channel}_dimm_label`), controller, csrow, channel)
    count(disk, out, `${folder}/${name}`, kind, 'edac_channel', `Total ${kind} memory errors for this channel.`, [
      ...['channel', channel, 'controller', controller],
      ...['csrow', csrow, 'dimm_label', label],
    ])
  }
}

/** Slots without a name of their own are called `mc#0csrow#0channel#0` by the kernel. */
function dimmLabel(given: string | null, controller: string, csrow: string, channel: string): string {
  const generic = `mc${controller}csrow${csrow}channel${channel}`
  const plain = given?.replaceAll('#', '') ?? ''
  return plain === '' || plain === generic ? `mc${controller}_csrow${csrow}_channel${channel}` : given!
}

function count(
  disk: Disk,
  out: FamilySet,
  file: string,
  kind: string,
  prefix: string,
  help: string,
  labels: readonly string[],
): void {
  const value = readUint(disk, file)
  if (value !== null) out.counter(`${prefix}_${kind}_errors_total`, help, labels, value)
}
