/** Frequencies and governors of CPU threads. */
import { readUint } from './attributes.ts'
import { type Collector, FamilySet, type NodeContext } from './collector.ts'
import { listDirectory, readTrimmed } from './files.ts'

const KILOHERTZ = 1000
const FREQUENCIES: readonly (readonly [file: string, name: string, help: string])[] = [
  ['cpuinfo_cur_freq', 'cpu_frequency_hertz', 'Current CPU thread frequency in hertz.'],
  ['cpuinfo_min_freq', 'cpu_frequency_min_hertz', 'Minimum CPU thread frequency in hertz.'],
  ['cpuinfo_max_freq', 'cpu_frequency_max_hertz', 'Maximum CPU thread frequency in hertz.'],
  ['scaling_cur_freq', 'cpu_scaling_frequency_hertz', 'Current scaled CPU thread frequency in hertz.'],
  ['scaling_min_freq', 'cpu_scaling_frequency_min_hertz', 'Minimum scaled CPU thread frequency in hertz.'],
  ['scaling_max_freq', 'cpu_scaling_frequency_max_hertz', 'Maximum scaled CPU thread frequency in hertz.'],
]

export function cpufreqCollector({ disk, sysfs }: NodeContext): Collector {
  const base = `${sysfs}/devices/system/cpu`
  return {
    name: 'cpufreq',
    update() {
      const out = new FamilySet()
      for (const name of listDirectory(disk, base)) {
        const cpu = /^cpu(\d+)$/.exec(name)?.[1]
        const folder = `${base}/${name}/cpufreq`
        if (cpu === undefined || !disk.stat(folder)) continue
        for (const [file, metric, help] of FREQUENCIES) {
          const value = readUint(disk, `${folder}/${file}`)
          if (value !== null) out.gauge(metric, help, ['cpu', cpu], value * KILOHERTZ)
        }
        const current = readTrimmed(disk, `${folder}/scaling_governor`) ?? ''
        if (current === '') continue
        for (const governor of readTrimmed(disk, `${folder}/scaling_available_governors`)?.split(' ') ?? []) {
          out.gauge(
            'cpu_scaling_governor',
            'Current enabled CPU frequency governor.',
            ['cpu', cpu, 'governor', governor],
            governor === current ? 1 : 0,
          )
        }
      }
      return out.list()
    },
  }
}
