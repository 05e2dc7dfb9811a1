/** A column's title, and for figures that it is aligned to the right. */
export type Cell = string | number;

/** What is shown under one heading; a note says what a reader must know to read it. */
export interface Table {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly Cell[])[];
  readonly note?: string;
}

/** Text to the left, figures to the right. */
export function printTable({ title, columns, rows, note }: Table): void {
  const lines = [columns, ...rows].map((cells) => cells.map(String));
  const widths = columns.map((_, column) => Math.max(...lines.map((cells) => (cells[column] ?? '').length)));
  console.log(`\n${title}`);
  for (const [index, cells] of lines.entries()) {
    const padded = cells.map((cell, column) => {
      const width = widths[column] ?? 0;
      return column === 0 ? cell.padEnd(width) : cell.padStart(width);
    });
    console.log(`  ${padded.join('  ')}`.trimEnd());
    if (index === 0) console.log(`  ${widths.map((width) => '─'.repeat(width)).join('  ')}`);
  }
  if (note !== undefined) console.log(`  ${note}`);
}

/** Three significant digits, as far as they say something. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return '–';
  const size = Math.abs(value);
  if (size >= 100) return Math.round(value).toLocaleString('en-US');
  return size >= 10 ? value.toFixed(1) : value.toFixed(2);
}

export function range([from, to]: readonly [number, number]): string {
  return `[${figure(from)} … ${figure(to)}]`;
}
