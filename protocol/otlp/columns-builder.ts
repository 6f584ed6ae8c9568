/** Series collected in any order, as columns. */
import { type Labels, labelsFrom, METRIC_NAME } from '../labels/mod.ts'
import type {
  FamilyMetadata,
  LabelsResult,
  SeriesExemplar,
  SeriesHistogram,
  WriteColumns,
} from '../remote-write/mod.ts'
import { type Exemplar, type Histogram, type Metadata, setStaleAt } from '../samples/mod.ts'

type Series = {
  readonly labels: Labels
  readonly times: number[]
  readonly values: number[]
  readonly starts: number[]
  readonly points: number[]
  stale: Set<number> | null
}

export class ColumnsBuilder {
  readonly #series: Series[] = []
  readonly #byKey = new Map<string, number>()
  readonly #histograms: SeriesHistogram[] = []
  readonly #exemplars: SeriesExemplar[] = []
  readonly #metadata: FamilyMetadata[] = []
  readonly #problems: string[] = []
  readonly #pointOfHistogram: number[] = []
  #points = 0
  /** Of what is added; 0: none. */
  #point = 0
  #lost = 0

  /** What is added from now on is a part of one more data point. */
  beginPoint(): void {
    this.#point = ++this.#points
  }

  /** What is added from now on is a part of none. */
  endPoints(): void {
    this.#point = 0
  }

  series(name: string, labels: ReadonlyMap<string, string>): number {
    const all = labelsFrom([...labels, [METRIC_NAME, name] as const])
    const key = all.join('\xff')
    const known = this.#byKey.get(key)
    if (known !== undefined) return known
    this.#byKey.set(key, this.#series.length)
    return this.#series.push({ labels: all, times: [], values: [], starts: [], points: [], stale: null }) - 1
  }

  float(series: number, timestampMs: number, value: number, startMs: number, isStale: boolean): void {
    const own = this.#series[series]!
    if (isStale) (own.stale ??= new Set()).add(own.values.length)
    own.times.push(timestampMs)
    own.values.push(value)
    own.starts.push(startMs)
    own.points.push(this.#point)
  }

  histogram(series: number, timestampMs: number, histogram: Histogram, startMs: number): void {
    this.#histograms.push({ series, timestampMs, histogram, startMs })
    this.#pointOfHistogram.push(this.#point)
  }

  exemplar(series: number, exemplar: Exemplar): void {
    this.#exemplars.push({ series, exemplar })
  }

  metadata(family: string, metadata: Metadata): void {
    this.#metadata.push({ family, metadata })
  }

  /**
   * Something that cannot be stored: a series that is refused, in the order of the others.
   * @param points how many data points are lost with it
   */
  problem(text: string, points: number): void {
    this.#problems.push(text)
    this.#lost += points
  }

  finish(): WriteColumns {
    const series = this.#series
    const problems = this.#problems
    const seriesCount = series.length + problems.length
    const sampleStart = new Uint32Array(seriesCount + 1)
    for (let s = 0; s < seriesCount; s++) sampleStart[s + 1] = sampleStart[s]! + (series[s]?.values.length ?? 0)
    const samples = sampleStart[seriesCount]!
    const timestamps = new Float64Array(samples)
    const values = new Float64Array(samples)
    const words = new Uint32Array(values.buffer)
    const startTimes = new Float64Array(samples)
    const ofSample = new Uint32Array(samples)
    series.forEach((own, s) => {
      const from = sampleStart[s]!
      timestamps.set(own.times, from)
      values.set(own.values, from)
      startTimes.set(own.starts, from)
      ofSample.set(own.points, from)
      for (const at of own.stale ?? []) setStaleAt(words, from + at)
    })
    return {
      seriesCount,
      sampleStart,
      timestamps,
      values,
      startTimes: startTimes.some((start) => start !== 0) ? startTimes : null,
      histograms: this.#histograms,
      exemplars: this.#exemplars,
      metadata: this.#metadata,
      isStrict: true,
      points: { ofSample, ofHistogram: this.#pointOfHistogram, lost: this.#lost },
      labels: (s): LabelsResult =>
        s < series.length
          ? { labels: series[s]!.labels, problem: null }
          : { labels: null, problem: problems[s - series.length]! },
    }
  }
}
