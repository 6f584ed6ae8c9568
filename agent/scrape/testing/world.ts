/** A scrape manager in a world of its own: virtual clock, scripted net, remembering sink. */
import type { Logger } from '../../../protocol/env/mod.ts'
import { type Labels, labelsFrom } from '../../../protocol/labels/mod.ts'
import { nodeDisk } from '../../env/mod.ts'
import { ScrapeManager } from '../manager.ts'
import { httpSource, type ScrapeTargetConfig, type ScrapeTargetInput, withTargetDefaults } from '../target.ts'
import { type Answer, FakeNet } from './fake-net.ts'
import { MemorySink } from './memory-sink.ts'
import { VirtualClock } from './virtual-clock.ts'

export const INTERVAL_MS = 10_000
const START_MS = 1_700_000_000_000

const silent: Logger = { debug() {}, info() {}, warn() {}, error() {}, with: () => silent }

export class World {
  readonly clock = new VirtualClock(START_MS)
  readonly net = new FakeNet(this.clock)
  readonly sink = new MemorySink()
  readonly disk = nodeDisk
  readonly manager: ScrapeManager

  constructor(initialSeries?: (key: string) => readonly Labels[]) {
    this.manager = new ScrapeManager({
      clock: this.clock,
      net: this.net,
      disk: this.disk,
      log: silent,
      sink: this.sink,
      offsetSeed: 'test',
      userAgent: 'Heliograph/test',
      ...(initialSeries === undefined ? {} : { initialSeries }),
    })
  }

  answer(address: string, body: string, rest: Omit<Answer, 'body'> = {}): void {
    this.net.answers.set(`http://${address}/metrics`, { body, ...rest })
  }

  /** To one millisecond after the first target's next slot, when all that answers at once has been recorded. */
  async nextScrape(): Promise<void> {
    const { nextSlotMs } = this.manager.targets()[0]!
    await this.clock.advance(nextSlotMs - this.clock.now() + 1)
  }

  get lastRows(): string[] {
    return this.sink.rows(this.sink.scrapes.at(-1))
  }
}

/** A target of job `test` with short labels, so that rows stay readable. */
export function target(address: string, rest: Partial<ScrapeTargetInput> = {}): ScrapeTargetConfig {
  return withTargetDefaults({
    job: 'test',
    source: httpSource({ address }),
    labels: labelsFrom({ instance: address, job: 'test' }),
    intervalMs: INTERVAL_MS,
    timeoutMs: INTERVAL_MS,
    ...rest,
  })
}
