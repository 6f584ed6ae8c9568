/** What the collectors of the node exporter share: where the system's files are, how they are read, how a metric is made. */
import type { Clock, Disk, Kernel, Logger, Net, Random } from '../../protocol/env/mod.ts'
import type { FamilyType, Metric, MetricFamily } from '../../protocol/exposition/mod.ts'
import { compileRegex } from '../../protocol/matchers/mod.ts'
import { FlagError, type Flags, stringFlag } from '../contract.ts'

export type NodeContext = {
  readonly disk: Disk
  readonly clock: Clock
  readonly log: Logger
  /** Absent where the runtime cannot call the system. */
  readonly kernel?: Kernel | undefined
  /** Absent where only files are read. */
  readonly net?: Net | undefined
  /** Absent in tests that need none. */
  readonly random?: Random | undefined
  /** The socket of the system's D-Bus. */
  readonly systemBus: string
  /** The variable TZ, where it is set. */
  readonly timeZone?: string | undefined
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
  /** Gives back what it holds between scrapes. */
  close?(): void
}

/** The system does not have what the collector reads: not a failure to shout about. */
export class NoDataError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'NoDataError'
  }
}

/** Failed after some of it had been read, which is shown beside the failure, as upstream. */
export class PartialError extends Error {
  readonly families: readonly MetricFamily[]
  override readonly cause: Error
  constructor(families: readonly MetricFamily[], cause: Error) {
    super(cause.message)
    this.name = 'PartialError'
    this.families = families
    this.cause = cause
  }
}

/** Runs what adds to the set. @throws PartialError with what is in the set by then */
export function collectInto(out: FamilySet, read: () => void): readonly MetricFamily[] {
  try {
    read()
    return out.list()
  } catch (error) {
    throw new PartialError(out.list(), error as Error)
  }
}

/** A collector needs what this process was not given: not the system's fault, and not "no data". */
export class UnavailableError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'UnavailableError'
  }
}

/** @throws UnavailableError where there is none */
export function kernelOf({ kernel }: NodeContext): Kernel {
  if (kernel) return kernel
  throw new UnavailableError('System calls are not available to this process; turn the collector off')
}

/** @throws UnavailableError where there is none */
export function netOf({ net }: NodeContext): Net {
  if (net) return net
  throw new UnavailableError('Sockets are not available to this process; turn the collector off')
}

export function family(type: FamilyType, name: string, help: string, metrics: readonly Metric[]): MetricFamily {
  return { name: `node_${name}`, help, type, metrics }
}

/** A family of one sample without labels. */
export function single(type: FamilyType, name: string, help: string, value: number): MetricFamily {
  return family(type, name, help, [{ labels: [], value }])
}

/** Families that grow sample by sample while a collector walks its source; type and help are those given first. */
export class FamilySet {
  readonly #byName = new Map<string, { readonly type: FamilyType; readonly help: string; readonly metrics: Metric[] }>()

  /** @param labels flat pairs, sorted by label name */
  add(type: FamilyType, name: string, help: string, labels: readonly string[], value = 1): void {
    let known = this.#byName.get(name)
    if (!known) {
      known = { type, help, metrics: [] }
      this.#byName.set(name, known)
    }
    known.metrics.push({ labels, value })
  }

  gauge(name: string, help: string, labels: readonly string[], value = 1): void {
    this.add('gauge', name, help, labels, value)
  }

  counter(name: string, help: string, labels: readonly string[], value: number): void {
    this.add('counter', name, help, labels, value)
  }

  list(): MetricFamily[] {
    return [...this.#byName].map(([name, { type, help, metrics }]) => family(type, name, help, metrics))
  }
}

/** Names that match what is included, if anything is, and not what is excluded. */
export function nameFilter(include: string, exclude: string): (name: string) => boolean {
  const included = include === '' ? null : compileRegex(include)
  const excluded = exclude === '' ? null : compileRegex(exclude)
  return (name) => (included?.matcher(name).find() ?? true) && !(excluded?.matcher(name).find() ?? false)
}

/**
 * The filter of the flags `PREFIX-include` and `PREFIX-exclude`, of which one may be given.
 * @param fallback excluded where neither is given
 * @throws FlagError when both are
 */
export function includeOrExclude(flags: Flags, prefix: string, fallback = ''): (name: string) => boolean {
  const include = stringFlag(flags, `${prefix}-include`, '')
  const exclude = stringFlag(flags, `${prefix}-exclude`, include === '' ? fallback : '')
  if (include !== '' && exclude !== '')
    throw new FlagError(`${prefix}-exclude`, `excludes ${prefix}-include: give one of the two`)
  return nameFilter(include, exclude)
}

/** Decides each name once: for the fields that a kernel has, whose number is fixed. Not for devices, which come and go. */
export function fieldFilter(pattern: string): (name: string) => boolean {
  const regex = compileRegex(pattern)
  const decided = new Map<string, boolean>()
  return (name) => {
    let wanted = decided.get(name)
    if (wanted === undefined) {
      wanted = regex.matcher(name).find()
      decided.set(name, wanted)
    }
    return wanted
  }
}

/** Characters that a metric name may hold, lower case; what else there is becomes `_`. Semantics: node_exporter hwmon_linux.go, cleanMetricName. */
export function cleanName(text: string): string {
  return text
    .toLowerCase()
    .replace(/[^a-z0-9:_]/g, '_')
    .replace(/^_+|_+$/g, '')
}
