/**
 * The path of one series. uPlot draws through gaps and then clips them away, which costs seconds with many of them;
 * here the line is lifted at a null and set down after it. A value alone between two gaps becomes a short dash, as a
 * single point has no length to stroke. Where several steps share a pixel column, the column's extremes are kept.
 */

export interface PathSink {
  moveTo(x: number, y: number): void
  lineTo(x: number, y: number): void
}

/** pixel = value * factor + offset: the page has linear scales only. */
export type Affine = { readonly factor: number; readonly offset: number }

export type LineInput = {
  readonly xs: ArrayLike<number>
  readonly ys: ArrayLike<number | null | undefined>
  /** Both ends included. */
  readonly from: number
  readonly to: number
  readonly x: Affine
  readonly y: Affine
  /** Half of the dash of a lone value, canvas pixels. */
  readonly dotRadius: number
}

/** Above this many steps in a pixel column the column is drawn as its first, lowest, highest and last value. */
const STEPS_PER_PIXEL = 2

export function linePath(path: PathSink, input: LineInput): void {
  const { xs, from, to, x } = input
  if (to < from) return
  const pixels = Math.abs((xs[to]! - xs[from]!) * x.factor)
  if (to - from > Math.max(1, pixels) * STEPS_PER_PIXEL) columns(path, input)
  else segments(path, input)
}

function segments(path: PathSink, { xs, ys, from, to, x, y, dotRadius }: LineInput): void {
  let isDown = false
  let runStart = from
  for (let i = from; i <= to; i++) {
    const value = ys[i]
    if (value === null || value === undefined) {
      if (isDown && i - runStart === 1) dot(path, xs[runStart]! * x.factor + x.offset, ys[runStart]!, y, dotRadius)
      isDown = false
      continue
    }
    const px = xs[i]! * x.factor + x.offset
    const py = value * y.factor + y.offset
    if (isDown) path.lineTo(px, py)
    else {
      path.moveTo(px, py)
      isDown = true
      runStart = i
    }
  }
  if (isDown && runStart === to) dot(path, xs[to]! * x.factor + x.offset, ys[to]!, y, dotRadius)
}

function dot(path: PathSink, px: number, value: number, y: Affine, radius: number): void {
  const py = value * y.factor + y.offset
  path.moveTo(px - radius, py)
  path.lineTo(px + radius, py)
}

/** One pass: a column ends when the pixel changes, a run ends at a null. */
function columns(path: PathSink, { xs, ys, from, to, x, y, dotRadius }: LineInput): void {
  let isDown = false
  let column = NaN
  let count = 0
  let runColumns = 0
  let low = 0
  let high = 0
  let first = 0
  let last = 0
  const flush = (): void => {
    if (count === 0) return
    if (isDown) path.lineTo(column, first)
    else path.moveTo(column, first)
    isDown = true
    runColumns++
    if (high !== first) path.lineTo(column, high)
    if (low !== high) path.lineTo(column, low)
    if (last !== low) path.lineTo(column, last)
    count = 0
  }
  for (let i = from; i <= to + 1; i++) {
    const value = i > to ? null : ys[i]
    if (value === null || value === undefined) {
      flush()
      if (isDown && runColumns === 1 && low === high) {
        path.moveTo(column - dotRadius, last)
        path.lineTo(column + dotRadius, last)
      }
      isDown = false
      runColumns = 0
      column = NaN
      continue
    }
    const px = Math.round(xs[i]! * x.factor + x.offset)
    const py = value * y.factor + y.offset
    if (px !== column) {
      flush()
      column = px
    }
    if (count === 0) first = low = high = py
    else if (py < low) low = py
    else if (py > high) high = py
    last = py
    count++
  }
}
