/**
 * The details of /proc/cpuinfo, where they are wanted. Every architecture writes it its own way; upstream has a parser
 * for each, of which this one takes what they have in common. Semantics: node_exporter collector/cpu_linux.go,
 * updateInfo (v1.12); prometheus/procfs cpuinfo.go.
 */
import type { Metric, MetricFamily } from '../../protocol/exposition/mod.ts'
import { compileRegex } from '../../protocol/matchers/mod.ts'
import { booleanFlag } from '../contract.ts'
import { family, type NodeContext } from './collector.ts'

type Cpu = {
  readonly processor: string
  /** The first of these keys that there is, '' for none. */
  readonly field: (...names: readonly string[]) => string
}

export function cpuInfo(
  { disk, procfs, flags }: NodeContext,
  { flagsInclude, bugsInclude }: { readonly flagsInclude: string; readonly bugsInclude: string },
): MetricFamily[] {
  const cpus = parseCpus(disk.readText(`${procfs}/cpuinfo`))
  const place = ({ field, processor }: Cpu): string[] => ['core', field('core id', 'hart'), 'cpu', processor]
  const info = cpus.map((cpu) => {
    const { field } = cpu
    return {
      labels: [
        ...['cachesize', field('cache size'), ...place(cpu), 'family', field('cpu family', 'CPU Family')],
        ...['microcode', field('microcode'), 'model', field('model')],
        // MIPS, RISC-V, LoongArch, old kernels of ARM.
        ...['model_name', field('model name', 'cpu model', 'isa', 'Model Name', 'Processor')],
        ...['package', field('physical id'), 'stepping', field('stepping')],
        ...['vendor', field('vendor_id', 'vendor', 'cpu', 'system type')],
      ],
      value: 1,
    }
  })
  const families = [family('gauge', 'cpu_info', 'CPU information from /proc/cpuinfo.', info)]
  // Upstream asks for the collector, not for what it found.
  const defaultOn = !booleanFlag(flags, 'collector.disable-defaults', false)
  if (booleanFlag(flags, 'collector.cpufreq', defaultOn)) {
    const frequency = cpus.map((cpu) => ({
      labels: [...place(cpu), 'package', cpu.field('physical id')],
      value: (Number.parseFloat(cpu.field('cpu MHz', 'CPU MHz', 'cpu MHz dynamic', 'clock')) || 0) * 1e6,
    }))
    families.push(family('gauge', 'cpu_frequency_hertz', 'CPU frequency in hertz from /proc/cpuinfo.', frequency))
  }
  const source = 'of CPU information from /proc/cpuinfo taken from the first core.'
  const first = cpus[0]
  families.push(
    family(
      'gauge',
      'cpu_flag_info',
      `The \`flags\` field ${source}`,
      words(first?.field('flags', 'Features', 'features'), 'flag', flagsInclude),
    ),
    family('gauge', 'cpu_bug_info', `The \`bugs\` field ${source}`, words(first?.field('bugs'), 'bug', bugsInclude)),
  )
  return families
}

function words(text: string | undefined, label: string, include: string): Metric[] {
  if (include === '' || text === undefined) return []
  const regex = compileRegex(include)
  const kept = text.split(/\s+/).filter((word) => word !== '' && regex.matcher(word).find())
  return kept.map((word) => ({ labels: [label, word], value: 1 }))
}

/**
 * Sections of `key : value`, one a CPU; what stands outside of them is of all. s390x has a line
 * `processor N: …` for each CPU first, then its section by the name of `cpu number`.
 */
function parseCpus(text: string): Cpu[] {
  const common = new Map<string, string>()
  const sections = new Map<string, Map<string, string>>()
  for (const block of text.split(/\n\s*\n/)) {
    const fields = new Map<string, string>()
    for (const line of block.split('\n')) {
      const at = line.indexOf(':')
      if (at < 0) continue
      const [key, value] = [line.slice(0, at).trim(), line.slice(at + 1).trim()]
      const listed = /^processor (\d+)$/.exec(key)
      if (listed) sections.set(listed[1]!, new Map())
      else fields.set(key, value)
    }
    const number = fields.get('processor') ?? fields.get('cpu number')
    if (number === undefined) for (const [key, value] of fields) common.set(key, value)
    else sections.set(number, fields)
  }
  return [...sections].map(([processor, fields]) => ({
    processor,
    field(...names) {
      const found = names.find((name) => fields.has(name)) ?? names.find((name) => common.has(name))
      return found === undefined ? '' : (fields.get(found) ?? common.get(found)!)
    },
  }))
}
