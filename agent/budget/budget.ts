/** The budget of one agent: pacer, steps and sink together, and what `/metrics` says of them. */
import type { SampleSink } from '../../protocol/batch/mod.ts'
import { type BudgetConfig, stepName } from '../../protocol/config/mod.ts'
import type { Env } from '../../protocol/env/mod.ts'
import { counter, gauge, type MetricFamily } from '../../protocol/exposition/mod.ts'
import { BudgetController } from './controller.ts'
import { Pacer, type PacerOptions } from './pacer.ts'
import { BudgetSink } from './sink.ts'

export type BudgetOptions = {
  readonly env: Pick<Env, 'clock' | 'log'> & Pick<PacerOptions, 'disk'>
  readonly config: BudgetConfig
  /** Where the day's use is kept. */
  readonly file: string
  readonly recorder: SampleSink
  /** Bytes of batches sealed so far. */
  readonly madeBytes: () => number
}

export class Budget {
  readonly pacer: Pacer
  readonly sink: BudgetSink
  readonly #controller: BudgetController
  readonly #config: BudgetConfig

  constructor({ env, config, file, recorder, madeBytes }: BudgetOptions) {
    const { clock, disk } = env
    const log = env.log.with({ component: 'budget' })
    const { bytesPerSecond, bytesPerDay, classes } = config
    this.#config = config
    this.pacer = new Pacer({ clock, disk, log, file, bytesPerSecond, bytesPerDay })
    this.#controller = new BudgetController({ clock, log, config, pacer: this.pacer, madeBytes })
    this.sink = new BudgetSink(recorder, classes, () => this.#controller.degradation)
    this.#controller.start()
  }

  /** Tells what was left out, before the recorder is closed. */
  stop(): void {
    this.#controller.stop()
    this.sink.flush()
    this.pacer.save()
  }

  families(): MetricFamily[] {
    const { bytesPerSecond, bytesPerDay, steps } = this.#config
    const one = (value: number) => [{ labels: [], value }]
    const { level, changes, lastRate } = this.#controller
    return [
      gauge(
        'heliograph_agent_budget_rate_bytes',
        'Bytes a second that may leave; 0 without a limit.',
        one(bytesPerSecond),
      ),
      gauge(
        'heliograph_agent_budget_day_bytes',
        'Bytes that may leave in a day (UTC); 0 without a limit.',
        one(bytesPerDay),
      ),
      gauge('heliograph_agent_budget_used_today_bytes', 'Bytes that have left today (UTC).', one(this.pacer.usedToday)),
      counter(
        'heliograph_agent_budget_sent_bytes_total',
        'Bytes that have left, overhead included.',
        one(this.pacer.total),
      ),
      gauge(
        'heliograph_agent_budget_made_bytes_per_second',
        'Bytes a second sealed in the last minute.',
        one(lastRate),
      ),
      gauge('heliograph_agent_budget_level', 'Steps of the degradation in force.', one(level)),
      counter('heliograph_agent_budget_changes_total', 'Steps taken or given back.', one(changes)),
      gauge(
        'heliograph_agent_budget_step_in_force',
        'Whether a step of the degradation is in force.',
        steps.map((step, i) => ({
          labels: ['order', String(i + 1), 'step', stepName(step)],
          value: i < level ? 1 : 0,
        })),
      ),
      counter(
        'heliograph_agent_budget_dropped_slots_total',
        'Scrapes left out to widen the interval.',
        one(this.sink.droppedSlots),
      ),
      counter(
        'heliograph_agent_budget_dropped_samples_total',
        'Samples left out with their class.',
        [...this.sink.droppedSamples].map(([name, value]) => ({ labels: ['class', name], value })),
      ),
    ]
  }
}
