/**
 * A simulated host: the /metrics page of a node exporter, and how it changes from scrape to scrape.
 *
 * Names, number shapes and the share of series that change follow a node exporter 1.11 that was scraped 15 s apart on a
 * lightly loaded host: 28 % of its series changed there, 26 % change here; some are noise (the collectors' durations).
 * To reach any number of series the host has more CPUs, disks, network devices and file systems. Containers come and go:
 * their devices are new series, others end (churn), and now and then the host does not answer at all (gap).
 *
 * Everything follows from the seed and the number of the scrape: two systems that scrape it see the same pages.
 */
import { formatGoFloat } from '../../protocol/exposition/mod.ts'
import {
  COLLECTORS,
  CONSTANTS,
  COUNTERS,
  CPU_MODES,
  DISK,
  FILE_SYSTEM,
  GO_GAUGES,
  LEVELS,
  MEMORY,
  type Motion,
  NET_CONSTANTS,
  NET_COUNTERS,
  SOFTNET,
} from './host-metrics.ts'
import { createRandom, type SeededRandom } from './seeded-random.ts'

type Series = {
  readonly prefix: string
  readonly motion: Motion
  /** Mean increment per step, or level about which it moves. */
  readonly mean: number
  /** Probability that it moves at all in a step. */
  readonly activity: number
  value: number
  text: string
}

type Family = { readonly header: string; readonly series: Series[] }

export type Page = {
  /** null: the host does not answer this time. */
  readonly body: Buffer | null
  /** What is on the page, by family: for checking what a scraper made of it. */
  readonly families: readonly FamilyTotal[]
}
export type FamilyTotal = { readonly name: string; readonly samples: number; readonly sum: number }

export type HostOptions = {
  readonly seed: number
  readonly series: number
  /** Steps that a container's network device lives. */
  readonly containerLife?: number
  /** One scrape in so many is not answered; 0: all are. */
  readonly gapEvery?: number
}

const STEP_SECONDS = 15
const START_SECONDS = 1_767_225_600
/** Scrapes in which a container that ended has not been followed by the next. */
const CONTAINER_PAUSE = 3
const CONTAINERS = 2

export class SimulatedHost {
  readonly #random: SeededRandom
  readonly #families = new Map<string, Family>()
  readonly #containerLife: number
  readonly #gapEvery: number
  readonly #gapPhase: number
  /** The container's device in each slot, if one lives. */
  readonly #containers: (string | undefined)[] = []
  #step = 0

  constructor({ seed, series, containerLife = 40, gapEvery = 150 }: HostOptions) {
    this.#random = createRandom(seed)
    this.#containerLife = containerLife
    this.#gapEvery = gapEvery
    // Not in the first scrapes, in which all series are new.
    this.#gapPhase = 20 + this.#random.below(Math.max(1, gapEvery - 20))
    this.#build(series)
  }

  /** Moves everything on by one step, for those who read `series()` rather than pages. */
  step(): void {
    this.#step++
    for (const family of this.#families.values()) for (const each of family.series) this.#move(each)
    this.#renewContainers()
  }

  /** What the page would show now: the text before each value (`name{labels} `), and the value. */
  *series(): Generator<Readonly<{ prefix: string; value: number }>> {
    for (const { series } of this.#families.values()) yield* series
  }

  /** The page of the next scrape. */
  next(): Page {
    this.step()
    const isGap = this.#gapEvery > 0 && this.#step % this.#gapEvery === this.#gapPhase
    return isGap ? { body: null, families: [] } : this.#render()
  }

  #render(): Page {
    const parts: string[] = []
    const families: FamilyTotal[] = []
    for (const [name, { header, series }] of this.#families) {
      if (series.length === 0) continue
      parts.push(header)
      let sum = 0
      for (const { prefix, text, value } of series) {
        parts.push(prefix, text, '\n')
        sum += value
      }
      families.push({ name, samples: series.length, sum })
    }
    return { body: Buffer.from(parts.join(''), 'latin1'), families }
  }

  #move(series: Series): void {
    const random = this.#random
    if (series.motion === 'constant' || random.next() >= series.activity) return
    const { mean } = series
    let { value } = series
    switch (series.motion) {
      case 'counter':
        value += Math.max(1, Math.round(random.exponential(mean)))
        break
      case 'centiseconds':
        value = Math.round(value * 100 + Math.max(1, Math.round(random.exponential(mean * 100)))) / 100
        break
      case 'milliseconds':
        value = Math.round(value * 1000 + Math.max(1, Math.round(random.exponential(mean * 1000)))) / 1000
        break
      case 'microseconds':
        value = Math.round(value * 1e6 + Math.max(1, Math.round(random.exponential(mean * 1e6)))) / 1e6
        break
      case 'pages':
        value = Math.max(4096, value + 4096 * Math.round(random.normal() * mean))
        break
      case 'load':
        value = Math.round(100 * Math.max(0, value + 0.2 * (mean - value) + 0.15 * mean * random.normal())) / 100
        break
      case 'level':
        value = Math.max(0, Math.round(mean + random.normal() * Math.sqrt(mean)))
        break
      case 'noise':
        value = Math.round(1e9 * mean * (0.7 + 0.3 * Math.abs(random.normal()))) / 1e9
        break
      case 'clock':
        value = START_SECONDS + this.#step * STEP_SECONDS + Math.round(random.next() * 1e7) / 1e7
        break
    }
    series.value = value
    series.text = formatGoFloat(value)
  }

