/**
 * Where the samples of one target stand in a batch. Scrapes are rows, series are columns; samples are numbered row by
 * row ("flat positions"), but coded column by column, because the values of one series resemble each other.
 */
export type Layout = {
  readonly columnCount: number
  readonly rowCount: number
  /** Row r holds the flat positions `[rowStart[r], rowStart[r + 1])`. */
  readonly rowStart: Uint32Array
  /**
   * Of column c: `positions[columnStart[c] … columnStart[c + 1])`, ascending. Null when every row has every column once
   * and none is skipped: then sample (r, c) stands at `r * columnCount + c`, and nothing is stored.
   */
  readonly columnStart: Uint32Array | null
  readonly positions: Uint32Array | null
}

/**
 * @param rows per row its column indices, ascending (repeats allowed); null = all columns once
 * @param skip by flat position, 1 = leave out of the columns; null = none
 */
export function buildLayout(
  rows: readonly (Uint32Array | null)[],
  columnCount: number,
  skip: Uint8Array | null,
): Layout {
  const rowStart = new Uint32Array(rows.length + 1)
  for (let r = 0; r < rows.length; r++) rowStart[r + 1] = rowStart[r]! + (rows[r]?.length ?? columnCount)
  const base = { columnCount, rowCount: rows.length, rowStart }
  if (skip === null && rows.every((row) => row === null)) return { ...base, columnStart: null, positions: null }
  const columnStart = new Uint32Array(columnCount + 1)
  countColumns(rows, rowStart, skip, columnStart)
  for (let c = 0; c < columnCount; c++) columnStart[c + 1]! += columnStart[c]!
  const positions = new Uint32Array(columnStart[columnCount]!)
  fillPositions(rows, rowStart, skip, columnStart, positions)
  return { ...base, columnStart, positions }
}

/** Adds each column's count at `counts[column + 1]`. */
function countColumns(
  rows: readonly (Uint32Array | null)[],
  rowStart: Uint32Array,
  skip: Uint8Array | null,
  counts: Uint32Array,
): void {
  for (let r = 0; r < rows.length; r++) {
    const row = rows[r]!
    const start = rowStart[r]!
    const n = rowStart[r + 1]! - start
    for (let i = 0; i < n; i++) {
      if (skip !== null && skip[start + i] === 1) continue
      counts[(row === null ? i : row[i]!) + 1]! += 1
    }
  }
}

function fillPositions(
  rows: readonly (Uint32Array | null)[],
  rowStart: Uint32Array,
  skip: Uint8Array | null,
  columnStart: Uint32Array,
  positions: Uint32Array,
): void {
  const next = columnStart.slice()
  for (let r = 0; r < rows.length; r++) {
    const row = rows[r]!
    const start = rowStart[r]!
    const n = rowStart[r + 1]! - start
    for (let i = 0; i < n; i++) {
      if (skip !== null && skip[start + i] === 1) continue
      positions[next[row === null ? i : row[i]!]!++] = start + i
    }
  }
}
