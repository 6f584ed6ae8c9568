/** What the collectors of the node exporter share: where the system's files are, how they are read, how a metric is made. */
import type { Clock, Disk } from '../../protocol/env/mod.ts'
import type { FamilyType, Metric, MetricFamily } from '../../protocol/exposition/mod.ts'
import type { Flags } from '../contract.ts'

export type NodeContext = {
  readonly disk: Disk
  readonly clock: Clock
  readonly flags: Flags
  readonly procfs: string
  readonly sysfs: string
  readonly rootfs: string
  readonly udevData: string
}

/** `update` throws when its source cannot be read: the exporter then reports the collector as failed. */
export interface Collector {
  readonly name: string
  update(): readonly MetricFamily[] | Promise<readonly MetricFamily[]>
}

export function family(type: FamilyType, name: string, help: string, metrics: readonly Metric[]): MetricFamily {
  return { name: `node_${name}`, help, type, metrics }
}

/** A family of one sample without labels. */
export function single(type: FamilyType, name: string, help: string, value: number): MetricFamily {
  return family(type, name, help, [{ labels: [], value }])
}

/** null when the file is absent or cannot be read (many files of sysfs answer EINVAL). */
export function readOptional(disk: Disk, file: string): string | null {
  try {
    return disk.readText(file)
  } catch {
    return null
  }
}

/** `1,3-5,9` of the kernel's CPU lists. */
export function parseCpuList(text: string): number[] {
  const out: number[] = []
  for (const part of text.trim().split(',')) {
    if (part === '') continue
    const [first, last = first] = part.split('-')
    for (let cpu = Number(first); cpu <= Number(last); cpu++) out.push(cpu)
  }
  return out
}
