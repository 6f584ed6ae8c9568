/** Tables as text for other programs. */

/**
 * One CSV cell (RFC 4180). A text that a spreadsheet would run as a formula gets an apostrophe before it; numbers are
 * left alone, also negative ones.
 */
export function csvCell(text: string): string {
  const isNumber = text !== '' && text.trim() === text && !Number.isNaN(Number(text))
  const safe = !isNumber && /^[=+\-@\t\r]/.test(text) && text !== '+Inf' && text !== '-Inf' ? `'${text}` : text
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}

export function csv(rows: readonly (readonly string[])[]): string {
  return rows.map((row) => `${row.map(csvCell).join(',')}\r\n`).join('')
}

/** Tab-separated, for the clipboard: tabs and line ends in cells become spaces. */
export function tsv(rows: readonly (readonly string[])[]): string {
  return rows.map((row) => row.map((cell) => cell.replace(/[\t\r\n]+/g, ' ')).join('\t')).join('\n')
}
