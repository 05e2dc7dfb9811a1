import { stripVTControlCharacters, styleText } from 'node:util';

const WIDTH = 80;

/** Text that stays, and below it a block of lines that is drawn anew in place, where the output is a terminal. */
export class Screen {
  readonly live = process.stdout.isTTY === true;
  #drawnLines = 0;

  say(text = ''): void {
    this.#erase();
    process.stdout.write(`${wrapped(text)}\n`);
  }

  /** Lines that are laid out already. */
  print(lines: readonly string[]): void {
    this.#erase();
    process.stdout.write(`${lines.join('\n')}\n`);
  }

  draw(lines: readonly string[]): void {
    const width = process.stdout.columns || WIDTH;
    const fitting = lines.map((line) =>
      stripVTControlCharacters(line).length < width ? line : plainPart(line, width - 1),
    );
    const up = this.#drawnLines > 0 ? `\x1b[${this.#drawnLines}A\r\x1b[J` : '';
    process.stdout.write(`${up}${fitting.join('\n')}\n`);
    this.#drawnLines = lines.length;
  }

  /** The block that was drawn last stays as it is. */
  keep(): void {
    this.#drawnLines = 0;
  }

  #erase(): void {
    if (this.#drawnLines > 0) process.stdout.write(`\x1b[${this.#drawnLines}A\r\x1b[J`);
    this.#drawnLines = 0;
  }
}

export function bold(text: string): string {
  return styleText('bold', text, { stream: process.stdout });
}

export function dim(text: string): string {
  return styleText('dim', text, { stream: process.stdout });
}

/** A row of a table: the first `left` cells begin at the left edge, the others end at the right. */
export function row(cells: readonly string[], widths: readonly number[], left: number): string {
  return cells
    .map((cell, index) => (index < left ? cell.padEnd(widths[index]!) : cell.padStart(widths[index]!)))
    .join(' ')
    .trimEnd();
}

export function count(value: number | undefined): string {
  return value === undefined ? '–' : value.toLocaleString('en-US');
}

export function milliseconds(value: number | undefined): string {
  if (value === undefined) return '–';
  return value.toLocaleString('en-US', { maximumFractionDigits: value < 1 ? 2 : value < 100 ? 1 : 0 });
}

function wrapped(text: string): string {
  const lines: string[] = [];
  for (const paragraph of text.split('\n')) {
    let line = '';
    for (const word of paragraph.split(' ')) {
      const longer = line === '' ? word : `${line} ${word}`;
      if (stripVTControlCharacters(longer).length <= WIDTH || line === '') line = longer;
      else {
        lines.push(line);
        line = word;
      }
    }
    lines.push(line);
  }
  return lines.join('\n');
}

function plainPart(line: string, length: number): string {
  return stripVTControlCharacters(line).slice(0, length);
}
