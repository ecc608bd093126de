/** A table as Markdown has it, its columns lined up, so that it reads well in a terminal too. */
export function formatTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  )
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => pad(cell, column, widths[column] ?? 0)).join(' | ')} |`
  const rule = widths.map((width, column) => '-'.repeat(width - 1) + (column === 0 ? '-' : ':'))
  return [line(head), line(rule), ...rows.map(line)].join('\n')
}

/** Names to the left, numbers to the right. */
function pad(cell: string, column: number, width: number): string {
  return column === 0 ? cell.padEnd(width) : cell.padStart(width)
}

/** `12 345`: with a thin gap that no line breaks at. */
export function formatInteger(value: number): string {
  return String(Math.round(value)).replaceAll(/\B(?=(\d{3})+$)/g, '\u00a0')
}

export function formatFixed(value: number, digits: number): string {
  return value.toFixed(digits)
}

/** `median (min–max)` */
export function formatSpread(
  median: number,
  { min, max }: { readonly min: number; readonly max: number },
  format: (value: number) => string,
): string {
  return `${format(median)} (${format(min)}–${format(max)})`
}