  /** Every container's device lives `containerLife` steps, then is absent for a few, then has another name. */
  #renewContainers(): void {
    for (let slot = 0; slot < CONTAINERS; slot++) {
      const age = (this.#step + Math.floor((slot * this.#containerLife) / CONTAINERS)) % this.#containerLife
      if (age === 0) this.#removeDevice(slot)
      else if (age === CONTAINER_PAUSE) this.#addContainer(slot)
    }
  }

  #removeDevice(slot: number): void {
    const device = this.#containers[slot]
    if (device === undefined) return
    const label = `{device="${device}"}`
    for (const family of this.#families.values()) {
      const at = family.series.findIndex(({ prefix }) => prefix.endsWith(`${label} `))
      if (at >= 0) family.series.splice(at, 1)
    }
    this.#containers[slot] = undefined
  }

  #addContainer(slot: number): void {
    if (this.#containers[slot] !== undefined) return
    const device = `veth${this.#random.below(0x7fffffff).toString(16).padStart(8, '0')}`
    this.#containers[slot] = device
    this.#netDevice(device, 0.8)
  }

  // What a host has ------------------------------------------------------------------------------------------------

  #build(wanted: number): void {
    this.#machine()
    for (let slot = 0; slot < CONTAINERS; slot++) this.#addContainer(slot)
    const units: readonly ((index: number) => void)[] = [
      (i) => this.#cpu(2 * i),
      (i) => this.#disk(i),
      (i) => this.#netDevice(i === 0 ? 'lo' : `eth${i - 1}`, i < 3 ? 1 : 0.5),
      (i) => this.#fileSystem(i),
      (i) => this.#cpu(2 * i + 1),
    ]
    for (let i = 0; this.#count() < wanted; i++) units[i % units.length]!(Math.floor(i / units.length))
    this.#truncate(wanted)
  }

  #count(): number {
    let count = 0
    for (const { series } of this.#families.values()) count += series.length
    return count
  }

  /** Takes whole series off the end of the longest families, so that the page has just as many as were wanted. */
  #truncate(wanted: number): void {
    const families = [...this.#families.values()]
    for (let excess = this.#count() - wanted; excess > 0; excess--) {
      const longest = families.reduce((a, b) => (b.series.length > a.series.length ? b : a))
      longest.series.pop()
    }
  }

  #machine(): void {
    const { below } = this.#random
    for (const [name, motion, mean, activity] of MEMORY)
      this.#add(name, 'gauge', `Memory information field ${name.slice(12, -6)}.`, '', motion, mean, activity, {
        value: 4096 * (1000 + below(1_000_000)),
      })
    for (const [name, mean] of [
      ['node_load1', 1.2],
      ['node_load5', 1.1],
      ['node_load15', 1],
    ] as const)
      this.#add(name, 'gauge', `${name.slice(9)}m load average.`, '', 'load', mean, 1, { value: mean })
    for (const [name, mean, activity] of COUNTERS)
      this.#add(name, 'counter', `Statistic ${name.slice(5)}.`, '', 'counter', mean, activity, {
        value: mean > 0 ? below(1e9) : 0,
      })
    for (const name of LEVELS) this.#add(name, 'gauge', `Number of ${name.slice(5)}.`, '', 'level', 40, 0.5)
    for (const name of CONSTANTS)
      this.#add(name, 'gauge', `${name.slice(5)} as the kernel gives it.`, '', 'constant', 0, 0, { value: below(4096) })
    for (const resource of ['cpu_waiting', 'io_stalled', 'io_waiting', 'memory_stalled', 'memory_waiting'])
      this.#add(
        `node_pressure_${resource}_seconds_total`,
        'counter',
        `Total time in seconds that processes have been ${resource}.`,
        '',
        'microseconds',
        0.05,
        resource.startsWith('memory') ? 0.02 : 0.95,
        { value: below(1e9) / 1e6 },
      )
    this.#add('node_time_seconds', 'gauge', 'System time in seconds since epoch (1970).', '', 'clock', 0, 1)
    this.#add('process_cpu_seconds_total', 'counter', 'CPU time in seconds.', '', 'centiseconds', 0.03, 0.9)
    for (const name of GO_GAUGES)
      this.#add(name, 'gauge', `${name.slice(12)} of the Go runtime.`, '', 'pages', 20, 0.8, {
        value: 4096 * (200 + below(3000)),
      })
    for (const collector of COLLECTORS) {
      const labels = `{collector="${collector}"}`
      const mean = 10 ** (-4.5 + 2 * this.#random.next())
      this.#add(
        'node_scrape_collector_duration_seconds',
        'gauge',
        'node_exporter: Duration of a collector scrape.',
        labels,
        'noise',
        mean,
        1,
      )
      this.#add(
        'node_scrape_collector_success',
        'gauge',
        'node_exporter: Whether a collector succeeded.',
        labels,
        'constant',
        0,
        0,
        { value: 1 },
      )
    }
  }

  #cpu(cpu: number): void {
    const { below } = this.#random
    for (const [mode, mean, activity] of CPU_MODES)
      this.#add(
        'node_cpu_seconds_total',
        'counter',
        'Seconds the CPUs spent in each mode.',
        `{cpu="${cpu}",mode="${mode}"}`,
        'centiseconds',
        mean,
        activity,
        { value: below(1e7) / 100 },
      )
    for (const mode of ['nice', 'user'])
      this.#add(
        'node_cpu_guest_seconds_total',
        'counter',
        'Seconds the CPUs spent in guests (VMs) for each mode.',
        `{cpu="${cpu}",mode="${mode}"}`,
        'constant',
        0,
        0,
      )
    for (const [name, mean, activity] of SOFTNET)
      this.#add(
        `node_softnet_${name}`,
        'counter',
        `Softnet statistic ${name}.`,
        `{cpu="${cpu}"}`,
        'counter',
        mean,
        activity,
        {
          value: mean > 0 ? below(1e7) : 0,
        },
      )
  }

  #disk(index: number): void {
    const { below } = this.#random
    const device = `nvme${index}n1`
    // The first disks always work, the others now and then.
    const busy = index < 2 ? 1 : 0.5
    for (const [name, motion, mean, activity] of DISK)
      this.#add(
        `node_disk_${name}`,
        name.endsWith('_total') ? 'counter' : 'gauge',
        `Disk statistic ${name}.`,
        `{device="${device}"}`,
        motion,
        mean,
        activity * busy,
        { value: motion === 'constant' ? 0 : motion === 'milliseconds' ? below(1e9) / 1000 : below(1e9) },
      )
  }

  #netDevice(device: string, busy: number): void {
    const { below } = this.#random
    for (const name of NET_CONSTANTS)
      this.#add(
        `node_network_${name}`,
        'gauge',
        `Network device property: ${name}`,
        `{device="${device}"}`,
        'constant',
        0,
        0,
        {
          value: below(3),
        },
      )
    for (const [name, mean, activity] of NET_COUNTERS)
      this.#add(
        `node_network_${name}`,
        'counter',
        `Network device statistic ${name}.`,
        `{device="${device}"}`,
        'counter',
        mean,
        activity * busy,
        { value: mean > 0 ? below(1e9) : 0 },
      )
  }

  #fileSystem(index: number): void {
    const { below } = this.#random
    const labels = `{device="/dev/nvme${index}n1p1",device_error="",fstype="ext4",mountpoint="/srv/data${index}"}`
    const sizePages = 5_000_000 + below(50_000_000)
    const busy = index < 2 ? 0.9 : 0.5
    for (const [name, motion, activity] of FILE_SYSTEM)
      this.#add(`node_filesystem_${name}`, 'gauge', `Filesystem ${name}.`, labels, motion, 40, activity * busy, {
        value: name.endsWith('bytes') ? 4096 * sizePages : name.startsWith('files') ? sizePages : 0,
      })
  }

  #add(
    name: string,
    type: string,
    help: string,
    labels: string,
    motion: Motion,
    mean: number,
    activity: number,
    { value = 0 }: { readonly value?: number } = {},
  ): void {
    let family = this.#families.get(name)
    if (!family) {
      family = { header: `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`, series: [] }
      this.#families.set(name, family)
    }
    const isStill = motion === 'constant' || mean === 0
    family.series.push({
      prefix: `${name}${labels} `,
      motion: isStill && motion !== 'clock' ? 'constant' : motion,
      mean,
      activity,
      value,
      text: formatGoFloat(value),
    })
  }
}
