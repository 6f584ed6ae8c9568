/** Graphics cards of AMD (amdgpu). */
import { type Collector, cleanName, FamilySet, type NodeContext } from './collector.ts'
import { baseName, listDirectory, readNumber, readTrimmed, realPath } from './files.ts'

const NUMBERS: readonly (readonly [file: string, name: string, help: string])[] = [
  ['gpu_busy_percent', 'gpu_busy_percent', 'How busy the GPU is as a percentage.'],
  ['mem_info_gtt_total', 'memory_gtt_size_bytes', 'The size of the graphics translation table (GTT) block in bytes.'],
  [
    'mem_info_gtt_used',
    'memory_gtt_used_bytes',
    'The used amount of the graphics translation table (GTT) block in bytes.',
  ],
  ['mem_info_vram_total', 'memory_vram_size_bytes', 'The size of VRAM in bytes.'],
  ['mem_info_vram_used', 'memory_vram_used_bytes', 'The used amount of VRAM in bytes.'],
  ['mem_info_vis_vram_total', 'memory_vis_vram_size_bytes', 'The size of visible VRAM in bytes.'],
  ['mem_info_vis_vram_used', 'memory_vis_vram_used_bytes', 'The used amount of visible VRAM in bytes.'],
]

export function drmCollector({ disk, sysfs }: NodeContext): Collector {
  const base = `${sysfs}/class/drm`
  return {
    name: 'drm',
    update() {
      const out = new FamilySet()
      for (const card of listDirectory(disk, base)) {
        if (!/^card\d+$/.test(card)) continue
        const folder = `${base}/${card}/device`
        if (!/^DRIVER=amdgpu$/m.test(readTrimmed(disk, `${folder}/uevent`) ?? '')) continue
        const read = (file: string): string => readTrimmed(disk, `${folder}/${file}`) ?? ''
        const chip = chipName(realPath(disk, folder))
        out.gauge('drm_card_info', 'Card information', [
          ...['card', card],
          ...(chip === '' ? [] : ['chip', chip]),
          ...['memory_vendor', read('mem_info_vram_vendor')],
          ...['power_performance_level', read('power_dpm_force_performance_level')],
          ...['unique_id', read('unique_id'), 'vendor', 'amd'],
        ])
        for (const [file, name, help] of NUMBERS)
          out.gauge(`drm_${name}`, help, ['card', card], readNumber(disk, `${folder}/${file}`) ?? 0)
      }
      return out.list()
    },
  }
}

/** As hwmon calls the chip, so that both join: bus and address of the device. */
function chipName(device: string | null): string {
  if (device === null) return ''
  const own = cleanName(baseName(device))
  const bus = cleanName(baseName(device.slice(0, device.lastIndexOf('/'))))
  return bus !== '' && own !== '' ? `${bus}_${own}` : own
}
